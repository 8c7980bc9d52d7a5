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


def median_interval(values: Float[np.ndarray, " trial"], confidence: float = 0.95) -> tuple[float, float, float]:
    """Compute a median and its percentile bootstrap interval: (median, low, high); NaN where there are no values.

    Source: Efron, Bootstrap methods: another look at the jackknife, 1979. Resampled with a fixed seed: the same
    values give the same interval.
    """
    middle, low, high = median_intervals(np.asarray(values)[None], confidence)[0].tolist()
    return middle, low, high


def median_intervals(
    values: Float[np.ndarray, "series trial"], confidence: float = 0.95
) -> Float[np.ndarray, "series 3"]:
    """Compute `median_interval` of many series of one length: (median, low, high) of each.

    Infinities are numbers like others, and opposite ones average to zero: of two sides that differ without bound both
    ways neither is ahead, and NaN could not be ordered among the others.
    """
    values = np.sort(np.asarray(values, dtype=np.float64))
    if not values.shape[1]:
        return np.full((len(values), 3), np.nan)
    index, counts = _middles(values.shape[1])
    # Few of the resamples differ in their middle: their ends are found without laying out all of them.
    middles = _middle(values, index)
    order = np.argsort(middles)
    below, tail = np.cumsum(counts[order], axis=1), _tail(RESAMPLES, 1 - TAILS * (1 - confidence))
    ends = [np.sum(below <= rank, axis=1, keepdims=True) for rank in (tail, RESAMPLES - 1 - tail)]
    places = np.take_along_axis(order, np.concatenate(ends, axis=1), axis=1)
    return np.concatenate([medians(values)[:, None], np.take_along_axis(middles, places, axis=1)], axis=1)


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
    return float(medians(np.asarray(values)[None])[0])


def medians(values: Float[np.ndarray, "series trial"]) -> Float[np.ndarray, " series"]:
    """Compute `median` of many series of one length."""
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
    """Average the middle half, over the last axis: a quarter is cut off at each end, rounded down.

    Source: Agarwal et al., Deep reinforcement learning at the edge of the statistical precipice, 2021.
    """
    from scipy.stats import trim_mean

    return trim_mean(values, 0.25, axis=-1)


def iqm_interval(scores: Sequence[Float[np.ndarray, " seed"]], confidence: float = 0.95) -> tuple[float, float, float]:
    """Compute the IQM of finite scores of all problems and seeds, and its interval by resampling seeds in each problem.

    One seed fewer than there are is drawn in each: few seeds, drawn whole, vary too little.
    Sources: as `iqm`, section 4; Rao, Wu, Resampling inference with complex survey data, 1988.
    """
    drawn = [np.asarray(one)[_resamples(len(one), 1, stream)] for stream, one in enumerate(scores)]
    return float(iqm(np.concatenate(scores))), *_ends(iqm(np.concatenate(drawn, axis=1)), confidence)


def probability_of_improvement(
    first: Sequence[Float[np.ndarray, " seed"]], second: Sequence[Float[np.ndarray, " seed"]], confidence: float = 0.95
) -> tuple[float, float, float]:
    """Estimate how likely the first of two is better on a problem drawn at random, ties counted half.

    Both hold one array per problem; seeds are resampled in each, as in `iqm_interval`.
    Source: as `iqm`, section 4.3.
    """
    # Not by the sign of a difference: two diverged trials are a tie.
    shares = [(a[:, None] < b) + (a[:, None] == b) / 2 for a, b in zip(first, second, strict=True)]
    counts = [(_counts(len(share), 2 * k), _counts(share.shape[1], 2 * k + 1)) for k, share in enumerate(shares)]
    drawn = [
        np.sum((a @ share) * b, axis=1) / (a[0].sum() * b[0].sum())
        for (a, b), share in zip(counts, shares, strict=True)
    ]
    return float(np.mean([np.mean(share) for share in shares])), *_ends(np.mean(drawn, axis=0), confidence)


def expected_best(values: Float[np.ndarray, " point"], ks: Sequence[int]) -> Float[np.ndarray, " k"]:
    """Compute the expected smallest of k values drawn without replacement, averaged over all subsets: unbiased.

    Source: Dodge et al., Show your work: improved reporting of experimental results, 2019; the estimator without
    replacement: Tang et al., Showing your work doesn't always work, 2020.
    """
    return np.sort(np.asarray(values, dtype=np.float64)) @ _best_weights(len(values), ks)


