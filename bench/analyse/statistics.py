"""Estimates and their intervals, as pure functions; lower is better, and a diverged trial counts as infinity.

scipy.stats is imported where it is used: it takes 0.7 s, more than a table that needs none of it may.
"""

from collections.abc import Sequence
from functools import lru_cache
from math import comb

import numpy as np
from jaxtyping import Float, Int

#: Resamples of a bootstrap: the ends of a 95 % interval then move by about 1 % of its width.
RESAMPLES = 4000
#: Share of the nominal tails that is cut off an interval of a median: cut off whole, an interval of 95 % covers 92 to
#: 94 %, for 8 to 30 values of five distributions; with this share 93 to 96 %.
TAILS = 0.8
#: Fewer values have no 95 % interval of a median: the range of five holds it in 94 %, of three in 75 % of samples.
FEWEST = 6


def interval_words(num: int) -> str:
    """Return what an interval of a median of so many values is: "95 % bootstrap intervals", "the range of 3 seeds"."""
    return "95 % bootstrap intervals" if num >= FEWEST or num < 2 else f"the range of {num} seeds"


def median_interval(values: Float[np.ndarray, " trial"], confidence: float = 0.95) -> tuple[float, float, float]:
    """Return the median and its percentile bootstrap interval: (median, low, high); NaN if there are no values.

    Source: Efron, Bootstrap methods: another look at the jackknife, 1979. Resampled with a fixed seed: the same
    values give the same interval.
    """
    value, low, high = median_intervals(np.asarray(values)[None], confidence)[0].tolist()
    return value, low, high


def median_intervals(
    values: Float[np.ndarray, "series trial"], confidence: float = 0.95
) -> Float[np.ndarray, "series 3"]:
    """Return the median interval of each of many series of one length: (median, low, high); of few values their range.

    Infinities are numbers like others, and opposite ones average to zero: of two sides that differ without bound both
    ways neither is ahead, and NaN could not be ordered among the others.
    """
    values = np.sort(np.asarray(values, dtype=np.float64))
    if not values.shape[1]:
        return np.full((len(values), 3), np.nan)
    if values.shape[1] < FEWEST:
        return np.stack([medians(values), values[:, 0], values[:, -1]], axis=1)
    index, counts = _middle_pairs(values.shape[1])
    # Few of the resamples differ in their middle pair: each pair counts as often as it was drawn.
    candidates = _middle(values, index)
    order = np.argsort(candidates)
    below, tail = np.cumsum(counts[order], axis=1), _tail(RESAMPLES, 1 - TAILS * (1 - confidence))
    ends = [np.sum(below <= rank, axis=1, keepdims=True) for rank in (tail, RESAMPLES - 1 - tail)]
    indices = np.take_along_axis(order, np.concatenate(ends, axis=1), axis=1)
    return np.concatenate([medians(values)[:, None], np.take_along_axis(candidates, indices, axis=1)], axis=1)


def mean_intervals(
    values: Float[np.ndarray, "series value"], confidence: float = 0.95
) -> Float[np.ndarray, "series 3"]:
    """Return the mean of each of many series of one length, and its interval: (mean, low, high); of few their range.

    One value fewer than there are is drawn in each resample: few values, drawn whole, vary too little.
    """
    values = np.asarray(values, dtype=np.float64)
    if values.shape[1] < FEWEST:
        return np.stack([values.mean(axis=1), values.min(axis=1), values.max(axis=1)], axis=1)
    resampled = values[:, _resamples(values.shape[1], 1)].mean(axis=2)
    return np.array([[mean, *_ends(own, confidence)] for mean, own in zip(values.mean(axis=1), resampled, strict=True)])


def median_rank_interval(values: Float[np.ndarray, " sample"], confidence: float = 0.95) -> tuple[float, float, float]:
    """Return the median and its exact interval by binomial ranks: (median, low, high).

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


def median(values: Float[np.ndarray, " trial"]) -> float:
    """Return the median, in which infinities count: one diverged trial in ten leaves it finite, six don't."""
    return float(medians(np.asarray(values)[None])[0])


