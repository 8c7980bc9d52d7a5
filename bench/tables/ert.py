"""The expected running time to each target."""

from collections.abc import Iterable, Mapping, Sequence
from typing import Any

import numpy as np

from optbench.analyse.measures import expected_running_time
from optbench.analyse.outcomes import Slice, targets_of, tuned
from optbench.analyse.step_times import step_seconds
from optbench.analyse.targets import last_step
from optbench.analyse.trials import is_higher_better
from optbench.store.parts import Part
from optbench.store.run import StoredRun
from optbench.store.status import Outcome
from optbench.tables.table_kind import NO_TARGET, REACHED, Rows, TableKind, report_notes

NOTES = [
    "expected running time: all steps of all report seeds over the seeds that met the target, what repeating the tuned "
    "optimizer until it does would take; a seed that missed it spent its whole budget; inf: no seed met it; " + REACHED,
]


def ert(parts: Sequence[Part], seconds: Mapping[tuple[Any, ...], float], view: Slice) -> Rows:
    """Return the expected running time to each target: (columns, rows), quickest first.

    `seconds` are those of a step by (problem, optimizer, batch size), of the timed cells. Raises ValueError if trials
    are not stored.
    """
    rows = [row for part in parts if part.outcome == Outcome.FINISHED for row in _ert_rows(part, seconds, view)]
    order = {name: index for index, name in enumerate(dict.fromkeys((row["problem"], row["target"]) for row in rows))}
    rows.sort(key=lambda row: (order[row["problem"], row["target"]], row["ert_steps"]))
    names = ["problem", "optimizer", "batch_size", "target", "num_solved", "num_seeds", "ert_steps", "ert_examples"]
    return [*names, "ert_seconds"], rows


def _ert_rows(part: Part, seconds: Mapping[tuple[Any, ...], float], view: Slice) -> list[dict[str, Any]]:
    results, trials = part.results, tuned(part, view)
    names = part.record.names
    spent = last_step(part, view)
    step = seconds.get(tuple(names.values()))
    rows = []
    for metric, value in targets_of(results, view).items():
        steps = trials.steps_to[metric][:, 0]
        expected = expected_running_time(steps, np.full(len(steps), float(spent)))
        row = names | {"target": f"{metric} {'>=' if is_higher_better(metric, results) else '<='} {value:.4g}"}
        row |= {"num_solved": int(np.isfinite(steps).sum()), "num_seeds": len(steps), "ert_steps": expected}
        row |= {"ert_examples": expected * results.examples_per_step}
        rows.append(row | {"ert_seconds": None if step is None else expected * step})
    return rows


def unsolved(rows: Iterable[Mapping[str, Any]]) -> list[str]:
    """Return a note for each target that nobody reached, or one that there is no target."""
    best: dict[tuple[str, str], int] = {}
    for row in rows:
        key = (row["problem"], row["target"])
        best[key] = max(best.get(key, 0), row["num_solved"])
    missed = [f"nobody reached {target} on {problem}" for (problem, target), num in best.items() if not num]
    return missed if best else [NO_TARGET]


def make(run: StoredRun, view: Slice) -> Rows:
    """Return the expected running times of a run, in seconds too if its steps were timed.

    Raises ValueError if trials are not stored.
    """
    return ert(run.parts, step_seconds(run.timings), view)


def notes(run: StoredRun, rows: Iterable[Mapping[str, Any]], view: Slice) -> list[str]:
    """Return the meaning of an expected running time, and the targets that nobody reached."""
    return NOTES + unsolved(rows)


TABLE = TableKind(
    "expected running time to each target", make, notes, shared_notes=report_notes, section="Time to target"
)
