"""Whether a difference is significant: paired tests, corrections and verdicts; pure functions, lower is better.

A difference is A minus B on the same seed; one that is infinite (one of the two diverged) keeps its sign and outranks
all others. scipy.stats is imported where it is used: it takes 0.7 s, more than a table that needs none may.
"""

import warnings
from collections.abc import Sequence
from math import ceil, inf, isfinite, log2, sqrt
from typing import Any, NamedTuple

import numpy as np
from jaxtyping import Float

from optbench.analyse.statistics import median_interval

#: Of the comparisons that are called different, at most this share is of equals.
LEVEL = 0.05
#: Seeds are enough where a verdict needs no more than this share of the comparisons to differ, or one of them.
FEW_DIFFER = 0.1
#: Seeds of which all signs are tried: 2^13 sums.
MOST_SIGNS = 13
#: Nobody runs more seeds than that: the difference is too small to matter at this noise.
MOST_SEEDS = 1000


class Judgement(NamedTuple):
    """The verdict on A against B on one problem, with the statistics it follows from."""

    #: Median of the paired differences, with a 95 % bootstrap interval.
    difference: float
    low: float
    high: float
    #: Of Wilcoxon's signed-rank test, corrected for the number of comparisons; None where nothing is random.
    p_value: float | None
    #: "better", "worse", "equal" or "undecided"
    verdict: str
    #: Seeds that would probably decide an undecided one; infinity for more than MOST_SEEDS.
    seeds_needed: float | None


def judge(
    differences: Sequence[Float[np.ndarray, " seed"]],
    margins: Sequence[float],
    random: Sequence[bool] | None = None,
    level: float = LEVEL,
) -> list[Judgement]:
    """Judge A against B in all comparisons that are shown together, from the paired differences [seed] of each.

    Equal: the interval lies within plus and minus the margin. Better or worse: the corrected p-value is at most the
    level and the interval excludes zero; both, since at few seeds each alone errs a little more often than it says.
    With so few seeds that no test could decide, the verdict is undecided. Where nothing is `random` all seeds are
    one trial: there is nothing to test or to correct, and the margin alone decides.
    """
    tested = [True] * len(differences) if random is None else random
    pairs = zip(differences, tested, strict=True)
    corrected = false_discovery([wilcoxon_p(values) for values, is_random in pairs if is_random])
    # A further comparison is decided once its own p-value is as low as this.
    joining = level * min(sum(p <= level for p in corrected) + 1, len(corrected)) / max(len(corrected), 1)
    remaining = iter(corrected)
    return [
        _judgement(np.asarray(values), margin, next(remaining), level, joining)
        if is_random
        else _certain(float(values[0]), margin)
        for values, margin, is_random in zip(differences, margins, tested, strict=True)
    ]


def _certain(difference: float, margin: float) -> Judgement:
    verdict = "equal" if abs(difference) <= margin else "better" if difference < 0 else "worse"
    return Judgement(difference, difference, difference, None, verdict, None)


def _judgement(values: Float[np.ndarray, " seed"], margin: float, p: float, level: float, joining: float) -> Judgement:
    difference, low, high = median_interval(values)
    verdict = "undecided"
    if len(values) >= fewest_seeds(level):
        if -margin <= low and high <= margin:
            verdict = "equal"
        elif p <= level and (high < 0 or low > 0):
            verdict = "better" if high < 0 else "worse"
    if verdict != "undecided":
        return Judgement(difference, low, high, p, verdict, None)
    different = seeds_needed(values, joining)
    equal = _seeds_to_be_equal(len(values), difference, low, high, margin, level)
    return Judgement(difference, low, high, p, verdict, min(different, equal))


def _seeds_to_be_equal(num: int, difference: float, low: float, high: float, margin: float, level: float) -> float:
    """Estimate the seeds at which the interval, which shrinks with their root, would lie within the margin."""
    if abs(difference) > margin or (high > low and abs(difference) == margin) or not isfinite(high - low):
        return inf
    shrunk = ((high - low) / 2 / (margin - abs(difference))) ** 2 if high > low else 0.0
    needed = max(ceil(num * shrunk), fewest_seeds(level), num + 1)
    return float(needed) if needed <= MOST_SEEDS else inf


def fewest_seeds(level: float = LEVEL) -> int:
    """Count the seeds below which no signed-rank test can reach a level, since all signs agree in 2 of 2^n cases."""
    return ceil(log2(2 / level))


def too_few_seeds(num_seeds: int, num: int, things: str = "comparison") -> str:
    """Return why so many seeds can decide too little over a number of comparisons; "" where they are enough.

    They are enough if a verdict needs only one of the comparisons, or one in ten, to differ: the correction takes a
    p-value of at most the level times the share of comparisons that come out at least as low.
    """
    over = f"{num} {things}{'' if num == 1 else 's'}"
    if num_seeds < fewest_seeds():
        seeds = "1 seed is" if num_seeds == 1 else f"{num_seeds} seeds are"
        return f"{seeds} too few for any verdict on {over}: a test at 5 % needs at least {fewest_seeds()}"
    few, differing = max(1.0, FEW_DIFFER * num), ceil(num * 2 / 2**num_seeds / LEVEL)
    if differing <= few:
        return ""
    enough = fewest_seeds(LEVEL * few / num)
    return (
        f"{num_seeds} seeds are few for {over}: none is called better or worse unless {differing} of them differ "
        f"clearly (with {enough} seeds, {ceil(num * 2 / 2**enough / LEVEL)})"
    )