def medians(values: Float[np.ndarray, "series trial"]) -> Float[np.ndarray, " series"]:
    """Return the median of each of many series of one length."""
    values = np.sort(np.asarray(values, dtype=np.float64))
    num = values.shape[1]
    return _middle(values, np.array([[(num - 1) // 2, num // 2]]))[:, 0] if num else np.full(len(values), np.nan)


def _middle(values: np.ndarray, index: Int[np.ndarray, "pair 2"]) -> Float[np.ndarray, "series pair"]:
    """Average the two middle values picked by indices; equal infinities stay, opposite ones come to zero."""
    low, high = values[:, index[:, 0]], values[:, index[:, 1]]
    with np.errstate(invalid="ignore"):
        between = np.where(np.isinf(low) & np.isinf(high), 0.0, low / 2 + high / 2)
    return np.where(low == high, low, between)


def iqm(values: Float[np.ndarray, "*batch trial"]) -> Float[np.ndarray, "*batch"]:
    """Return the interquartile mean over the last axis: a quarter is cut off at each end, rounded down.

    Source: Agarwal et al., Deep reinforcement learning at the edge of the statistical precipice, 2021.
    """
    from scipy.stats import trim_mean

    return trim_mean(values, 0.25, axis=-1)


def iqm_interval(scores: Sequence[Float[np.ndarray, " seed"]], confidence: float = 0.95) -> tuple[float, float, float]:
    """Return the IQM of the scores of all problems and seeds, and its interval by resampling seeds in each problem.

    One seed fewer than there are is drawn in each: few seeds, drawn whole, vary too little.
    Sources: as `iqm`, section 4; Rao, Wu, Resampling inference with complex survey data, 1988.
    """
    resampled = [np.asarray(values)[_resamples(len(values), 1, stream)] for stream, values in enumerate(scores)]
    return float(iqm(np.concatenate(scores))), *_ends(iqm(np.concatenate(resampled, axis=1)), confidence)


def probability_of_improvement(
    first: Sequence[Float[np.ndarray, " seed"]], second: Sequence[Float[np.ndarray, " seed"]], confidence: float = 0.95
) -> tuple[float, float, float]:
    """Return the probability that the first is better on a random problem, ties counted half, and its interval.

    Both hold one array per problem; seeds are resampled in each, as in `iqm_interval`.
    Source: as `iqm`, section 4.3.
    """
    # Not by the sign of a difference: two diverged trials are a tie.
    shares = [(a[:, None] < b) + (a[:, None] == b) / 2 for a, b in zip(first, second, strict=True)]
    counts = [(_counts(len(share), 2 * k), _counts(share.shape[1], 2 * k + 1)) for k, share in enumerate(shares)]
    resampled = [
        np.sum((a @ share) * b, axis=1) / (a[0].sum() * b[0].sum())
        for (a, b), share in zip(counts, shares, strict=True)
    ]
    return float(np.mean([np.mean(share) for share in shares])), *_ends(np.mean(resampled, axis=0), confidence)


@lru_cache(8)
def _middle_pairs(num: int) -> tuple[np.ndarray, np.ndarray]:
    """Return the two middle indices of the resamples of `num` sorted values: (distinct pairs, count of each)."""
    pairs = np.sort(_resamples(num), axis=1)[:, [(num - 1) // 2, num // 2]]
    return np.unique(pairs, axis=0, return_counts=True)


def _resamples(num: int, fewer: int = 0, stream: int = 0) -> np.ndarray:
    """Return the indices [resample, draw] of resamples of `num` values, each by so many fewer, but at least one."""
    return np.random.default_rng(stream).integers(num, size=(RESAMPLES, max(num - fewer, 1)))


def _counts(num: int, stream: int) -> Float[np.ndarray, "resample seed"]:
    """Return how often each seed is in each resample of one seed fewer than there are."""
    indices = _resamples(num, 1, stream)
    return np.stack([np.sum(indices == seed, axis=1) for seed in range(num)], axis=1).astype(float)


def _ends(estimates: Float[np.ndarray, " resample"], confidence: float) -> tuple[float, float]:
    """Return the ends of a percentile interval; by rank, since interpolating towards an infinite value gives NaN."""
    estimates, tail = np.sort(estimates), _tail(len(estimates), confidence)
    return float(estimates[tail]), float(estimates[len(estimates) - 1 - tail])


def _tail(num: int, confidence: float) -> int:
    """Return the number of resamples, of `num`, outside each end of an interval."""
    return int((1 - confidence) / 2 * num)
