"""Quality, paired by seed: the ratio of what training came to, and its interval."""

from collections.abc import Mapping, Sequence
from math import inf, isfinite, sqrt
from statistics import median
from typing import Any

import numpy as np
from jaxtyping import Float

#: Chance that any interval of a check doesn't hold its ratio.
LEVEL = 0.05
#: Errors are fractions of a test set: less than that is no more than an example in a thousand.
LEAST_ERROR = 1e-3


def paired_logs(before: Sequence[Mapping[str, Any]], now: Sequence[Mapping[str, Any]]) -> Float[np.ndarray, " seed"]:
    """Return the logarithm [seed] of now over before, each the median of its entries.

    What diverged counts as what had not begun, or as the worst beside it. Of losses that may be below zero, which have
    no logarithm, the difference as a share of the typical loss before.
    """
    sides = [_by_seed(before), _by_seed(now)]
    seeds = [seed for seed in sides[0] if seed in sides[1]]
    values = np.array([[side[seed] for seed in seeds] for side in sides]).reshape(2, -1)
    if not values.size:
        return np.array([])
    worst = max([*values[np.isfinite(values)], before[-1]["start"] or -inf])
    values = np.where(np.isfinite(values), values, worst if isfinite(worst) else 1.0)
    least = LEAST_ERROR if before[-1]["measure"] == "test_error" else before[-1]["least"]
    if least or values.min() > 0:
        return np.diff(np.log(np.maximum(values, least or 0.0)), axis=0)[0]
    scale = np.median(np.abs(values[0])) or 1.0
    return np.sign(moved := np.diff(values, axis=0)[0] / scale) * np.log1p(np.abs(moved))


def _by_seed(rows: Sequence[Mapping[str, Any]]) -> dict[int, float]:
    seeds = rows[0]["seeds"] or []
    if all((row["seeds"] or []) == seeds for row in rows):
        medians = (
            np.median([row["samples"] or [] for row in rows], axis=0) if len(rows) > 1 else rows[0]["samples"] or []
        )
        return dict(zip(seeds, map(float, medians), strict=True))
    by_seed: dict[int, list[float]] = {}
    for row in rows:
        for seed, value in zip(row["seeds"] or (), row["samples"] or (), strict=True):
            by_seed.setdefault(seed, []).append(value)
    return {seed: median(values) for seed, values in by_seed.items()}


def t_interval(logs: Float[np.ndarray, " seed"], rows: int) -> tuple[float, float, float]:
    """Return the mean over seeds and its interval by Student's t, which holds with those of so many rows at 95 %."""
    from scipy.special import stdtrit

    mean, num = float(np.mean(logs)), len(logs)
    spread = float(np.std(logs, ddof=1)) if num > 1 else inf if mean else 0.0
    half = float(stdtrit(num - 1, 1 - LEVEL / 2 / max(rows, 1))) * spread / sqrt(num) if spread else 0.0
    return mean, mean - half, mean + half
