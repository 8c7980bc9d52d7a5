"""Choose a cell's best point on its selection seeds."""

from collections.abc import Mapping, Sequence
from typing import Any

import numpy as np
from jaxtyping import Bool

from bench.measure.sweep import Curves


def diverged(curves: Curves) -> Bool[np.ndarray, "seed point"]:
    """Mark trials whose loss was not finite at any step, or ended above where it began."""
    loss = curves.metrics["train_loss"]
    first, last = loss[..., 0], loss[..., -1]
    return (curves.diverged_at >= 0) | ~np.isfinite(last) | (last > first)


def best_point(curves: Curves) -> int:
    """Choose the point with the lowest median final train loss over seeds; the first of equals.

    A diverged trial counts as infinity, so a point that diverges on most seeds can't win against one that doesn't.
    """
    final = np.where(diverged(curves), np.inf, curves.metrics["train_loss"][..., -1])
    low, high = (np.sort(final, axis=0)[(len(final) - i) // 2] for i in (1, 0))
    return int(np.argmin(np.where(low == high, low, low / 2 + high / 2)))


def at_edge(points: Sequence[Mapping[str, Any]], best: int) -> bool:
    """Say whether the winner lies at an end of any grid of numbers that has one, so that a wider grid may beat it.

    A lower end of zero counts as no end: nothing lies beyond it.
    """
    for name, value in points[best].items():
        values = {point[name] for point in points}
        if len(values) > 1 and not isinstance(value, str) and value in (min(values), max(values)) and value != 0:
            return True
    return False
