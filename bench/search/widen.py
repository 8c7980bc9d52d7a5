"""Wider grids: more values beyond the ends on which a winner lies."""

import math
from collections.abc import Sequence
from typing import Any

from optbench.search.space import Point, axes_of, combine, rounded

#: Axes whose values may be of any size; of others, which lie below 1 as momenta do, none is tried beyond.
RATES = ("learning_rate", "weight_decay")


def widen(points: Sequence[Point], winner: Point) -> tuple[Point, ...] | None:
    """Lengthen each axis on whose end the winner lies by half as many values (2 at least), as far apart as its last.

    None where there is nothing to lengthen.
    """
    axes = axes_of(points)
    longer = {name: (*values, *_beyond(name, values, winner[name])) for name, values in axes.items()}
    if all(len(longer[name]) == len(axes[name]) for name in axes):
        return None
    return combine({name: sorted(values) for name, values in longer.items()})


def _beyond(name: str, values: Sequence[Any], winner: Any) -> list[float]:
    """Return the values that an axis gets beyond the end on which the winner lies."""
    if len(values) < 2 or isinstance(winner, str) or values[0] < 0 or winner not in (values[0], values[-1]):
        return []
    # 0 is no end: nothing lies beyond it. Beside a single positive value it says nothing of spacing: take 10.
    end, beside = (values[-1], values[-2]) if winner == values[-1] else (values[0], values[1])
    if end == 0:
        return []
    ratio = end / beside if beside else 10.0
    further = [_tidy(end * ratio**index) for index in range(1, max(2, len(values) // 2) + 1)]
    bounded = name not in RATES and values[-1] < 1
    return [value for value in further if 0 < value < math.inf and not (bounded and value >= 1)]


def _tidy(value: float) -> float:
    """Drop the digits that rounding left, and no others: a grid is to stay evenly spaced when it is widened again."""
    return rounded(value) if math.isclose(rounded(value), value, rel_tol=1e-9) else float(f"{value:.12g}")
