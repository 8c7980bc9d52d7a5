"""Choose a cell's settings by scores that see the unlucky seeds: in every study anew, and over all of them."""

from collections.abc import Mapping, Sequence, Set
from typing import Any

import numpy as np
from jaxtyping import Bool, Float, Int

from optbench.sweep.curves import Curves

#: Share of the selection seeds whose cost a point's score is at least.
QUANTILE = 0.75
#: A trial has diverged only where it ends above its start by more than so many times what it could have gained.
FAR = 10.0


def diverged(curves: Curves) -> Bool[np.ndarray, "seed point"]:
    """Mark trials whose loss was not finite at any step, or ended far above where it began, and rising.

    Far is FAR times the way from the start down to the lowest loss that any trial reached, or the spread of the starts
    over seeds, whichever is more: to begin next to the optimum and to be shaken by noise, or to follow a target that
    drifts, is no divergence. Where a point that was dropped would have ended is not known.
    """
    loss = curves.metrics["train_loss"]
    first, last, middle = loss[..., 0], loss[..., -1], loss[..., (loss.shape[-1] - 1) // 2]
    lowest = np.min(loss, initial=np.inf, where=np.isfinite(loss))
    margin = FAR * np.maximum(np.abs(first - lowest), np.ptp(first))
    rising = last > np.where(np.isfinite(middle), middle, -np.inf)
    ended = curves.stopped_at < 0
    return (curves.diverged_at >= 0) | (ended & (~np.isfinite(last) | ((last > first + margin) & rising)))


def worse_than_start(curves: Curves) -> Bool[np.ndarray, "seed point"]:
    """Mark trials that ended above where they began, whether or not they diverged."""
    loss = curves.metrics["train_loss"]
    return loss[..., -1] > loss[..., 0]


def scores(
    cost: Float[np.ndarray, "seed point"], num_studies: int, resolution: float = 0.0
) -> Float[np.ndarray, "study point"]:
    """Score the points of each study, lower is better, by the upper quartile of their costs over its seeds.

    The quartile is rounded up to a seed's own cost: of up to four seeds it is the worst. By the median, two lucky seeds
    of three crown settings that fail every third time. What lies within the resolution of a study's best equals it.
    """
    seeds = len(cost) // num_studies
    ordered = np.sort(cost.reshape(num_studies, seeds, -1), axis=1)
    quartiles = ordered[:, int(np.ceil(QUANTILE * (seeds - 1)))]
    # NaN, of a point that was dropped, stays what it is.
    lowest = np.min(quartiles, axis=1, keepdims=True, initial=np.inf, where=~np.isnan(quartiles))
    return np.maximum(quartiles, lowest + resolution)


def choose(
    ranked: Sequence[Float[np.ndarray, "study point"]], rates: Float[np.ndarray, " point"]
) -> Int[np.ndarray, " study"]:
    """Return the point of the lowest score in each study; equals are ranked by the next scores, then by the lower rate.

    NaN marks a point that was dropped on the way, which is never chosen.
    """
    primary = np.asarray(ranked[0])
    order = [np.lexsort((rates, *(each[study] for each in reversed(ranked)))) for study in range(len(primary))]
    # Of scores that are all infinite too, the lower rate: numpy sorts NaN last.
    return np.array([points[0] for points in order])


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
