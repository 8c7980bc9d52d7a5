"""The expected running time to each target."""

from collections.abc import Iterable, Mapping, Sequence
from typing import Any

import numpy as np

from optbench.analyse.measures import expected_running_time
from optbench.analyse.outcomes import UNITS, Slice, targets_of
from optbench.analyse.step_times import step_seconds
from optbench.analyse.trials import is_higher_better
from optbench.analyse.work import Seconds, Work, last_step, words_of, work_of
from optbench.store.parts import Part
from optbench.store.run import StoredRun
from optbench.store.status import Outcome
from optbench.tables.table_kind import NO_TARGET, REACHED, Rows, TableKind, report_notes

NOTES = [
    "expected running time: what repeating the tuned optimizer on fresh seeds until one reaches the target takes on "
    "average; inf: no seed reached it",
    REACHED,
]


def ert(parts: Sequence[Part], seconds: Seconds, view: Slice) -> Rows:
    """Return the expected running time to each target: (columns, rows), the least work first.

    `seconds` are those of a step by (problem, optimizer, batch size), of the timed cells. Raises ValueError if trials
    are not stored.
    """
    finished, work = [part for part in parts if part.outcome == Outcome.FINISHED], work_of(parts, view, seconds)
    if work.unit == "seconds":
        # Raises for what is not timed.
        _ = [work.of_a_step(part) for part in finished]
    rows = [row for part in finished for row in _ert_rows(part, work, seconds, view)]
    order = {name: index for index, name in enumerate(dict.fromkeys((row["problem"], row["target"]) for row in rows))}
    rows.sort(key=lambda row: (order[row["problem"], row["target"]], row[f"ert_{work.unit}"]))
    names = ["problem", "optimizer", "batch_size", "target", "num_solved", "num_seeds"]
    return [*names, *(f"ert_{unit}" for unit in UNITS)], rows


def _ert_rows(part: Part, unit: Work, seconds: Seconds, view: Slice) -> list[dict[str, Any]]:
    results, trials = part.results, unit.trials(part, view)
    names = part.record.names
    units = [Work(unit, seconds) for unit in UNITS if unit != "seconds" or seconds.get(tuple(names.values()))]
    rows = []
    for metric, value in targets_of(results, view).items():
        steps = trials.steps_to[metric][:, 0]
        row = names | {"target": f"{metric} {'>=' if is_higher_better(metric, results) else '<='} {value:.4g}"}
        row |= {"num_solved": int(np.isfinite(steps).sum()), "num_seeds": len(steps), "ert_seconds": None}
        for work in units:
            spent = work.spent(part, trials, last_step(part, view))
            row[f"ert_{work.unit}"] = expected_running_time(work.to_target(part, trials, metric)[:, 0], spent)
        rows.append(row)
    return rows


def unsolved(rows: Iterable[Mapping[str, Any]]) -> list[str]:
    """Return a note for each target that nobody reached, or one that there is no target."""
    best: dict[tuple[str, str], int] = {}
    for row in rows:
        key = (row["problem"], row["target"])
        best[key] = max(best.get(key, 0), row["num_solved"])
    missed = [f"no optimizer reached {target} on {problem}" for (problem, target), num in best.items() if not num]
    return missed if best else [NO_TARGET]


def make(run: StoredRun, view: Slice) -> Rows:
    """Return the expected running times of a run, in seconds too if its steps were timed.

    Raises ValueError if trials are not stored.
    """
    return ert(run.parts, step_seconds(run.timings), view)


def notes(run: StoredRun, rows: Iterable[Mapping[str, Any]], view: Slice) -> list[str]:
    """Return the meaning of an expected running time, and the targets that nobody reached."""
    unit = work_of(run.parts, view).unit
    return [*NOTES, f"sorted by {words_of(unit)}", *unsolved(rows)]


TABLE = TableKind(
    "expected running time to each target",
    make,
    notes,
    shared_notes=report_notes,
    section="Time to target",
    takes_by=True,
)
