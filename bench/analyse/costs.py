"""What is compared: one metric of a cell, by seed, as a cost; lower is better, and 0 cannot be beaten."""

from math import comb, inf
from typing import Any, NamedTuple

import numpy as np
from jaxtyping import Float, Int

from optbench.analyse.objective import objective, rounding, start_of
from optbench.analyse.outcomes import Outcomes, Slice, outcomes, targets_of, tuned
from optbench.analyse.statistics import median
from optbench.analyse.trials import is_higher_better
from optbench.store.parts import Part
from optbench.store.trials import measured_columns

METRICS = ("train_loss", "gap", "test_loss", "test_accuracy", "steps_to_target", "time_to_target")


class Costs(NamedTuple):
    """One cell's metric by seed."""

    metric: str
    seeds: Int[np.ndarray, " seed"]
    cost: Float[np.ndarray, " seed"]
    #: What is shown is `offset + sign * cost`.
    offset: float
    sign: float
    #: The cost of not having begun, or of the whole budget.
    start: float
    #: The lowest cost that can be told from none; None for costs that don't span orders of magnitude.
    least: float | None
    #: The lowest cost there can be, on the scale of `least`; None where it isn't known.
    floor: float | None
    #: Train loss before the first update.
    begun: Float[np.ndarray, " seed"]
    #: Updates to the target.
    steps: Float[np.ndarray, " seed"]

    def take(self, places: Int[np.ndarray, " seed"]) -> "Costs":
        """Select seeds by position."""
        return self._replace(**{name: getattr(self, name)[places] for name in ("seeds", "cost", "begun", "steps")})

    def shown(self) -> Float[np.ndarray, " seed"]:
        """Return the metric as people read it."""
        return self.offset + self.sign * self.cost


def has_metric(part: Part, metric: str, view: Slice, seconds: float | None) -> bool:
    """Say whether a cell has a metric; `seconds` are those of a step, where they were measured."""
    if metric == "gap":
        return part.results.optimum is not None
    if metric.endswith("_to_target"):
        return bool(targets_of(part.results, view)) and (metric == "steps_to_target" or seconds is not None)
    return metric in measured_columns(part)


def costs_of(part: Part, metric: str, view: Slice, seconds: float | None, budget: int | None) -> Costs:
    """Read a cell's metric on its report seeds; with a budget, what so many of its configurations give on average.

    Raises ValueError for a budget that the cell can't fill.
    """
    found = tuned(part, view) if budget is None else outcomes(part, "select", view)
    targets = targets_of(part.results, view)
    steps = found.steps_to[next(iter(targets))] if targets else np.full(found.start.shape, inf)
    scale = _scale(found, part, metric, view, steps, seconds or 1.0)
    cost, begun = scale.pop("cost"), found.start[:, 0]
    if budget is None:
        return Costs(metric, found.seeds, cost[:, 0], begun=begun, steps=steps[:, 0], **scale)
    spread = _expected(np.minimum(cost, scale["start"]), found, part, budget)
    return Costs(metric, found.seeds, spread, begun=begun, steps=np.full(len(begun), inf), **scale)


def _scale(found: Outcomes, part: Part, metric: str, view: Slice, steps: np.ndarray, seconds: float) -> dict[str, Any]:
    """Take a metric as a cost [seed, point], and what its scale is."""
    results, linear = part.results, {"offset": 0.0, "sign": 1.0, "least": None, "floor": None}
    if metric.endswith("_to_target"):
        unit = seconds if metric == "time_to_target" else 1.0
        return linear | {"cost": steps * unit, "start": float(results.steps * unit), "floor": 0.0}
    if metric in found.ends and is_higher_better(metric, results):
        # A share that is still missing: 1 - accuracy.
        return linear | {"cost": 1 - found.ends[metric], "offset": 1.0, "sign": -1.0, "start": 1.0, "floor": 0.0}
    if metric == "test_loss":
        start = median(found.start[:, 0])
        return linear | {"cost": found.ends[metric], "start": start, "least": rounding(found.dtype) * start}
    optimum, start = results.optimum, start_of(found, results)
    known = {"offset": 0.0 if metric == "gap" else optimum or 0.0}
    least = rounding(found.dtype) * max(abs(optimum or 0.0), start)
    known |= {"least": least if least > 0 else None, "floor": None if optimum is None else least}
    return linear | known | {"cost": objective(found, results), "start": start}


def _expected(
    cost: Float[np.ndarray, "seed point"], found: Outcomes, part: Part, budget: int
) -> Float[np.ndarray, " seed"]:
    """Average over all choices of so many configurations what the one with the lowest median train loss costs.

    One that diverged costs what not beginning does.
    """
    num = cost.shape[1]
    if budget > num:
        names = f"{part.record.problem} / {part.record.optimizer}"
        raise ValueError(f"budget: {budget} is not accepted; {names} has {num} configurations stored")
    order = np.argsort([median(trials) for trials in objective(found, part.results).T], kind="stable")
    wins = np.array([comb(num - place - 1, budget - 1) / comb(num, budget) for place in range(num)])
    return cost[:, order] @ wins
