"""A run in some sentences: which optimizers are best, how sure that is, and what failed or diverged."""

from collections.abc import Mapping, Sequence
from math import isfinite
from typing import Any

import numpy as np

from optbench.analyse.comparison import Comparison, Rules, Task, compare
from optbench.analyse.outcomes import Slice, counted_alike, outcomes
from optbench.analyse.ranks import problem_ranks, rank_test
from optbench.analyse.significance import LEVEL
from optbench.analyse.standings import TaskStanding, best_on, order_of, standings
from optbench.compare.compare import side
from optbench.compare.operands import Operand
from optbench.store.run import StoredRun
from optbench.store.status import Outcome
from optbench.tables.convergence import convergence

#: The first is compared with the first of these that the run holds beside it.
REFERENCES = ("adamw", "adam", "sgd")
#: Names that a sentence lists; of more it gives the number.
MOST_NAMED = 4


def summary(run: StoredRun, brief: bool = False) -> list[str]:
    """Return some sentences on a run: who is best, whether that holds over problems, against whom, what went wrong.

    `brief` leaves out what ranks over problems say.
    """
    if not any(part.outcome == Outcome.FINISHED for part in run.parts):
        return ["Nothing has finished in this run, so there is nothing to compare.", _failures(run)]
    names = list(dict.fromkeys(part.record.optimizer for part in run.parts))
    tasks = standings(run.parts, Slice())
    if len(names) < 2:
        return [_alone(run, names[0]), _failures(run)]
    best, following = order_of(tasks, names)[:2]
    reference = next((name for name in REFERENCES if name in names and name != best), following)
    sentences = [
        leaders(tasks, names),
        "" if brief else _ranks(run),
        _against(run, best, reference),
        _failures(run, brief),
    ]
    return [sentence for sentence in sentences if sentence]


def _alone(run: StoredRun, name: str) -> str:
    _, rows = convergence(run.parts, Slice())
    lowest = min((row["train_loss"] for row in rows if row["train_loss"] is not None), default=float("inf"))
    return f"{name} is alone in this run, with a train loss of {lowest:.4g} at best, so there is nothing to rank."


def leaders(tasks: Mapping[Task, TaskStanding], names: Sequence[str]) -> str:
    """Name the optimizers that are best, or can't be told from the best, on the most problems."""
    counts = {name: best_on(tasks, name) for name in order_of(tasks, names)}
    most, num = max(counts.values()), len(tasks)
    if not most:
        return "Every optimizer diverged on every problem."
    first = [name for name, count in counts.items() if count == most]
    where = _where(most, num)
    rest = max((count for count in counts.values() if count < most), default=0)
    if len(first) > 1:
        everywhere = "Nothing is clearly best" if most == num else "Nothing is best everywhere"
        return (
            f"{everywhere}: {_listed(first)} can't be told from the best {where}{_rest(rest, num, len(first), counts)}."
        )
    following = next((name for name, count in counts.items() if count == rest and count < most), None)
    alone = all(standing.among_best == first for standing in tasks.values() if first[0] in standing.among_best)
    words = "is the best" if alone else "is the best, or can't be told from it,"
    return f"{first[0]} {words} {where}" + (f"; the next, {following}, {_next_place(rest, num)}." if following else ".")


def _next_place(count: int, num: int) -> str:
    if num == 1:
        return "is significantly behind"
    return _where(count, num) if count else "on none of them"


def _where(count: int, num: int) -> str:
    if num == 1:
        return "on the one problem"
    return f"on all {num} problems" if count == num else f"on {count} of {num} problems"


def _rest(count: int, num: int, leading: int, counts: Mapping[str, int]) -> str:
    others = len(counts) - leading
    if not others or num == 1:
        return ""
    every = f"the {others} others" if others > 1 else "the other"
    return f", {every} {'on none' if not count else f'at most on {count}'}"


def _listed(names: Sequence[str]) -> str:
    if len(names) > MOST_NAMED:
        return f"{', '.join(names[:MOST_NAMED])} and {len(names) - MOST_NAMED} more"
    return f"{', '.join(names[:-1])} and {names[-1]}" if len(names) > 1 else names[0]


