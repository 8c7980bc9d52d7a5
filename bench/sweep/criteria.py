"""What settings are chosen by: the cost of each trial, lower is better. One entry each in CRITERIA.

jax and what imports it are imported where something is computed: commands that compute nothing read these names too.
"""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence
from typing import TYPE_CHECKING, Any, NamedTuple

if TYPE_CHECKING:
    import numpy as np
    from jaxtyping import Float, Int

    from optbench.problems.problem import Problem
    from optbench.sweep.curves import Curves

    Cost = Float[np.ndarray, "seed point"]


class Criterion(NamedTuple):
    """What trials are judged by.

    `cost` is (curves, targets, metrics of which more is better) -> cost, where a trial that diverged costs infinity.
    """

    cost: Callable[[Curves, Mapping[str, float], frozenset[str]], Cost]
    #: The criterion that decides between equals, and stands in where a problem has nothing for this one.
    next: str = ""


def _final(metric: str, sign: float = 1.0) -> Callable[[Curves, Mapping[str, float], frozenset[str]], Cost]:
    def cost(curves: Curves, targets: Mapping[str, float], higher: frozenset[str]) -> Cost:
        return ends(curves, sign * curves.metrics[metric][..., -1])

    return cost


def ends(curves: Curves, cost: Cost) -> Cost:
    """Return costs with infinity for trials that diverged, or whose last value is not finite."""
    import numpy as np

    from optbench.sweep.selection import diverged

    return np.where(diverged(curves) | ~np.isfinite(cost), np.inf, cost)


def _steps_to_target(curves: Curves, targets: Mapping[str, float], higher: frozenset[str]) -> Cost:
    import numpy as np

    index = _reached(curves, targets, higher)
    return np.where(index < len(curves.step), curves.step[np.minimum(index, len(curves.step) - 1)], np.inf)


def _gradients_to_target(curves: Curves, targets: Mapping[str, float], higher: frozenset[str]) -> Cost:
    import numpy as np

    index = _reached(curves, targets, higher)
    last = np.minimum(index, len(curves.step) - 1)[..., None]
    gradients = np.take_along_axis(curves.gradient_evaluations, last, axis=-1)[..., 0]
    return np.where(index < len(curves.step), gradients, np.inf)


def _reached(curves: Curves, targets: Mapping[str, float], higher: frozenset[str]) -> np.ndarray:
    """Return the record [seed, point] from which on each trial stays at its first target; one past the last if none."""
    import numpy as np

    from optbench.sweep.reached import reached
    from optbench.sweep.selection import diverged

    metric, target = next(iter(targets.items()))
    curve = curves.metrics[metric]
    met = curve >= target if metric.partition("_")[2] in higher else curve <= target
    first = reached(met.reshape(-1, curve.shape[-1])).reshape(curve.shape[:-1])
    return np.where((first < 0) | diverged(curves), curve.shape[-1], first)


#: Name, as in `--select-by` -> criterion.
CRITERIA: Mapping[str, Criterion] = {
    "train_loss": Criterion(_final("train_loss")),
    "validation_loss": Criterion(_final("validation_loss"), "train_loss"),
    "validation_accuracy": Criterion(_final("validation_accuracy", -1.0), "validation_loss"),
    "steps_to_target": Criterion(_steps_to_target, "train_loss"),
    "gradients_to_target": Criterion(_gradients_to_target, "train_loss"),
    # An optimizer's seconds go with its gradient evaluations.
    "seconds_to_target": Criterion(_gradients_to_target, "train_loss"),
}


def criteria_of(select_by: Sequence[str], problem: Problem, has_choice: bool = True) -> tuple[str, ...]:
    """Return the criteria by which a cell's settings are chosen, the main one first.

    Nothing in `select_by` stands for the validation loss where there are validation rows, and the objective elsewhere;
    settings for the objective and for reaching the target are chosen beside it, for the tables that speak of those.
    What a problem has nothing for is replaced by what comes nearest. Without a choice of settings one criterion is
    enough.
    """
    wanted = select_by or ("validation_loss", "train_loss", "steps_to_target")
    chosen = tuple(dict.fromkeys(_able(name, problem) for name in wanted))
    return chosen if has_choice else chosen[:1]


def _able(name: str, problem: Problem) -> str:
    if name.endswith("_to_target"):
        able = bool(problem.targets)
    elif name == "validation_accuracy":
        able = problem.validation is not None and "accuracy" in _metrics(problem)
    else:
        able = name == "train_loss" or problem.validation is not None
    return name if able else _able(CRITERIA[name].next, problem)


def _metrics(problem: Problem) -> Mapping[str, Any]:
    import jax

    from optbench.sweep.model_state import initial_state, stateful_metrics

    key = jax.random.key(0)
    params, state = jax.eval_shape(problem.init, key), jax.eval_shape(initial_state(problem), key)
    return jax.eval_shape(stateful_metrics(problem), params, problem.validation, state)


class Choice(NamedTuple):
    """The points that a criterion chooses: one in each study, and one over all studies, with their scores."""

    criterion: str
    of_studies: Int[np.ndarray, " study"]
    over_all: int
    #: Of each study's choice.
    scores: Float[np.ndarray, " study"]


def choices(
    curves: Curves, criteria: Sequence[str], problem: Problem, rates: Float[np.ndarray, " point"], num_studies: int
) -> list[Choice]:
    """Choose by each criterion; curves are of all selection seeds, study by study, and `rates` decide between equals.

    What differs by less than the rounding of the losses at the start is equal.
    """
    import numpy as np

    from optbench.sweep.selection import choose, scores

    resolution = 2.0**-23 * float(np.median(np.abs(curves.metrics["train_loss"][..., 0])))
    costs = {name: _cost(curves, name, problem) for name in _with_next(criteria)}

    def ranked(name: str, studies: int) -> list[np.ndarray]:
        of_losses = resolution if name.endswith("_loss") else 0.0
        following = CRITERIA[name].next
        return [scores(costs[name], studies, of_losses), *(ranked(following, studies) if following in costs else [])]

    chosen = []
    for name in criteria:
        of_studies = choose(ranked(name, num_studies), rates)
        own = scores(costs[name], num_studies)[np.arange(num_studies), of_studies]
        chosen.append(Choice(name, of_studies, int(choose(ranked(name, 1), rates)[0]), own))
    return chosen


def _cost(curves: Curves, name: str, problem: Problem) -> Cost:
    import numpy as np

    cost = CRITERIA[name].cost(curves, problem.targets, problem.higher_is_better)
    return np.where(curves.stopped_at < 0, cost, np.nan)


def point_scores(curves: Curves, criterion: str, problem: Problem) -> Float[np.ndarray, " point"]:
    """Score points by a criterion over all seeds, for a search that proposes the next ones."""
    from optbench.sweep.selection import scores

    cost = CRITERIA[criterion].cost(curves, problem.targets, problem.higher_is_better)
    return scores(cost, 1)[0]


def _with_next(names: Sequence[str]) -> dict[str, None]:
    following = [CRITERIA[name].next for name in names if CRITERIA[name].next]
    return dict.fromkeys(names) | (_with_next(following) if following else {})
