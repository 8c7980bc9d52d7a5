"""Final values of the points of a cell's grid, by their settings, and of its tuned optimizer."""

from collections.abc import Sequence
from typing import NamedTuple

import numpy as np
from jaxtyping import Float

from optbench.analyse.outcomes import Outcomes, Slice, missing_metric, outcomes, tuned
from optbench.analyse.series import gap_of
from optbench.analyse.statistics import median, median_interval
from optbench.analyse.trials import direction, is_higher_better
from optbench.store.parts import Part


class Point(NamedTuple):
    """The best of all points that share some settings; `value` is infinite if most of its seeds diverged."""

    settings: tuple[float, ...]
    value: float
    #: Whether it is the point that the run chose.
    chosen: bool


def points(part: Part, metric: str, names: Sequence[str], view: Slice) -> list[Point]:
    """Return the best point for each combination of some hyperparameters, by its median over the selection seeds.

    Raises ValueError if the selection trials are not stored, or lack the metric.
    """
    trials = outcomes(part, "select", view, _aim(metric))
    costs, sign = _costs(trials, part, metric, "select")
    medians = ranked = np.array([_known_median(values) for values in costs.T])
    if direction(metric, part.results) is None:
        # A metric without a better side chooses no point: the loss does.
        ranked = np.array([median(values) for values in _costs(trials, part, "train_loss", "select")[0].T])
    settings = [trials.settings.get(name, np.zeros(len(medians))) for name in names]
    best: dict[tuple[float, ...], int] = {}
    # Of several that reached the optimum, the one that the run chose.
    order = sorted(
        range(len(medians)), key=lambda index: (ranked[index], trials.points[index] != part.results.best_point)
    )
    for index in order:
        best.setdefault(tuple(float(values[index]) for values in settings), index)
    chosen = part.results.best_point
    return [
        Point(combination, _metric_value(float(medians[index]), sign), bool(trials.points[index] == chosen))
        for combination, index in sorted(best.items())
    ]


def initial_value(part: Part, metric: str, view: Slice) -> float:
    """Return the median over seeds of a training metric before the first update.

    Raises ValueError if the trials are not stored.
    """
    trials = tuned(part, view)
    return median(gap_of(trials.start[:, 0], part, metric, trials.dtype))


def tuned_end(part: Part, metric: str, view: Slice) -> tuple[float, float, float]:
    """Return the tuned optimizer's final median over seeds, and its interval: (median, low, high).

    It is infinite if most seeds diverged. Raises ValueError if the trials are not stored, or lack the metric.
    """
    trials = tuned(part, view, _aim(metric), metric)
    costs, sign = _costs(trials, part, metric, "report" if part.record.report_seeds else "select")
    known = costs[~np.isnan(costs)] if np.isfinite(_known_median(costs[:, 0])) else np.full(1, np.inf)
    value, low, high = (_metric_value(value, sign) for value in median_interval(known))
    return (value, low, high) if sign > 0 else (value, high, low)


def tuned_steps(part: Part, view: Slice) -> tuple[float, float, float] | None:
    """Return the median steps to the first target and its interval, (median, low, high); None without a target.

    Raises ValueError if the trials are not stored.
    """
    steps_to = tuned(part, view, metric="steps_to_target").steps_to
    return median_interval(next(iter(steps_to.values()))[:, 0]) if steps_to else None


def _aim(metric: str) -> dict[str, tuple[str, float]]:
    """Return a target on a metric, since outcomes hold the metrics that steps are counted to."""
    return {metric: ("train_loss" if metric == "gap" else metric, 0.0)}


def _costs(trials: Outcomes, part: Part, metric: str, phase: str) -> tuple[Float[np.ndarray, "seed point"], float]:
    """Return a metric as a cost of each trial, and the metric's sign.

    A trial that diverged costs infinity, or NaN of a metric without a better side. Raises ValueError if the trials lack
    the metric at the step that is looked at.
    """
    values = trials.ends.get("train_loss" if metric == "gap" else metric)
    ended = ~trials.diverged
    if values is None or (ended.any() and np.isnan(values[ended]).all()):
        raise missing_metric(part, phase, metric)
    sign = -1.0 if is_higher_better(metric, part.results) else 1.0
    lost = np.nan if direction(metric, part.results) is None else np.inf
    return np.where(trials.diverged, lost, sign * gap_of(values, part, metric, trials.dtype)), sign


def _known_median(costs: Float[np.ndarray, " seed"]) -> float:
    """Return the median of the costs that are not NaN; infinite if most of them are."""
    known = costs[~np.isnan(costs)]
    return median(known) if 2 * len(known) > len(costs) else np.inf


def _metric_value(cost: float, sign: float) -> float:
    return cost if np.isinf(cost) else sign * cost