def wilcoxon_p(differences: Float[np.ndarray, " seed"]) -> float:
    """Return the two-sided p-value that paired differences are centred at zero; 1 if all of them are zero.

    Exact up to 50 seeds without ties, by all signs up to MOST_SIGNS with ties, else by a normal approximation.
    Source: Wilcoxon, Individual comparisons by ranking methods, 1945.
    """
    from scipy.stats import wilcoxon

    differences = np.asarray(differences, dtype=np.float64)
    nonzero = differences[differences != 0]
    if not len(nonzero):
        return 1.0
    if len({*np.abs(nonzero).tolist()}) < len(differences) <= MOST_SIGNS:
        return _all_signs_p(nonzero)
    with warnings.catch_warnings():
        # Where ties leave few ranks, scipy warns that its normal approximation is one.
        warnings.simplefilter("ignore")
        result: Any = wilcoxon(differences)
    return float(result.pvalue)


def _all_signs_p(differences: Float[np.ndarray, " seed"]) -> float:
    """Return the p-value of the signed-rank sum among those of all signs, of which scipy's takes a quarter second."""
    from scipy.stats import rankdata

    # Twice the ranks, which ties halve, so that sums are exact.
    ranks = (2 * rankdata(np.abs(differences))).astype(int)
    signs = (np.arange(2 ** len(ranks))[:, None] >> np.arange(len(ranks))) & 1
    sums, own = signs @ ranks, int(ranks[differences > 0].sum())
    return float(min(1.0, 2 * min(np.mean(sums <= own), np.mean(sums >= own))))


def false_discovery(p_values: Sequence[float]) -> list[float]:
    """Return p-values corrected so that at most a share of the level of all rejections is false.

    Where all are equal, that bounds the chance of any false rejection, as Holm's correction does. Holm's also bounds it
    where some differ, and finds next to nothing then: ten seeds have no p-value below 2 / 2^10, so that over 43
    problems it can't reject at all. Simulated with ten seeds and verdicts as `judge` gives them, 22 of 43 problems
    differing by one (two) standard deviations of a difference: Holm finds none (none) of them, this 51 % (99.7 %),
    and 2.3 % (2.1 %) of what it calls different is equal; with 4 of 43 by two, 91 % and 3.2 %. All equal: some verdict
    in at most 5 % of studies, of 1 to 387 comparisons, also where all share one of their sides.
    Source: Benjamini, Hochberg, Controlling the false discovery rate, 1995.
    """
    values = np.asarray(p_values, dtype=np.float64)
    order = np.argsort(values, kind="stable")[::-1]
    scaled = values[order] * len(values) / np.arange(len(values), 0, -1)
    corrected = np.empty_like(values)
    corrected[order] = np.minimum(np.minimum.accumulate(scaled), 1)
    return corrected.tolist()


def seeds_needed(differences: Float[np.ndarray, " seed"], level: float = LEVEL, power: float = 0.8) -> float:
    """Return an estimate of the seeds that a signed-rank test would need to tell these differences from zero.

    From the share of pairs of differences with a positive sum; infinity beyond MOST_SEEDS. A rough number, since it
    takes the effect that was seen for the true one. Where all signs agree it is the fewest seeds that can tell.
    Source: Noether, Sample size determination for some common nonparametric tests, 1987.
    """
    from scipy.stats import norm

    values = np.sort(np.asarray(differences, dtype=np.float64))
    first, second = np.triu_indices(len(values), k=0 if len(values) == 1 else 1)
    with np.errstate(invalid="ignore"):
        sums = np.nan_to_num(values[first] + values[second], nan=0.0, posinf=inf, neginf=-inf)
    share = np.mean(sums > 0) + np.mean(sums == 0) / 2
    if share == 0.5:
        return inf
    estimate = (norm.isf(level / 2) + norm.isf(1 - power)) ** 2 / (3 * (share - 0.5) ** 2) if 0 < share < 1 else 0
    needed = max(ceil(estimate), fewest_seeds(level), len(values) + 1)
    return float(needed) if needed <= MOST_SEEDS else inf


def friedman_p(ranks: Float[np.ndarray, "problem optimizer"]) -> float:
    """Return the p-value that optimizers rank alike over problems; NaN for under three optimizers or two problems.

    By chi squared, corrected for ties. The ranks of a problem need not be 1, 2, ...: those that share a place may take
    one.
    Source: Friedman, The use of ranks to avoid the assumption of normality implicit in the analysis of variance, 1937.
    """
    from scipy.stats import chi2

    num_problems, num_optimizers = ranks.shape
    if num_optimizers < 3 or num_problems < 2:
        return float("nan")
    if np.all(ranks == ranks[:, :1]):
        return 1.0
    centred = ranks - ranks.mean(axis=1, keepdims=True)
    statistic = (num_optimizers - 1) * np.sum(centred.sum(axis=0) ** 2) / np.sum(centred**2)
    return float(chi2.sf(statistic, num_optimizers - 1))


def critical_difference(num_optimizers: int, num_problems: int, level: float = LEVEL) -> float:
    """Return how far two mean ranks must lie apart to differ, over all pairs of optimizers.

    Source: Nemenyi, Distribution-free multiple comparisons, 1963; Demsar, Statistical comparisons of classifiers over
    multiple data sets, 2006, section 3.2.2.
    """
    from scipy.stats import studentized_range

    quantile = float(studentized_range.isf(level, num_optimizers, inf)) / sqrt(2)
    return quantile * sqrt(num_optimizers * (num_optimizers + 1) / (6 * num_problems))
