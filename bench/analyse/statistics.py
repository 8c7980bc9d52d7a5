"""Statistics as pure functions over one axis of trials; lower is better, and a diverged trial counts as infinity.

Written on numpy alone: importing scipy.stats takes 0.7 s, more than a whole `optbench table` may.
"""

from math import comb

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


def median_rank_interval(values: Float[np.ndarray, " sample"], confidence: float = 0.95) -> tuple[float, float, float]:
    """Compute a median and its exact interval by binomial ranks: (median, low, high).

    Holds for any distribution of independent samples, with at least the confidence asked for. Fewer than six have no
    95 % interval, and get an infinite one.
    Source: Hahn, Meeker, Statistical Intervals, 1991, section 5.2.
    """
    values = np.sort(np.asarray(values, dtype=np.float64))
    num = len(values)
    below = np.cumsum([comb(num, rank) for rank in range(num // 2 + 1)]) / 2**num
    # The rank-th smallest and the rank-th largest: as many samples may lie below the median as the tail allows.
    rank = int(np.sum(below <= (1 - confidence) / 2))
    low, high = (values[rank - 1], values[num - rank]) if rank else (-np.inf, np.inf)
    return median(values), float(low), float(high)


def profile_score(ratios: Float[np.ndarray, " problem"], largest: float = 4.0) -> float:
    """Integrate a performance profile from 1 to `largest`, as a share of that range.

    `ratios` are times over those of the fastest optimizer on each problem, infinite for a miss. The profile at t is the
    share of problems with a ratio of at most t, so its integral is the mean of what each leaves of the range.
    Sources: Dolan, More, Benchmarking optimization software with performance profiles, 2002; Dahl et al., Benchmarking
    Neural Network Training Algorithms, 2023, section 4.2.
    """
    return float(np.mean(np.clip((largest - ratios) / (largest - 1), 0, 1)))


def median(values: Float[np.ndarray, " trial"]) -> float:
    """Compute a median that keeps infinities: one diverged trial in ten leaves it finite, six don't."""
    values = np.sort(np.asarray(values, dtype=np.float64))
    return float(_middle(values, np.arange(len(values)))) if len(values) else float("nan")


def _middle(values: np.ndarray, index: np.ndarray) -> np.ndarray:
    """Average the two middle values picked by sorted indices; equal infinities stay what they are."""
    count = index.shape[-1]
    low, high = values[index[..., (count - 1) // 2]], values[index[..., count // 2]]
    return np.where(low == high, low, low / 2 + high / 2)
