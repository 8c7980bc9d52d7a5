"""One optimizer against another: paired by seed on each problem, and over all of them."""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from math import inf, isfinite
from typing import Any, NamedTuple

import numpy as np
from jaxtyping import Float

from optbench.analyse.costs import Costs, costs_of, default_metric, has_metric
from optbench.analyse.measures import geometric_mean
from optbench.analyse.outcomes import Slice
from optbench.analyse.significance import MOST_SEEDS, Judgement, judge, too_few_seeds
from optbench.analyse.statistics import iqm_interval, median, median_interval, probability_of_improvement
from optbench.analyse.trials import is_higher_better
from optbench.store.parts import Part

#: A problem at one batch size.
Task = tuple[str, Any]

#: The table of a comparison. Its rows also hold the ratio of the costs, with its interval, which the forest plot shows.
COLUMNS = (
    *("problem", "batch_size", "optimizer", "reference", "metric", "value", "value_low", "value_high"),
    *("reference_value", "reference_value_low", "reference_value_high"),
    *("difference", "difference_low", "difference_high", "p_value", "verdict", "seeds_needed", "num_seeds"),
)
SUMMARY = (
    *("optimizer", "reference", "win", "tie", "loss"),
    *("improvement", "improvement_low", "improvement_high", "score", "score_low", "score_high"),
    *("reference_score", "reference_score_low", "reference_score_high", "speedup", "speedup_on", "num_problems"),
)
#: Differences up to this share of the reference count as none.
MARGIN = 0.05


@dataclass(frozen=True)
class Side:
    """The finished cells of one optimizer of one run, and their timings."""

    label: str
    parts: Mapping[Task, Part]
    #: Seconds of a step, and the machine they were measured on, if they were.
    timings: Mapping[Task, tuple[float, Any]] = field(default_factory=dict)


@dataclass(frozen=True)
class Rules:
    """The metric that is compared, on which part of the curves, and the margin within which it counts as equal."""

    #: None: the gap if the optimum is known, else the train loss.
    metric: str | None = None
    view: Slice = field(default_factory=Slice)
    #: Configurations that each side may try; None: all it has.
    budget: int | None = None
    margin: float = MARGIN


class Comparison(NamedTuple):
    """The result of comparing two sides: a row for each task, one over all tasks, a sentence and notes."""

    rows: list[dict[str, Any]]
    summary: dict[str, Any]
    sentence: str
    notes: list[str]


def compare(first: Side, second: Side, rules: Rules) -> Comparison:
    """Compare two sides on every task that both finished.

    Raises ValueError if there is no such task, or if a cell has fewer configurations than the budget.
    """
    (comparison,) = compare_pairs([(first, second)], rules)
    return comparison


def compare_pairs(sides: Sequence[tuple[Side, Side]], rules: Rules) -> list[Comparison]:
    """Compare several pairs of sides, as `compare` does, with one correction over the tasks of them all.

    Raises ValueError as `compare` does.
    """
    pairs_of = [_paired_tasks(*pair, rules) for pair in sides]
    rows = [costs for pairs in pairs_of for costs in pairs.values()]
    random = [a.random or b.random for a, b in rows]
    judged = iter(judge([differences_of(*costs) for costs in rows], [_margin(b, rules) for _, b in rows], random))
    few = _too_few(rows, random, len(sides))
    comparisons = []
    for (first, second), pairs in zip(sides, pairs_of, strict=True):
        of_task = {task: next(judged) for task in pairs}
        comparisons.append(
            Comparison(
                [_row(first, second, task, pairs[task], of_task[task]) for task in pairs],
                _summary(first, second, pairs, of_task),
                _sentence(first, second, of_task, rules),
                [*_left_out(first, second, pairs), *few],
            )
        )
    return comparisons


def _paired_tasks(first: Side, second: Side, rules: Rules) -> dict[Task, tuple[Costs, Costs]]:
    """Return the costs of both sides of every task that both finished. Raises ValueError if there is none."""
    pairs = {task: pair for task in first.parts if (pair := paired(first, second, task, rules))}
    if not pairs:
        raise ValueError(_common_problems_message(first, second, rules))
    return pairs


