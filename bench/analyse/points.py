"""Where the points of a cell's grid ended, by their settings, and where its tuned optimizer did."""

from collections.abc import Sequence
from typing import NamedTuple

import numpy as np
from jaxtyping import Float

from optbench.analyse.outcomes import Outcomes, Slice, outcomes, tuned
from optbench.analyse.series import gap_of
from optbench.analyse.statistics import median, median_interval
from optbench.analyse.trials import is_higher_better
from optbench.store.parts import Part


class Point(NamedTuple):
    """The best of all points that share some settings; `value` is infinite where most of its seeds diverged."""

    settings: tuple[float, ...]
    value: float
    #: It is the point that the run chose.
    chosen: bool


def points(part: Part, metric: str, names: Sequence[str], view: Slice) -> list[Point]:
    """Take the best point for each combination of some hyperparameters, by its median over the selection seeds."""
    found = outcomes(part, "select", view, _aim(metric))
    costs, sign = _costs(found, part, metric)
    middle = np.array([median(trials) for trials in costs.T])
    settings = [found.settings.get(name, np.zeros(len(middle))) for name in names]
    best: dict[tuple[float, ...], int] = {}
    # Of several that reached the optimum, the one that the run chose.
    order = sorted(range(len(middle)), key=lambda at: (middle[at], found.points[at] != part.results.best_point))
    for place in order:
        best.setdefault(tuple(float(values[place]) for values in settings), place)
    chosen = part.results.best_point
    return [
        Point(combination, _shown(float(middle[place]), sign), bool(found.points[place] == chosen))
        for combination, place in sorted(best.items())
    ]


def begun(part: Part, metric: str, view: Slice) -> float:
    """Take the median of a training metric before the first update."""
    found = tuned(part, view)
    return median(gap_of(found.start[:, 0], part, metric, found.dtype))


def tuned_end(part: Part, metric: str, view: Slice) -> tuple[float, float, float]:
    """Take the median of where the tuned optimizer ended, and its interval; infinite where most seeds diverged."""
    found = tuned(part, view, _aim(metric))
    costs, sign = _costs(found, part, metric)
    middle, low, high = (_shown(value, sign) for value in median_interval(costs[:, 0]))
    return (middle, low, high) if sign > 0 else (middle, high, low)


def tuned_steps(part: Part, view: Slice) -> tuple[float, float, float] | None:
    """Take the median of the steps to the first target, and its interval; None where there is no target."""
    found = tuned(part, view).steps_to
    return median_interval(next(iter(found.values()))[:, 0]) if found else None


def _aim(metric: str) -> dict[str, tuple[str, float]]:
    """Ask for a metric that not every table shows: outcomes hold what steps are counted to."""
    return {metric: ("train_loss" if metric == "gap" else metric, 0.0)}


def _costs(found: Outcomes, part: Part, metric: str) -> tuple[Float[np.ndarray, "seed point"], float]:
    """Take a metric as a cost, infinite where a trial diverged, and its sign."""
    values = found.ends["train_loss" if metric == "gap" else metric]
    sign = -1.0 if is_higher_better(metric, part.results) else 1.0
    return np.where(found.diverged, np.inf, sign * gap_of(values, part, metric, found.dtype)), sign


def _shown(cost: float, sign: float) -> float:
    return cost if np.isinf(cost) else sign * cost
