"""Grids, name -> values, and their points: one combination of values each."""

import math
from collections.abc import Iterable, Mapping, Sequence
from itertools import product

from optbench.errors import RequestError, quote
from optbench.request.grammar import DefaultRange, Value, parse_values

MAX_POINTS = 1_000_000


def points(grid: Mapping[str, Sequence[Value]]) -> tuple[dict[str, Value], ...]:
    """Return the points of a grid, the last name fastest, without duplicates.

    Raises RequestError for more than MAX_POINTS.
    """
    columns = {name: unique(values) for name, values in grid.items()}
    count = math.prod(map(len, columns.values()))
    if count > MAX_POINTS:
        sizes = " x ".join(f"{name} {len(values)}" for name, values in columns.items())
        raise RequestError(f"the grid has {count} points ({sizes}); at most {MAX_POINTS} are accepted")
    return tuple(dict(zip(columns, combination, strict=True)) for combination in product(*columns.values()))


def unique(values: Iterable[Value]) -> tuple[Value, ...]:
    """Return values without repetitions, in order; beside a float every number is a float, so 1 equals 1.0."""
    items = list(values)
    if any(isinstance(value, float) for value in items):
        # Adding zero turns -0.0 into 0.0, which is the same number in another spelling.
        items = [float(value) + 0.0 if is_number(value) else value for value in items]
    return tuple({(type(value), value): value for value in items}.values())


def is_number(value: object) -> bool:
    """Return whether a value is a number, and no truth value or text."""
    return isinstance(value, int | float) and not isinstance(value, bool)


def check_rates(values: Iterable[Value | DefaultRange], name: str) -> tuple[float | DefaultRange, ...]:
    """Return the values of `learning_rate` or `weight_decay` as floats, and default ranges as they are.

    Raises RequestError for negative numbers, text and truth values.
    """
    rates: list[float | DefaultRange] = []
    for value in values:
        if isinstance(value, DefaultRange):
            rates.append(value)
        elif isinstance(value, int | float) and not isinstance(value, bool) and value >= 0:
            rates.append(float(value) + 0.0)
        else:
            accepted = "numbers >= 0, start:stop:count, default:count"
            raise RequestError(f"{name}: {quote(value)} is not accepted; accepted: {accepted}")
    return tuple(rates)


def parse_batch_sizes(text: str) -> tuple[int | str, ...]:
    """Return the batch sizes of a comma list: positive integers, or `full`. Raises RequestError for others."""
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
