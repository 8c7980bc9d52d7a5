"""Choose a cell's best point on its selection seeds."""

from collections.abc import Mapping, Sequence, Set
from typing import Any

import numpy as np
from jaxtyping import Bool, Float

from optbench.sweep.curves import Curves


def diverged(curves: Curves) -> Bool[np.ndarray, "seed point"]:
    """Mark trials whose loss was not finite at any step, or ended above where it began.

    Where a point that was dropped would have ended is not known.
    """
    loss = curves.metrics["train_loss"]
    first, last = loss[..., 0], loss[..., -1]
    ended = curves.stopped_at < 0
    return (curves.diverged_at >= 0) | (ended & (~np.isfinite(last) | (last > first)))


def best_point(curves: Curves) -> int:
    """Choose the point with the lowest median final train loss over seeds, of those not dropped; the first of equals.

    A diverged trial counts as infinity, so a point that diverges on most seeds can't win against one that doesn't.
    """
    ended = np.flatnonzero(curves.stopped_at < 0)
    return int(ended[np.argmin(final_losses(curves)[ended])])


def final_losses(curves: Curves) -> Float[np.ndarray, " point"]:
    """Take each point's median final train loss over seeds, where a diverged trial counts as infinity.

    NaN where a point was dropped.
    """
    final = np.where(diverged(curves), np.inf, curves.metrics["train_loss"][..., -1])
    return np.where(curves.stopped_at < 0, median_loss(final), np.nan)


def median_loss(losses: Float[np.ndarray, "seed point"]) -> Float[np.ndarray, " point"]:
    """Take the median over seeds, where infinity is a number like others."""
    # As `medians` of analyse, which a sweep may not import; minus infinity does not come here, since it diverged.
    ordered = np.sort(losses, axis=0)
    low, high = (ordered[(len(losses) - i) // 2] for i in (1, 0))
    return np.where(low == high, low, low / 2 + high / 2)


def at_edge(points: Sequence[Mapping[str, Any]], best: int) -> tuple[str, ...]:
    """Name the hyperparameters of which the winner lies at an end of the grid, so that a wider grid may beat it.

    A lower end of zero counts as no end: nothing lies beyond it.
    """
    swept = {name: {point[name] for point in points} for name in points[best]}
    return tuple(
        name
        for name, value in points[best].items()
        if len(swept[name]) > 1 and not isinstance(value, str) and value and value in _ends(swept[name])
    )


def _ends(values: Set[float]) -> tuple[float, float]:
    return min(values), max(values)
