"""Grids: a name -> values; one combination is a point."""

import math
from collections.abc import Iterable, Mapping, Sequence
from itertools import product

from optbench.errors import RequestError, quote
from optbench.request.grammar import DefaultRange, Value, parse_values

MAX_POINTS = 1_000_000


def points(grid: Mapping[str, Sequence[Value]]) -> tuple[dict[str, Value], ...]:
    """Combine every value with every other, the last name fastest, without duplicates."""
    columns = {name: unique(values) for name, values in grid.items()}
    count = math.prod(map(len, columns.values()))
    if count > MAX_POINTS:
        sizes = " x ".join(f"{name} {len(values)}" for name, values in columns.items())
        raise RequestError(f"the grid has {count} points ({sizes}); at most {MAX_POINTS} are accepted")
    return tuple(dict(zip(columns, combination, strict=True)) for combination in product(*columns.values()))


def unique(values: Iterable[Value]) -> tuple[Value, ...]:
    """Drop repeated values, in order; beside a float every number is a float, so 1 and 1.0 are one."""
    listed = list(values)
    if any(isinstance(value, float) for value in listed):
        # Adding zero turns -0.0 into 0.0, which is the same number in another spelling.
        listed = [float(value) + 0.0 if is_number(value) else value for value in listed]
    return tuple({(type(value), value): value for value in listed}.values())


def is_number(value: object) -> bool:
    """Tell numbers from truth values and text."""
    return isinstance(value, int | float) and not isinstance(value, bool)


def check_rates(values: Iterable[Value | DefaultRange], name: str) -> tuple[float | DefaultRange, ...]:
    """Check the values of `learning_rate` or `weight_decay`: numbers that are not negative."""
    checked: list[float | DefaultRange] = []
    for value in values:
        if isinstance(value, DefaultRange) and name == "learning_rate":
            checked.append(value)
        elif isinstance(value, int | float) and not isinstance(value, bool) and value >= 0:
            checked.append(float(value) + 0.0)
        else:
            accepted = "numbers >= 0, start:stop:count" + (", default:count" if name == "learning_rate" else "")
            raise RequestError(f"{name}: {_show(value)} is not accepted; accepted: {accepted}")
    return tuple(checked)


def parse_batch_sizes(text: str) -> tuple[int | str, ...]:
    """Read batch sizes: positive integers, or `full`."""
    sizes: list[Value] = []
    for value in parse_values(text):
        if value == "full":
            sizes.append("full")
        elif isinstance(value, int | float) and not isinstance(value, bool) and value >= 1 and value == int(value):
            sizes.append(int(value))
        else:
            raise RequestError(f"batch_size: {_show(value)} is not accepted; accepted: integers >= 1, full")
    return unique(sizes)  # pyright: ignore[reportReturnType]


def _show(value: Value | DefaultRange) -> str:
    return f"default:{value.count}" if isinstance(value, DefaultRange) else quote(value)