def _ranks(run: StoredRun) -> str:
    """Say whether the mean ranks over problems tell the optimizers apart; nothing where that can't be tested."""
    names, ranked = problem_ranks(run.parts, Slice())
    test = rank_test(ranked) if ranked.size else None
    if test is None:
        return ""
    num = f"{len(ranked)} problems (batch sizes of one averaged)"
    if test.p > LEVEL:
        return f"Mean ranks over {num} can't tell any of them apart (Friedman's test, p = {test.p:.2g})."
    mean = ranked.mean(axis=0)
    order = [int(index) for index in np.argsort(mean, kind="stable")]
    behind = [names[index] for index in order if mean[index] - mean.min() > test.critical]
    apart = (
        f"significantly ahead of {_listed(behind)}" if behind else "but not significantly ahead of any (Nemenyi's test)"
    )
    return (
        f"By mean rank over {num} {names[order[0]]} comes first ({mean[order[0]]:.2g}), {apart}; ranks as a whole "
        f"differ (Friedman's test, p = {test.p:.2g})."
    )


def _compared(run: StoredRun, best: str, reference: str) -> Comparison:
    """Compare two optimizers of a run, paired by seed. Raises ValueError if they can't be compared."""
    sides = [side(Operand(name, run, name), Rules(), False) for name in (best, reference)]
    return compare(sides[0], sides[1], Rules(view=Slice(every_step=counted_alike(run.parts))))


def _against(run: StoredRun, best: str, reference: str) -> str:
    """Compare the first with the reference over all problems: how often it is better, and in the work to the target."""
    try:
        scores = _compared(run, best, reference).summary
    except ValueError as error:
        return f"{best} can't be compared with {reference}: {error}."
    interval = f"{100 * scores['improvement_low']:.0f} to {100 * scores['improvement_high']:.0f} %"
    return (
        f"On a random problem and seed {best} is better than {reference} in {100 * scores['improvement']:.0f} % of "
        f"cases ({interval}){_speedup(scores)}."
    )


def _speedup(scores: Mapping[str, Any]) -> str:
    speedup, num = scores["speedup"], scores["speedup_on"]
    if not num or not isfinite(speedup):
        return ""
    total = scores["num_problems"]
    shared = "" if num == total else f" (on the {num} of {total} where both get there)"
    return f", and takes {_share(1 / speedup)} gradient evaluations to the target{shared}"


def _share(ratio: float) -> str:
    """Return a ratio of work in words: a share up to twice, a factor beyond."""
    if abs(ratio - 1) < 0.005:
        return "as many"
    if ratio >= 2:
        return f"{ratio:.2g} times as many"
    return f"{100 * abs(1 - ratio):.0f} % {'more' if ratio > 1 else 'fewer'}"


def _failures(run: StoredRun, brief: bool = False) -> str:
    """Count cells that failed or are missing, trials that diverged, and winners at an edge of their grid.

    `brief` leaves out what is as it should be.
    """
    total, finished = len(run.manifest["cells"]), [part for part in run.parts if part.outcome == Outcome.FINISHED]
    counts = [f"{len(finished)} of {total} cells finished" if len(finished) < total else f"All {total} cells finished"]
    counts += [f"{len(run.failed)} failed"] if run.failed else []
    counts += [f"{len(run.torn)} torn"] if run.torn else []
    counts += [f"{run.missing} missing"] if run.missing else []
    if finished:
        num_diverged, tried = diverged(run)
        share = f"{num_diverged} of {tried} trials of the grids" if num_diverged else f"none of {tried} trials"
        edges = [part.record.optimizer for part in finished if part.results.edges]
        counts += (
            [] if brief and not num_diverged else [f"{share} diverged" if tried else "no selection trials are stored"]
        )
        counts += [] if brief and not edges else [_edges(edges)]
    return f"{', '.join(counts[:-1])}, and {counts[-1]}." if len(counts) > 1 else f"{counts[0]}."


def _edges(names: Sequence[str]) -> str:
    if not names:
        return "all best settings lie inside their ranges"
    distinct = list(dict.fromkeys(names))
    listed = f" ({', '.join(distinct)})" if len(distinct) <= MOST_NAMED else ""
    return f"in {len(names)} of them the best settings lie at the end of a range{listed}, which a wider one may beat"


def diverged(run: StoredRun) -> tuple[int, int]:
    """Count the selection trials that diverged, and all of them; (0, 0) if they are not kept."""
    finished = [part for part in run.parts if part.outcome == Outcome.FINISHED]
    try:
        masks = [outcomes(part, "select", Slice()).diverged for part in finished]
    except ValueError:
        return 0, 0
    return int(sum(mask.sum() for mask in masks)), sum(mask.size for mask in masks)
