"""How each tuned optimizer stands on the problems of a run: how far from the best of each, and whether that is sure."""

from collections.abc import Mapping, Sequence
from itertools import combinations
from math import inf, isfinite, nan
from typing import Any, NamedTuple

import numpy as np
from jaxtyping import Float

from optbench.analyse.comparison import MARGIN, Task, differences_of, resolved
from optbench.analyse.costs import Costs, costs_of, default_metric
from optbench.analyse.outcomes import Slice, targets_of
from optbench.analyse.significance import judge
from optbench.analyse.statistics import median, median_interval, medians
from optbench.store.parts import Part
from optbench.store.status import Outcome


class TaskStanding(NamedTuple):
    """The optimizers on one problem at one batch size."""

    metric: str
    #: Median of the best one, in the metric.
    best_value: float
    #: Optimizer -> its cost over the best one's median cost, by report seed; none where that has no ratio.
    ratios: dict[str, Float[np.ndarray, " seed"]]
    #: Those that can't be told from the best, which is the first.
    among_best: list[str]
    #: Those that reached the target on most seeds; None where there is no target.
    solved: list[str] | None


def standings(parts: Sequence[Part], view: Slice) -> dict[Task, TaskStanding]:
    """Return how the optimizers stand on each task that one of them finished.

    Raises ValueError if trials are not stored.
    """
    costs: dict[Task, dict[str, Costs]] = {}
    aims: dict[Task, bool] = {}
    for part in parts:
        if part.outcome == Outcome.FINISHED:
            task = part.record.problem, part.record.batch_size
            own = costs_of(part, default_metric(part), view, None, None)
            costs.setdefault(task, {})[part.record.optimizer] = own
            aims[task] = bool(targets_of(part.results, view))
    best = {task: min(own, key=lambda name: _middle(own[name])) for task, own in costs.items()}
    behind = _behind(costs, best)
    others = {task: [name for name in own if (task, name) not in behind] for task, own in costs.items()}
    return {task: _standing(own, best[task], others[task], aims[task]) for task, own in costs.items()}


def _behind(costs: Mapping[Task, Mapping[str, Costs]], best: Mapping[Task, str]) -> set[tuple[Task, str]]:
    """Return the optimizers that are significantly worse than the best of a task.

    All pairs of a task are judged, each optimizer against the better one: the best was chosen by these very numbers.
    """
    pairs: list[tuple[Task, str, str]] = []
    for task, own in costs.items():
        order = sorted(own, key=lambda name: (name != best[task], _middle(own[name])))
        pairs += [(task, worse, better) for better, worse in combinations(order, 2)]
    sides = [_common(costs[task][worse], costs[task][better]) for task, worse, better in pairs]
    judged = judge(
        [differences_of(a, b) for a, b in sides],
        [MARGIN * value if isfinite(value := _middle(b)) else 0.0 for _, b in sides],
        [a.random or b.random for a, b in sides],
    )
    return {
        (task, worse)
        for (task, worse, better), judgement in zip(pairs, judged, strict=True)
        if better == best[task] and judgement.verdict == "worse"
    }


def _standing(own: Mapping[str, Costs], best: str, among: Sequence[str], has_target: bool) -> TaskStanding:
    lowest, first = _middle(own[best]), own[best]
    ratios = {name: resolved(costs) / lowest for name, costs in own.items()} if 0 < lowest < inf else {}
    # Where all diverged none is the best.
    leaders = sorted(among, key=lambda name: name != best) if isfinite(lowest) else []
    solved = [name for name, costs in own.items() if isfinite(median(costs.gradients))] if has_target else None
    return TaskStanding(first.metric, median(first.values()), ratios, leaders, solved)


def _common(a: Costs, b: Costs) -> tuple[Costs, Costs]:
    _, first, second = np.intersect1d(a.seeds, b.seeds, return_indices=True)
    return a.take(first), b.take(second)


def _middle(costs: Costs) -> float:
    return median(resolved(costs))


def typical_distance(tasks: Mapping[Task, TaskStanding], name: str) -> tuple[float, float, float]:
    """Return the median over tasks of an optimizer's ratio to the best, with its interval over report seeds.

    A task that it did not finish counts as infinitely far. NaN where no task has a ratio.
    """
    rated = [standing.ratios for standing in tasks.values() if standing.ratios]
    own = [ratios[name] for ratios in rated if name in ratios]
    if not own:
        return (inf, inf, inf) if rated else (nan, nan, nan)
    num = min(map(len, own))
    rows = np.array([ratio[:num] for ratio in own] + [np.full(num, inf)] * (len(rated) - len(own)))
    middle = median(medians(rows))
    _, low, high = median_interval(medians(rows.T))
    # The median of the tasks' medians may lie outside the interval of the seeds' own.
    return middle, min(low, middle), max(high, middle)


def order_of(tasks: Mapping[Task, TaskStanding], names: Sequence[str]) -> list[str]:
    """Return the optimizers, those among the best most often first, and nearest to the best of these."""

    def place(name: str) -> Any:
        distance = typical_distance(tasks, name)[0]
        return -best_on(tasks, name), inf if distance != distance else distance, names.index(name)

    return sorted(names, key=place)


def best_on(tasks: Mapping[Task, TaskStanding], name: str) -> int:
    """Count the tasks on which an optimizer can't be told from the best."""
    return sum(name in standing.among_best for standing in tasks.values())
