"""Mean ranks over problems, and which of them differ significantly."""

from collections.abc import Iterable, Mapping, Sequence, Set
from typing import Any

import numpy as np

from optbench.analyse.copies import copy_notes
from optbench.analyse.costs import compared_by
from optbench.analyse.outcomes import Slice
from optbench.analyse.ranks import copies, problem_ranks, rank_test
from optbench.analyse.significance import LEVEL
from optbench.analyse.step_times import step_seconds
from optbench.analyse.work import Seconds, words_of, work_of
from optbench.store.parts import Part
from optbench.store.run import StoredRun
from optbench.tables.table_kind import TableKind, of_timed, report_notes

COLUMNS = ("optimizer", "mean_rank", "best_rank", "worst_rank", "num_first", "behind_the_best", "num_problems")


def ranks(parts: Sequence[Part], view: Slice, seconds: Seconds | None = None) -> tuple[list[str], list[dict[str, Any]]]:
    """Return the mean ranks of the tuned optimizers over problems: (columns, rows), best first.

    Raises ValueError if trials are not stored, or a timing is missing that the slice asks for.
    """
    names, ranked = problem_ranks(parts, view, seconds)
    if not ranked.size:
        return [*COLUMNS], []
    mean = ranked.mean(axis=0)
    test = rank_test(ranked)
    apart = mean - mean.min() > (test.critical if test and test.p <= LEVEL else np.inf)
    rows = [
        {
            "optimizer": name,
            "mean_rank": float(mean[index]),
            "best_rank": float(ranked[:, index].min()),
            "worst_rank": float(ranked[:, index].max()),
            "num_first": int(np.sum(ranked[:, index] == ranked.min(axis=1))),
            "behind_the_best": bool(apart[index]),
            "num_problems": len(ranked),
        }
        for index, name in enumerate(names)
    ]
    return [*COLUMNS], sorted(rows, key=lambda row: row["mean_rank"])


def notes(run: StoredRun, rows: Iterable[Mapping[str, Any]], view: Slice) -> list[str]:
    """Return the result of the test of the ranks, and the number of problems left out.

    Raises ValueError if trials are not stored.
    """
    seconds = step_seconds(run.timings) if view.by == "seconds" else None
    names, ranked = problem_ranks(run.parts, view, seconds)
    unit = work_of(run.parts, view, seconds).unit
    num = len({part.record.problem for part in run.parts})
    lines = [
        f"on each problem optimizers are ranked by median {compared_by(run.parts)} over the report seeds; equal ones "
        "share a rank "
        "(so do all that reach a known optimum), and diverged or failed ones come last",
        "batch sizes of a problem are ranked one by one, averaged, and ranked again",
    ]
    if unit != "steps":
        lines.append(
            f"compared at equal {words_of(unit)}: on each problem as many as the optimizer that had the fewest"
        )
    lines += families_note({part.record.problem for part in run.parts}) + unequal_notes(run.parts)
    lines += [f"{note}; they share one rank there" for note in copy_notes(copies(run.parts, view))]
    if len(unranked := {part.record.optimizer for part in run.parts} - {*names}) and ranked.size:
        lines.append(f"not ranked, because another one has identical results everywhere: {', '.join(sorted(unranked))}")
    if len(ranked) < num:
        lines.append(
            f"{num - len(ranked)} of {num} problems are left out, because not all {len(names)} optimizers were run "
            "there or all failed; --optimizer A --optimizer B ranks some of them on the problems they share"
        )
    test = rank_test(ranked) if ranked.size else None
    if test is None:
        return [*lines, "no significance test: it needs at least three optimizers on two problems that all of them ran"]
    differ = test.p <= LEVEL
    outcome = "some of them differ" if differ else "the optimizers can't be told apart"
    lines.append(f"Friedman's test over {len(ranked)} problems: p = {test.p:.2g}, so {outcome}")
    return [*lines, _pairs(test.critical)] if differ else lines


def families_note(problems: Set[str]) -> list[str]:
    """Return a note where several problems are of one family, which resemble each other more than others do."""
    families = {name.partition("[")[0] for name in problems}
    if len(families) == len(problems):
        return []
    return [
        f"{len(problems)} problems of {len(families)} {'family' if len(families) == 1 else 'families'}: problems of "
        "one family are alike, yet each counts as an independent one"
    ]


def unequal_notes(parts: Sequence[Part]) -> list[str]:
    """Return a note where the optimizers of a problem were tuned over different numbers of points."""
    tried: dict[Any, dict[str, int]] = {}
    for part in parts:
        tried.setdefault((part.record.problem, part.record.batch_size), {})[part.record.optimizer] = (
            part.record.num_points
        )
    unequal = [counts for counts in tried.values() if len({*counts.values()}) > 1]
    if not unequal:
        return []
    names_of: dict[int, list[str]] = {}
    for name, num in unequal[0].items():
        names_of.setdefault(num, []).append(name)
    texts = [f"{', '.join(names)}: {num}" for num, names in sorted(names_of.items(), reverse=True)]
    where = f"on {len(unequal)} of {len(tried)} problems" if len(unequal) < len(tried) else "on every problem"
    return [
        f"unequal tuning {where}, in points tried ({'; '.join(texts)}): more points find better settings, so these "
        "ranks favour who tried more"
    ]


def _pairs(critical: float) -> str:
    return (
        f"behind_the_best: more than {critical:.2f} ranks behind the first (Nemenyi's critical difference at 5 %); the "
        "others can't be told apart from the first"
    )


TABLE = TableKind(
    "mean ranks over problems",
    of_timed(ranks),
    notes,
    shared_notes=report_notes,
    section="Over all problems",
    open_in_report=True,
    takes_by=True,
)