def expected_best_interval(
    values: Float[np.ndarray, " point"], ks: Sequence[int], confidence: float = 0.95
) -> tuple[Float[np.ndarray, " k"], Float[np.ndarray, " k"]]:
    """Bootstrap the interval of `expected_best` over the points: (low, high), one number per k."""
    values, weights = np.sort(np.asarray(values, dtype=np.float64)), _best_weights(len(values), ks)
    random = np.random.default_rng(0)
    draws = (np.sort(random.integers(len(values), size=len(values))) for _ in range(RESAMPLES // 4))
    drawn = np.sort([values[index] @ weights for index in draws], axis=0)
    tail = int((1 - confidence) / 2 * len(drawn))
    return drawn[tail], drawn[len(drawn) - 1 - tail]


def _best_weights(num: int, ks: Sequence[int]) -> Float[np.ndarray, "point k"]:
    """Compute how likely the i-th smallest of `num` values is the smallest of k: C(num - i, k - 1) / C(num, k)."""
    if not all(1 <= k <= num for k in ks):
        raise ValueError(f"k: {list(ks)} is not accepted; accepted: from 1 to {num}")
    place, k = np.arange(1, num)[:, None], np.asarray(ks)
    steps = np.maximum(num - place - k + 1, 0) / (num - place)
    return np.concatenate([k / num * np.ones((1, len(k))), k / num * np.cumprod(steps, axis=0)])


def expected_running_time(steps: Float[np.ndarray, " trial"], spent: Float[np.ndarray, " trial"]) -> float:
    """Compute the expected steps until a target is met when failed trials are tried again: all steps over successes.

    `steps` are infinite where a trial missed it, `spent` what it took then; infinity where all missed.
    Source: Hansen et al., COCO: performance assessment, 2016, section 4.
    """
    met = np.isfinite(steps)
    return float(np.sum(np.where(met, steps, spent)) / np.sum(met)) if met.any() else float("inf")


def performance_profile(
    times: Float[np.ndarray, "problem optimizer"], factors: Float[np.ndarray, " factor"]
) -> Float[np.ndarray, "factor optimizer"]:
    """Compute the share of problems that each optimizer solves within a factor of the fastest one's time.

    Source: Dolan, More, Benchmarking optimization software with performance profiles, 2002.
    """
    fastest = np.min(times, axis=1, keepdims=True)
    within = times <= np.asarray(factors)[:, None, None] * fastest
    return np.mean(within & np.isfinite(times), axis=1)


def geometric_mean(ratios: Float[np.ndarray, " problem"]) -> float:
    """Average ratios so that twice as fast here and half as fast there come to one; NaN of none."""
    return float(np.exp(np.mean(np.log(ratios)))) if len(ratios) else float("nan")


def batch_scaling(
    batch_sizes: Float[np.ndarray, " size"], steps: Float[np.ndarray, "*batch size"]
) -> Float[np.ndarray, "*batch 2"]:
    """Fit steps = S_min + E_min / batch size to steps to a target, by least squares of the ratio: (S_min, E_min).

    S_min is the fewest steps at any batch size, E_min the fewest examples, both at least 0, and E_min / S_min the
    critical batch size, where both are twice their least.
    Source: McCandlish et al., An empirical model of large-batch training, 2018, section 2.3.
    """
    one = 1 / steps
    x, y = one, one / batch_sizes
    # Normal equations of two unknowns, for all resamples at once; where one comes out negative, the other alone is fit.
    xx, yy, xy = (np.sum(a * b, axis=-1) for a, b in ((x, x), (y, y), (x, y)))
    sx, sy = np.sum(x, axis=-1), np.sum(y, axis=-1)
    with np.errstate(invalid="ignore", divide="ignore"):
        fewest_steps = (yy * sx - xy * sy) / (xx * yy - xy**2)
        fewest_examples = (xx * sy - xy * sx) / (xx * yy - xy**2)
    fitted = np.stack([fewest_steps, fewest_examples], axis=-1)
    # Perfect scaling leaves a remainder of rounding.
    no_steps, no_examples = (share < 1e-9 for share in (fewest_steps * x[..., -1], fewest_examples * y[..., 0]))
    fitted = np.where(no_steps[..., None], np.stack([0 * sy, sy / yy], axis=-1), fitted)
    return np.where(no_examples[..., None], np.stack([sx / xx, 0 * sx], axis=-1), fitted)


@lru_cache(8)
def _middles(num: int) -> tuple[np.ndarray, np.ndarray]:
    """Draw resamples of so many values, and keep the two places in the middle of each: (places, how often drawn)."""
    middles = np.sort(_resamples(num), axis=1)[:, [(num - 1) // 2, num // 2]]
    return np.unique(middles, axis=0, return_counts=True)


def _resamples(num: int, fewer: int = 0, stream: int = 0) -> np.ndarray:
    """Draw places of `num` values, or of so many fewer, but at least one."""
    return np.random.default_rng(stream).integers(num, size=(RESAMPLES, max(num - fewer, 1)))


def _counts(num: int, stream: int) -> Float[np.ndarray, "resample seed"]:
    """Count how often each seed is drawn, one fewer than there are."""
    drawn = _resamples(num, 1, stream)
    return np.stack([np.sum(drawn == seed, axis=1) for seed in range(num)], axis=1).astype(float)


def _ends(drawn: Float[np.ndarray, " resample"], confidence: float) -> tuple[float, float]:
    """Take the ends of a percentile interval; by rank, since interpolating towards an infinite value gives NaN."""
    drawn, tail = np.sort(drawn), _tail(len(drawn), confidence)
    return float(drawn[tail]), float(drawn[len(drawn) - 1 - tail])


def _tail(num: int, confidence: float) -> int:
    """Count how many of so many lie outside each end of an interval."""
    return int((1 - confidence) / 2 * num)
