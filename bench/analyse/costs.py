"""The metrics that comparisons read of a cell, as costs by seed: lower is better."""

from collections.abc import Iterable, Mapping
from math import comb, inf, isfinite
from typing import Any, NamedTuple

import numpy as np
from jaxtyping import Float, Int

from optbench.analyse.objective import initial_objective, objective, rounding
from optbench.analyse.outcomes import Outcomes, Slice, outcomes, targets_of, tuned
from optbench.analyse.statistics import median
from optbench.analyse.trials import is_higher_better
from optbench.store.parts import Part
from optbench.store.status import Outcome
from optbench.store.trials import measured_columns

#: Losses below this share of the target are no different from each other.
OF_THE_TARGET = 1e-3
METRICS = (
    *("train_loss", "gap", "validation_loss", "validation_accuracy", "test_loss", "test_accuracy"),
    *("steps_to_target", "gradients_to_target", "time_to_target"),
)
#: What `default_metric` returns -> what it is called in a sentence.
METRIC_WORDS = {"gap": "loss above the optimum", "test_loss": "test loss", "train_loss": "train loss"}
#: Losses on rows that are not trained on.
HELD_OUT = ("validation_loss", "test_loss")


class Costs(NamedTuple):
    """One metric of a cell as a cost of each seed, and the scale of that cost."""

    metric: str
    seeds: Int[np.ndarray, " seed"]
    cost: Float[np.ndarray, " seed"]
    #: The metric's value is `offset + sign * cost`.
    offset: float
    sign: float
    #: The initial cost, before the first update; of steps and seconds, that of the whole budget.
    start: float
    #: The smallest cost above rounding; None for costs that don't span orders of magnitude.
    least: float | None
    #: The lowest possible cost, on the scale of `least`; None if it isn't known.
    floor: float | None
    #: Costs below this one are no different from each other; None where that isn't known.
    resolution: float | None
    #: Whether the seeds differ in anything: where nothing is random they are all one trial.
    random: bool
    #: Train loss before the first update.
    initial_losses: Float[np.ndarray, " seed"]
    #: Gradient evaluations to the target.
    gradients: Float[np.ndarray, " seed"]

    def take(self, indices: Int[np.ndarray, " seed"]) -> "Costs":
        """Return the costs of some seeds, by their indices."""
        return self._replace(
            **{name: getattr(self, name)[indices] for name in ("seeds", "cost", "initial_losses", "gradients")}
        )

    def values(self) -> Float[np.ndarray, " seed"]:
        """Return the metric itself, of which the cost may be the complement."""
        return self.offset + self.sign * self.cost


def default_metric(part: Part) -> str:
    """Return what a cell is compared by where no metric is named.

    It is the gap where the optimum is known, the test loss where settings were chosen on validation rows, else the
    train loss.
    """
    if part.results.optimum is not None:
        return "gap"
    by_validation = part.results.criteria[0].startswith("validation")
    return "test_loss" if by_validation and "test_loss" in measured_columns(part) else "train_loss"


def compared_by(parts: Iterable[Part]) -> str:
    """Return what finished cells are compared by, in words: "loss above the optimum (mlp: test loss)"."""
    problems: dict[str, dict[str, None]] = {}
    for part in parts:
        if part.outcome == Outcome.FINISHED:
            problems.setdefault(METRIC_WORDS[default_metric(part)], {})[part.record.problem] = None
    # The commonest needs no list of its problems.
    common, *others = sorted(problems, key=lambda words: -len(problems[words])) or ["loss"]
    rest = "; ".join(f"{', '.join(problems[words])}: {words}" for words in others)
    return f"{common} ({rest})" if rest else common


def has_metric(part: Part, metric: str, view: Slice, seconds: float | None) -> bool:
    """Return whether a cell has a metric; `seconds` are those of a step, None if it wasn't timed."""
    if metric == "gap":
        return part.results.optimum is not None
    if metric.endswith("_to_target"):
        return bool(targets_of(part.results, view)) and (metric != "time_to_target" or seconds is not None)
    return metric in measured_columns(part)