def _margin(reference: Costs, rules: Rules) -> float:
    return rules.margin * value if isfinite(value := median(resolved(reference))) else 0.0


def paired(first: Side, second: Side, task: Task, rules: Rules) -> tuple[Costs, Costs] | None:
    """Return the costs of both sides of a task on their common seeds; None if one lacks the task or the metric.

    Raises ValueError if a cell has fewer configurations than the budget, or its trials are not stored.
    """
    if task not in second.parts:
        return None
    part = first.parts[task]
    metric = rules.metric or default_metric(part)
    sides = [(side.parts[task], side.timings.get(task, (None, None))[0]) for side in (first, second)]
    if not all(has_metric(part, metric, rules.view, seconds) for part, seconds in sides):
        return None
    a, b = (costs_of(part, metric, rules.view, seconds, rules.budget) for part, seconds in sides)
    _, first_indices, second_indices = np.intersect1d(a.seeds, b.seeds, return_indices=True)
    return a.take(first_indices), b.take(second_indices)


def differences_of(a: Costs, b: Costs) -> Float[np.ndarray, " seed"]:
    """Return the differences [seed] of two costs of the same seeds."""
    # Both diverged, or both missed the target: neither is better.
    first, second = resolved(a), resolved(b)
    with np.errstate(invalid="ignore"):
        return np.where(first == second, 0.0, first - second)


def resolved(costs: Costs) -> Float[np.ndarray, " seed"]:
    """Return costs of which all that lie between zero and the resolution are equal."""
    resolution = costs.resolution
    if resolution is None:
        return costs.cost
    return np.where((costs.cost >= 0) & (costs.cost < resolution), resolution, costs.cost)


def _ratios(a: Costs, b: Costs) -> Float[np.ndarray, " seed"]:
    """Return the ratio of both costs of each seed: below 1 where the difference is below zero, and 1 where it is zero.

    Of a negative reference it is one plus the difference as a share of its size; below a difference of that share, 0.
    """
    reference, difference = resolved(b), differences_of(a, b)
    with np.errstate(invalid="ignore", divide="ignore"):
        ratios = np.maximum(1 + difference / np.abs(reference), 0.0)
    beyond = np.isinf(difference) | np.isinf(reference) | (reference == 0)
    return np.where(difference == 0, 1.0, np.where(beyond, np.where(difference > 0, inf, 0.0), ratios))


def _row(first: Side, second: Side, task: Task, pair: tuple[Costs, Costs], judged: Judgement) -> dict[str, Any]:
    names = {"problem": task[0], "batch_size": task[1], "optimizer": first.label, "reference": second.label}
    row: dict[str, Any] = names | {"metric": pair[0].metric}
    for name, costs in zip(("value", "reference_value"), pair, strict=True):
        row |= _interval(name, median_interval(costs.values()))
    ends = (judged.difference, judged.low, judged.high)
    # More accuracy is less cost.
    higher_is_better = is_higher_better(pair[0].metric, first.parts[task].results)
    row |= _interval("difference", (-ends[0], -ends[2], -ends[1]) if higher_is_better else ends)
    row |= _interval("ratio", median_interval(_ratios(*pair)))
    row |= {"p_value": judged.p_value, "verdict": judged.verdict}
    return row | {"seeds_needed": judged.seeds_needed, "num_seeds": 1 if judged.p_value is None else len(pair[0].seeds)}


def _interval(name: str, values: tuple[float, float, float]) -> dict[str, float]:
    return dict(zip((name, f"{name}_low", f"{name}_high"), values, strict=True))


