"""Studies: independent tunings of one optimizer, each with learning rates of its own and seeds of its own.

What tuning brings depends on where its grid happens to lie and on the seeds that choose, so a run tunes several times:
study s chooses among the grid's points with its learning rates shifted by a share of a step that is its own, the same
for every optimizer, and reports what it chose on fresh seeds. Source: Bouthillier et al., Accounting for variance in
machine learning benchmarks, 2021, which asks for all sources of variance to be varied together.

Studies share nothing but the data, so of two copies of one optimizer either may come first in each: a signed-rank test
over studies is exact, however few points and seeds they choose by. Studies drawn from one pool of trials would be
cheaper, but share the luck of its seeds. Of 40 studies of 16 points (adamw, sgd_momentum and lion on mlp,
noisy_quadratic and logistic_regression), one selection seed gave the same medians as two or three, within 3 % by the
validation loss; by the train loss a second one takes away outliers: log10 of adamw's results on mlp spread by 0.37 with
one, 0.21 with two and 0.22 with three.
"""

from collections.abc import Mapping, Sequence
from random import Random
from typing import Any

#: What is shifted, where it is a range.
RATE = "learning_rate"


def shifts(num_studies: int, seed: int) -> tuple[float, ...]:
    """Return each study's shift as a share of a step of its grid, in [-0.5, 0.5).

    Together they cover the step evenly, so that no optimizer lives by where its grid lies. The first study's is 0; the
    others are in an order that depends on the seed.
    """
    shares = [index / num_studies - (1 if 2 * index >= num_studies else 0) for index in range(1, num_studies)]
    Random(seed).shuffle(shares)
    return (0.0, *shares)


def study_points(
    points: Sequence[Mapping[str, Any]], num_studies: int, seed: int, has_range: bool
) -> list[list[dict[str, Any]]]:
    """Return the points of each study [study][point]: those of the grid, with their learning rates shifted.

    They are shifted only where `has_range` says that the rates were asked for as a range, and not one by one.
    """
    rates = sorted({point[RATE] for point in points if point[RATE] > 0}) if has_range else []
    if len(rates) < 2:
        return [[dict(point) for point in points] for _ in range(num_studies)]
    step = (rates[-1] / rates[0]) ** (1 / (len(rates) - 1))
    factors = [step**share for share in shifts(num_studies, seed)]
    return [[{**point, RATE: _shifted(point[RATE], factor)} for point in points] for factor in factors]


def _shifted(rate: float, factor: float) -> float:
    # Six digits, so that a rate can be typed again.
    return rate if factor == 1 else float(f"{rate * factor:.6g}")
