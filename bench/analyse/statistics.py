"""Statistics as pure functions over one axis of trials; lower is better, and a diverged trial counts as infinity.

Written on numpy alone: importing scipy.stats takes 0.7 s, more than a whole `optbench table` may.
"""

import numpy as np
from jaxtyping import Float

#: Resamples of a bootstrap: the ends of a 95 % interval then move by about 1 % of its width.
RESAMPLES = 4000


def median_interval(values: Float[np.ndarray, " trial"], confidence: float = 0.95) -> tuple[float, float, float]:
    """Compute a median and its percentile bootstrap interval: (median, low, high); NaN where there are no values.

    Source: Efron, Bootstrap methods: another look at the jackknife, 1979. Resampled with a fixed seed: the same
    values give the same interval.
    """
    values = np.sort(np.asarray(values, dtype=np.float64))
    if not len(values):
        return (np.nan, np.nan, np.nan)
    index = np.random.default_rng(0).integers(len(values), size=(RESAMPLES, len(values)))
    medians = np.sort(_middle(values, np.sort(index, axis=1)))
    tail = (1 - confidence) / 2
    # Ranks, not interpolated quantiles: interpolating towards an infinite value gives NaN.
    low, high = medians[int(tail * RESAMPLES)], medians[RESAMPLES - 1 - int(tail * RESAMPLES)]
    return float(_middle(values, np.arange(len(values)))), float(low), float(high)


def median(values: Float[np.ndarray, " trial"]) -> float:
    """Compute a median that keeps infinities: one diverged trial in ten leaves it finite, six don't."""
    values = np.sort(np.asarray(values, dtype=np.float64))
    return float(_middle(values, np.arange(len(values)))) if len(values) else float("nan")


def _middle(values: np.ndarray, index: np.ndarray) -> np.ndarray:
    """Average the two middle values picked by sorted indices; equal infinities stay what they are."""
    count = index.shape[-1]
    low, high = values[index[..., (count - 1) // 2]], values[index[..., count // 2]]
    return np.where(low == high, low, low / 2 + high / 2)
