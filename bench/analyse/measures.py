"""Measures of optimizers over problems, as pure functions; lower is better, and infinity stands for a miss."""

from collections.abc import Sequence

import numpy as np
from jaxtyping import Float

from optbench.analyse.statistics import RESAMPLES


def profile_score(ratios: Float[np.ndarray, " problem"], largest: float = 4.0) -> float:
    """Return the area under a performance profile from 1 to `largest`, as a share of that range.

    `ratios` are times over those of the fastest optimizer on each problem, infinite for a miss. The profile at t is the
    share of problems with a ratio of at most t, so its integral is the mean of what each leaves of the range.
    Sources: Dolan, More, Benchmarking optimization software with performance profiles, 2002; Dahl et al., Benchmarking
    Neural Network Training Algorithms, 2023, section 4.2.
    """
    return float(np.mean(np.clip((largest - ratios) / (largest - 1), 0, 1)))


def performance_profile(
    times: Float[np.ndarray, "problem optimizer"], factors: Float[np.ndarray, " factor"]
) -> Float[np.ndarray, "factor optimizer"]:
    """Return the share of problems that each optimizer solves within a factor of the fastest one's time.

    Source: Dolan, More, Benchmarking optimization software with performance profiles, 2002.
    """
    fastest = np.min(times, axis=1, keepdims=True)
    within = times <= np.asarray(factors)[:, None, None] * fastest
    return np.mean(within & np.isfinite(times), axis=1)


def geometric_mean(ratios: Float[np.ndarray, " problem"]) -> float:
    """Return the geometric mean of ratios, in which twice and half as fast come to one; NaN of none."""
    return float(np.exp(np.mean(np.log(ratios)))) if len(ratios) else float("nan")


def expected_running_time(steps: Float[np.ndarray, " trial"], spent: Float[np.ndarray, " trial"]) -> float:
    """Return the expected steps until a target is met if failed trials are repeated: all steps over successes.

    `steps` are infinite if a trial missed it, and `spent` are the steps it took then; infinity if all missed.
    Source: Hansen et al., COCO: performance assessment, 2016, section 4.
    """
    met = np.isfinite(steps)
    return float(np.sum(np.where(met, steps, spent)) / np.sum(met)) if met.any() else float("inf")


def expected_best(values: Float[np.ndarray, " point"], ks: Sequence[int]) -> Float[np.ndarray, " k"]:
    """Return the expected smallest of k values drawn without replacement: the mean over all subsets, unbiased.

    Raises ValueError for a k below 1 or above the number of values.
    Source: Dodge et al., Show your work: improved reporting of experimental results, 2019; the estimator without
    replacement: Tang et al., Showing your work doesn't always work, 2020.
    """
    return np.sort(np.asarray(values, dtype=np.float64)) @ _best_weights(len(values), ks)


def expected_best_interval(
    values: Float[np.ndarray, " point"], ks: Sequence[int], confidence: float = 0.95
) -> tuple[Float[np.ndarray, " k"], Float[np.ndarray, " k"]]:
    """Return the bootstrap interval of `expected_best` over the points: (low, high), one number per k.

    Raises ValueError for a k below 1 or above the number of values.
    """
    values, weights = np.sort(np.asarray(values, dtype=np.float64)), _best_weights(len(values), ks)
    random = np.random.default_rng(0)
    draws = (np.sort(random.integers(len(values), size=len(values))) for _ in range(RESAMPLES // 4))
    estimates = np.sort([values[index] @ weights for index in draws], axis=0)
    tail = int((1 - confidence) / 2 * len(estimates))
    return estimates[tail], estimates[len(estimates) - 1 - tail]


def _best_weights(num: int, ks: Sequence[int]) -> Float[np.ndarray, "point k"]:
    """Return how likely the i-th smallest of `num` values is the smallest of k: C(num - i, k - 1) / C(num, k).

    Raises ValueError for a k below 1 or above `num`.
    """
    if not all(1 <= k <= num for k in ks):
        raise ValueError(f"k: {list(ks)} is not accepted; accepted: from 1 to {num}")
    rank, k = np.arange(1, num)[:, None], np.asarray(ks)
    steps = np.maximum(num - rank - k + 1, 0) / (num - rank)
    return np.concatenate([k / num * np.ones((1, len(k))), k / num * np.cumprod(steps, axis=0)])


def batch_scaling(
    batch_sizes: Float[np.ndarray, " size"], steps: Float[np.ndarray, "*batch size"]
) -> Float[np.ndarray, "*batch 2"]:
    """Return the fit of steps = S_min + E_min / batch size, by least squares of the ratio: (S_min, E_min).

    S_min is the fewest steps at any batch size, E_min the fewest examples, both at least 0, and E_min / S_min the
    critical batch size, where both are twice their least.
    Source: McCandlish et al., An empirical model of large-batch training, 2018, section 2.3.
    """
    inverse = 1 / steps
    x, y = inverse, inverse / batch_sizes
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