def _summary(
    first: Side, second: Side, pairs: Mapping[Task, tuple[Costs, Costs]], judged: Mapping[Task, Judgement]
) -> dict[str, Any]:
    words = [judgement.verdict for judgement in judged.values()]
    row: dict[str, Any] = {"optimizer": first.label, "reference": second.label, "num_problems": len(words)}
    row |= {"win": words.count("better"), "loss": words.count("worse")}
    row["tie"] = len(words) - row["win"] - row["loss"]
    costs = [(a.cost, b.cost) for a, b in pairs.values()]
    row |= _interval("improvement", probability_of_improvement([a for a, _ in costs], [b for _, b in costs]))
    scored = zip(*(scores(a, b) for a, b in pairs.values()), strict=True)
    for name, values in zip(("score", "reference_score"), scored, strict=True):
        row |= _interval(name, iqm_interval(values))
    gradients = np.array([[median(costs.gradients) for costs in pair] for pair in pairs.values()])
    reached = np.all(np.isfinite(gradients) & (gradients > 0), axis=1)
    return row | {
        "speedup": geometric_mean(gradients[reached, 1] / gradients[reached, 0]),
        "speedup_on": int(reached.sum()),
    }


def scores(a: Costs, b: Costs) -> tuple[Float[np.ndarray, " seed"], Float[np.ndarray, " seed"]]:
    """Return the scores of both sides by seed: 0 for the lowest possible cost, 1 for one no lower than the initial one.

    Losses are scored in the logarithm, down to rounding. If no optimum is known, 0 is the lowest cost of both sides.
    """
    both = np.concatenate([a.cost, b.cost])
    lowest = float(both[np.isfinite(both)].min(initial=a.start))
    best, scale = (lowest, np.asarray) if a.least is None else (max(lowest, a.least), np.log)
    best = a.floor if a.floor is not None else best
    if not best < a.start:
        return np.ones(len(a.cost)), np.ones(len(b.cost))
    score = lambda cost: (scale(np.clip(cost, best, a.start)) - scale(best)) / (scale(a.start) - scale(best))  # noqa: E731
    return score(a.cost), score(b.cost)


def _left_out(first: Side, second: Side, pairs: Mapping[Task, tuple[Costs, Costs]]) -> list[str]:
    skipped = [task for task in dict.fromkeys((*first.parts, *second.parts)) if task not in pairs]
    tasks = ", ".join(f"{problem} at {batch_size}" for problem, batch_size in skipped)
    return [f"left out, because only one of the two ran it: {tasks}"] if skipped else []


def _too_few(rows: Sequence[tuple[Costs, Costs]], random: Sequence[bool], num_pairs: int) -> list[str]:
    """Return a note where the seeds of what is tested are too few to decide much."""
    seeds = [len(a.seeds) for (a, _), is_random in zip(rows, random, strict=True) if is_random]
    note = too_few_seeds(min(seeds), len(seeds), "problem" if num_pairs == 1 else "comparison") if seeds else ""
    return [note] if note else []


def _sentence(first: Side, second: Side, judged: Mapping[Task, Judgement], rules: Rules) -> str:
    words = [judgement.verdict for judgement in judged.values()]
    phrases = {"better": "better", "equal": f"equal within {100 * rules.margin:g} %", "worse": "worse"}
    clauses = [f"{text} on {words.count(word)}" for word, text in phrases.items() if word in words]
    judgements = judged.values()
    needed = sorted(judgement.seeds_needed for judgement in judgements if judgement.seeds_needed is not None)
    if needed:
        counts = list(dict.fromkeys(f"{num:.0f}" if isfinite(num) else f"over {MOST_SEEDS}" for num in needed))
        seeds = counts[0] if len(counts) == 1 else f"{counts[0]} to {counts[-1]}"
        clauses.append(f"undecided on {len(needed)} (about {seeds} seeds would decide)")
    return f"{first.label} against {second.label} on {_problems(len(judged))}: {', '.join(clauses)}"


def _problems(num: int) -> str:
    return "1 problem" if num == 1 else f"{num} problems"


def _common_problems_message(first: Side, second: Side, rules: Rules) -> str:
    if any(task in second.parts for task in first.parts):
        timed = "; optbench throughput times them" if rules.metric == "time_to_target" else ""
        return f"{first.label} and {second.label} have no {rules.metric} on a problem in common{timed}"
    ran = [", ".join(f"{problem} at {size}" for problem, size in side.parts) or "nothing" for side in (first, second)]
    return f"no problem in common: {first.label} finished {ran[0]}; {second.label} finished {ran[1]}"
