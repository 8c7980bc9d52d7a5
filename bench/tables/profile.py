"""Performance profiles over the work to the target."""

from collections.abc import Iterable, Mapping, Sequence
from typing import Any

import numpy as np

from optbench.analyse.measures import performance_profile, profile_score
from optbench.analyse.outcomes import Slice
from optbench.analyse.step_times import step_seconds
from optbench.analyse.targets import median_work, ratios, work_to_target
from optbench.analyse.work import Seconds, words_of, work_of
from optbench.store.parts import Part
from optbench.store.run import StoredRun
from optbench.tables.table_kind import NO_TARGET, REACHED, Rows, TableKind, of_timed, report_notes

FACTORS = (1.0, 1.5, 2.0, 4.0, 8.0, 16.0)
NOTES = [
    "within_k: share of problems (each batch size counts) whose first target the tuned optimizer reaches, in the "
    "median over report seeds, with at most k times the work of the best one there; solved: with any work; score: "
    "area under that curve up to k = 4, at most 1",
    "an optimizer that failed or was not run on a problem doesn't reach its target",
    REACHED,
]


def profile(parts: Sequence[Part], view: Slice, seconds: Seconds | None = None) -> Rows:
    """Return performance profiles over the work to the target: (columns, rows), the best score first.

    Raises ValueError if trials are not stored, or a timing is missing that the slice asks for.
    """
    columns = ["optimizer", *(f"within_{factor:g}" for factor in FACTORS), "solved", "score", "num_problems"]
    names, times = work_to_target(parts, view, work_of(parts, view, seconds))
    if not len(times):
        return columns, []
    shares = performance_profile(times, np.array(FACTORS))
    rows = []
    for column, name in enumerate(names):
        row = {"optimizer": name, "num_problems": len(times), "solved": float(np.mean(np.isfinite(times[:, column])))}
        row |= {f"within_{factor:g}": float(shares[row_index, column]) for row_index, factor in enumerate(FACTORS)}
        rows.append(row | {"score": profile_score(ratios(times)[:, column])})
    return columns, sorted(rows, key=lambda row: -row["score"])


def notes(run: StoredRun, rows: Iterable[Mapping[str, Any]], view: Slice) -> list[str]:
    """Return the meaning of a profile, and the problems whose target nobody reached.

    Raises ValueError if trials are not stored.
    """
    work = work_of(run.parts, view, step_seconds(run.timings) if view.by == "seconds" else None)
    times = median_work(run.parts, view, work)
    missed = [task for task, own in times.items() if np.isinf(min(own.values()))]
    unsolved = [f"no optimizer reached the target on {problem} at batch size {size}" for problem, size in missed]
    return [*NOTES, f"work is counted in {words_of(work.unit)}", *unsolved] if times else [NO_TARGET]


TABLE = TableKind(
    "performance profiles",
    of_timed(profile),
    notes,
    shared_notes=report_notes,
    section="Over all problems",
    takes_by=True,
)