def costs_of(part: Part, metric: str, view: Slice, seconds: float | None, budget: int | None) -> Costs:
    """Return a cell's costs on its report seeds; with a budget, the mean cost of the best of so many configurations.

    Raises ValueError if the cell has fewer configurations than the budget, or its trials are not stored.
    """
    trials = tuned(part, view, metric=metric) if budget is None else outcomes(part, "select", view)
    targets = targets_of(part.results, view)
    # Speed is that of the settings chosen for speed, whatever the metric.
    fast = tuned(part, view, metric="gradients_to_target") if budget is None else trials
    never = np.full(trials.start.shape, inf)
    counted = trials.gradients_to if metric == "gradients_to_target" else trials.steps_to
    work, gradients = (to[next(iter(targets))] if targets else never for to in (counted, fast.gradients_to))
    scale = _scale(trials, part, metric, view, work, seconds or 1.0)
    scale |= {"resolution": _resolution(part, metric, view, scale, trials.dtype), "random": is_random(trials)}
    cost, initial_losses = scale.pop("cost"), trials.start[:, 0]
    if budget is None:
        return Costs(
            metric, trials.seeds, cost[:, 0], initial_losses=initial_losses, gradients=gradients[:, 0], **scale
        )
    spread = _expected(np.minimum(cost, scale["start"]), trials, part, budget)
    return Costs(
        metric,
        trials.seeds,
        spread,
        initial_losses=initial_losses,
        gradients=np.full(len(initial_losses), inf),
        **scale,
    )


def _scale(trials: Outcomes, part: Part, metric: str, view: Slice, work: np.ndarray, seconds: float) -> dict[str, Any]:
    """Return a metric as costs [seed, point], and the fields of `Costs` that are its scale."""
    results, linear = part.results, {"offset": 0.0, "sign": 1.0, "least": None, "floor": None}
    if metric.endswith("_to_target"):
        unit = seconds if metric == "time_to_target" else 1.0
        budget = float(trials.gradients.max()) if metric == "gradients_to_target" else float(results.steps)
        return linear | {"cost": work * unit, "start": budget * unit, "floor": 0.0}
    if metric in trials.ends and is_higher_better(metric, results):
        # The cost of an accuracy is its complement.
        return linear | {"cost": 1 - trials.ends[metric], "offset": 1.0, "sign": -1.0, "start": 1.0, "floor": 0.0}
    if metric in HELD_OUT:
        start = median(trials.start[:, 0])
        return linear | {"cost": trials.ends[metric], "start": start, "least": rounding(trials.dtype) * start}
    optimum, start = results.optimum, initial_objective(trials, results)
    scale = {"offset": 0.0 if metric == "gap" else optimum or 0.0}
    least = rounding(trials.dtype) * max(abs(optimum or 0.0), start)
    scale |= {"least": least if least > 0 else None, "floor": None if optimum is None else least}
    return linear | scale | {"cost": objective(trials, results), "start": start}


def _resolution(part: Part, metric: str, view: Slice, scale: Mapping[str, Any], dtype: str) -> float | None:
    """Return the cost of a loss below which nothing is told apart; None of metrics that are no losses.

    It is a thousandth of the target, or rounding of the initial loss where that is more; yet no more than the target.
    """
    if scale["least"] is None or not isfinite(scale["start"]):
        return None
    rounded = rounding(dtype) * scale["start"]
    target = targets_of(part.results, view).get(metric if metric in HELD_OUT else "train_loss")
    aim = 0.0 if target is None else target - (part.results.optimum or 0.0) * (metric not in HELD_OUT)
    return min(aim, max(rounded, aim * OF_THE_TARGET)) if aim > 0 else rounded


def is_random(trials: Outcomes) -> bool:
    """Return whether trials of one seed differ in anything from those of another; of one seed nobody knows."""
    arrays = [trials.start, *trials.ends.values(), *trials.steps_to.values()]
    return len(trials.seeds) < 2 or not all(np.array_equal(a, np.broadcast_to(a[:1], a.shape), True) for a in arrays)


def _expected(
    cost: Float[np.ndarray, "seed point"], trials: Outcomes, part: Part, budget: int
) -> Float[np.ndarray, " seed"]:
    """Return the expected cost of the configuration with the lowest median objective among `budget` random ones.

    Raises ValueError if the cell has fewer configurations than that.
    """
    num = cost.shape[1]
    if budget > num:
        names = f"{part.record.problem} / {part.record.optimizer}"
        raise ValueError(f"budget: {budget} is not accepted; {names} has {num} configurations stored")
    order = np.argsort([median(values) for values in objective(trials, part.results).T], kind="stable")
    wins = np.array([comb(num - rank - 1, budget - 1) / comb(num, budget) for rank in range(num)])
    return cost[:, order] @ wins
