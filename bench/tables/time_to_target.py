"""The time of each optimizer to the target: its steps times the seconds of a step."""

from collections.abc import Iterable, Mapping, Sequence
from typing import Any

import numpy as np

from optbench.analyse.measures import profile_score
from optbench.analyse.outcomes import Slice
from optbench.analyse.step_times import cell_names, sort_within, step_seconds
from optbench.store.parts import Part
from optbench.store.run import StoredRun
from optbench.store.status import Outcome
from optbench.store.timings import Timing
from optbench.tables.convergence import convergence
from optbench.tables.table_kind import Rows, TableKind

NOTES = [
    "time_to_target: median steps_to_target x step_seconds; inf (null in JSON): most seeds don't reach the target",
    "ratio: over the fastest optimizer on the problem; score: mean over problems of (4 - ratio) / 3, where more than 4 "
    "and not reached count 0: 1 is the fastest everywhere",
]


def time_to_target(
    parts: Sequence[Part], timings: Iterable[Timing], view: Slice
) -> tuple[list[str], list[dict[str, Any]]]:
    """Return steps to target times seconds of a step: (columns, rows); first the scores over all problems.

    `ratio` compares an optimizer's fastest batch size with the fastest optimizer on that problem, and `score` is the
    area under its performance profile up to 4 times as long as the fastest. Raises ValueError if trials are not stored.
    """
    rows = _timed_rows(parts, timings, view)
    best: dict[tuple[str, str], float] = {}
    for row in rows:
        key = (row["problem"], row["optimizer"])
        best[key] = min(best.get(key, np.inf), row["time_to_target"])
    problems = list(dict.fromkeys(row["problem"] for row in rows))
    fastest = {name: min(time for (problem, _), time in best.items() if problem == name) for name in problems}
    for row in rows:
        row["ratio"] = _ratio(row["time_to_target"], fastest[row["problem"]])
    optimizers = dict.fromkeys(row["optimizer"] for row in rows)
    scores = []
    for optimizer in optimizers:
        ratios = [_ratio(best.get((problem, optimizer), np.inf), fastest[problem]) for problem in problems]
        scores.append({"problem": "all", "optimizer": optimizer, "score": profile_score(np.array(ratios))})
    scores.sort(key=lambda row: -row["score"])
    names = ["problem", "optimizer", "batch_size", "steps_to_target", "step_seconds", "time_to_target", "ratio"]
    return [*names, "score"], scores + sort_within(rows, ("problem",), "time_to_target")


def _timed_rows(parts: Sequence[Part], timings: Iterable[Timing], view: Slice) -> list[dict[str, Any]]:
    """Return steps to target and step times of the timed cells whose problem has a target; failed cells miss it."""
    step = step_seconds(timings)
    # A failed cell doesn't say what its target was, but its neighbours do.
    finished = {part.record.problem for part in parts if part.outcome == Outcome.FINISHED and part.results.targets}
    aimed = finished if view.target is None else {part.record.problem for part in parts}
    rows = []
    for row in convergence(parts, view)[1]:
        seconds = step.get(cell_names(row))
        if row["problem"] in aimed and seconds is not None:
            identity = {name: row[name] for name in ("problem", "optimizer", "batch_size")}
            steps = np.inf if row["steps_to_target"] is None else row["steps_to_target"]
            timed = {"steps_to_target": steps, "step_seconds": seconds, "time_to_target": steps * seconds}
            rows.append(identity | timed)
    return rows


def _ratio(time: float, fastest: float) -> float:
    return np.inf if np.isinf(time) else time / fastest


def make(run: StoredRun, view: Slice) -> Rows:
    """Return the times to target of a run: (columns, rows). Raises ValueError if trials are not stored."""
    return time_to_target(run.parts, run.timings, view)


def notes(run: StoredRun, rows: Iterable[Mapping[str, Any]], view: Slice) -> list[str]:
    """Return the meaning of the columns, and a note if no cell is timed."""
    untimed = [] if run.timings else ["no cell is timed yet; optbench throughput times them"]
    return untimed + NOTES


TABLE = TableKind("how long the target takes", make, notes, section="Time to target", open_in_report=True)
