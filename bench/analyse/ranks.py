"""Ranks of the optimizers on each problem, as an array, and the test whether they differ."""

from collections.abc import Sequence
from dataclasses import replace
from math import inf
from string import ascii_lowercase
from typing import Any, NamedTuple

import numpy as np
from jaxtyping import Float

from optbench.analyse.copies import find_copies
from optbench.analyse.costs import default_metric
from optbench.analyse.objective import objective
from optbench.analyse.outcomes import Slice, tuned
from optbench.analyse.significance import critical_difference, friedman_p
from optbench.analyse.statistics import median
from optbench.analyse.work import Seconds, Work, last_step, work_of
from optbench.store.parts import Part
from optbench.store.status import Outcome


def problem_ranks(
    parts: Sequence[Part], view: Slice, seconds: Seconds | None = None
) -> tuple[list[str], Float[np.ndarray, "problem optimizer"]]:
    """Return the optimizers, and their ranks on every problem that all of them were run on; ties share their ranks.

    They are ranked at equal work, the smallest budget of those on a problem at a batch size. Several batch sizes of a
    problem are one block: their ranks are averaged and ranked again. Problems on which all failed are left out.
    Optimizers that are one program on a problem, by `find_copies`, take one place there, and of those that are on all
    problems only the first is ranked. Raises ValueError if trials are not stored, or a timing that the slice asks for.
    """
    names = list(dict.fromkeys(part.record.optimizer for part in parts))
    tasks: dict[str, dict[Any, dict[str, Part]]] = {}
    for part in parts:
        batches = tasks.setdefault(part.record.problem, {})
        batches.setdefault(part.record.batch_size, {})[part.record.optimizer] = part
    values = _equal_results(parts, view, work_of(parts, view, seconds))
    programs = {_cell(part): group[0].record.optimizer for group in copies(parts, view) for part in group}
    blocks, labels_of_blocks = [], []
    for batches in tasks.values():
        full = [cells for cells in batches.values() if len(cells) == len(names)]
        finished = [cells for cells in full if any(part.outcome == Outcome.FINISHED for part in cells.values())]
        if finished:
            rows = [[_cell(cells[name]) for name in names] for cells in finished]
            labels = [[programs.get(cell, cell[-1]) for cell in row] for row in rows]
            ranked = [_ranks([values[cell] for cell in row], own) for row, own in zip(rows, labels, strict=True)]
            together = [*zip(*labels, strict=True)]
            blocks.append(_ranks(np.mean(ranked, axis=0).tolist(), together))
            labels_of_blocks.append(together)
    own: list[Any] = [*zip(*labels_of_blocks, strict=True)] or [*names]
    first = [index for index, labels in enumerate(own) if own.index(labels) == index]
    return [names[index] for index in first], np.array([[block[index] for index in first] for block in blocks])


def copies(parts: Sequence[Part], view: Slice) -> list[list[Part]]:
    """Return the groups of cells that are one program. Raises ValueError if trials are not stored."""
    finished = [part for part in parts if part.outcome == Outcome.FINISHED]
    return find_copies((part, _result(part, view)) for part in finished)


def _cell(part: Part) -> tuple[str, Any, str]:
    return part.record.problem, part.record.batch_size, part.record.optimizer


def _ranks(values: Sequence[float], labels: Sequence[Any]) -> list[float]:
    """Rank values, of which those under one label are one; ties share their ranks."""
    from scipy.stats import rankdata

    first = [labels.index(label) for label in labels]
    distinct = sorted({*first})
    places = dict(zip(distinct, rankdata([values[index] for index in distinct]).tolist(), strict=True))
    return [places[index] for index in first]


def _result(part: Part, view: Slice) -> float:
    metric = default_metric(part)
    trials = tuned(part, view, metric=metric)
    return median(trials.ends[metric][:, 0] if metric == "test_loss" else objective(trials, part.results)[:, 0])


def _equal_results(parts: Sequence[Part], view: Slice, work: Work) -> dict[tuple[str, Any, str], float]:
    """Return the median objective of each cell at equal work within its task; infinite for those that failed."""
    tasks: dict[tuple[str, Any], list[Part]] = {}
    for part in parts:
        if part.outcome == Outcome.FINISHED:
            tasks.setdefault((part.record.problem, part.record.batch_size), []).append(part)
    values = {_cell(part): inf for part in parts}
    for members in tasks.values():
        slices = equal_slices(members, view, work)
        values |= {_cell(part): _result(part, own) for part, own in zip(members, slices, strict=True)}
    return values


def equal_slices(parts: Sequence[Part], view: Slice, work: Work) -> list[Slice]:
    """Return the slice of each finished cell of a task that ends, at a record, by the smallest budget of them all.

    Raises ValueError if a timing is missing that the slice asks for.
    """
    budgets = [median(work.spent(part, tuned(part, view), last_step(part, view))) for part in parts]
    # A quotient of seconds that is an integer must not be rounded below it.
    shares = [int(min(budgets) / work.of_a_step(part) * (1 + 1e-9)) for part in parts]
    end = "at_step" if work.unit in ("steps", "seconds") else "at_gradients"
    return [
        replace(view, **{end: share}) if own > min(budgets) else view
        for own, share in zip(budgets, shares, strict=True)
    ]


def alike(means: Sequence[float], critical: float) -> list[tuple[int, int]]:
    """Return the groups of mean ranks, in ascending order, within which none is apart: first and last of each.

    A mean apart from all others is a group of its own; a group within another is left out. `critical` is the difference
    up to which two are not apart.
    Source: Demsar, Statistical comparisons of classifiers over multiple data sets, 2006, section 3.2.2.
    """
    lasts = [sum(other - mean <= critical for other in means[first:]) + first - 1 for first, mean in enumerate(means)]
    return [(first, last) for first, last in enumerate(lasts) if first == 0 or last > lasts[first - 1]]


def rank_letters(names: Sequence[str], mean_ranks: Sequence[float], critical: float) -> dict[str, str]:
    """Return letters such that optimizers that share one can't be told apart by their mean ranks, as `alike` has it."""
    order = sorted(range(len(names)), key=lambda index: mean_ranks[index])
    groups = alike([mean_ranks[index] for index in order], critical)
    letters = [(ascii_lowercase[number % 26], *group) for number, group in enumerate(groups)]
    return {
        names[index]: "".join(letter for letter, first, last in letters if first <= place <= last)
        for place, index in enumerate(order)
    }


class RankTest(NamedTuple):
    """The p-value of Friedman's test of the ranks, and Nemenyi's critical difference of two mean ranks."""

    p: float
    critical: float


def rank_test(ranked: Float[np.ndarray, "problem optimizer"]) -> RankTest | None:
    """Return the test of the ranks of three optimizers or more on two problems or more; None of fewer."""
    num_problems, num_optimizers = ranked.shape
    if num_problems < 2 or num_optimizers < 3:
        return None
    return RankTest(friedman_p(ranked), critical_difference(num_optimizers, num_problems))
