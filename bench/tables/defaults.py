"""The gain of tuning: an optimizer's default settings against its tuned ones."""

from collections.abc import Iterable, Mapping, Sequence
from typing import Any

import numpy as np

from optbench.analyse.objective import initial_objective, objective, progress
from optbench.analyse.outcomes import Outcomes, Slice, outcomes
from optbench.analyse.statistics import median, median_interval
from optbench.store.parts import Part
from optbench.store.run import StoredRun
from optbench.store.status import Outcome
from optbench.tables.table_kind import TableKind, of_parts, select_notes

COLUMNS = (
    "problem",
    "optimizer",
    "batch_size",
    "default_learning_rate",
    "default",
    "default_low",
    "default_high",
    "tuned_learning_rate",
    "tuned",
    "tuned_low",
    "tuned_high",
    "ratio",
    "kept",
)
NOTES = [
    "default: the learning rate in the middle of the optimizer's range, the least weight decay, the middle of what "
    "else was tried; tuned: the run's best point; both on the selection seeds, which flatters what was chosen on them",
    "the gap where the optimum is known, else the train loss; ratio: default over tuned (-: the tuned one is below "
    "zero); kept: how much of the tuned one's way from the start the default goes, in the logarithm; rows of all "
    "problems hold medians over them",
]


def defaults(parts: Sequence[Part], view: Slice) -> tuple[list[str], list[dict[str, Any]]]:
    """Return the objective of default and tuned settings: (columns, rows); first each optimizer over all problems.

    Raises ValueError if selection trials are not stored.
    """
    rows = [_row(part, view) for part in parts if part.outcome == Outcome.FINISHED]
    overall = []
    for name in dict.fromkeys(row["optimizer"] for row in rows):
        own = [row for row in rows if row["optimizer"] == name]
        ratios = [row["ratio"] for row in own if row["ratio"] is not None]
        row = {"problem": "all", "optimizer": name, "kept": median(np.array([row["kept"] for row in own]))}
        overall.append(row | {"ratio": median(np.array(ratios)) if ratios else None})
    overall.sort(key=lambda row: -row["kept"])
    order = {problem: index for index, problem in enumerate(dict.fromkeys(row["problem"] for row in rows))}
    return [*COLUMNS], overall + sorted(rows, key=lambda row: (order[row["problem"]], -row["kept"]))


def _row(part: Part, view: Slice) -> dict[str, Any]:
    trials = outcomes(part, "select", view)
    values, rates = objective(trials, part.results), trials.settings["learning_rate"]
    row = part.record.names
    points = {"default": default_point(trials), "tuned": int(np.argmax(trials.points == part.results.best_point))}
    for name, index in points.items():
        ends = dict(zip((name, f"{name}_low", f"{name}_high"), median_interval(values[:, index]), strict=True))
        row |= ends | {f"{name}_learning_rate": float(rates[index])}
    default, best = row["default"], row["tuned"]
    share = progress(default, best, initial_objective(trials, part.results), trials.dtype)
    return row | {"ratio": _ratio(default, best), "kept": share}


def _ratio(default: float, best: float) -> float | None:
    """Return default over best; 1 if both are equal, even at an optimum, and None if the best is below zero."""
    if best < 0:
        return None
    if default == best:
        return 1.0
    return default / best if best else float("inf")


def default_point(trials: Outcomes) -> int:
    """Return the index of the point that stands for the defaults: the middle of each axis, the least weight decay.

    Of two values in the middle it has the lower one; its schedule is constant if that was tried.
    """
    indices = np.arange(len(trials.points))
    for name in ("learning_rate", *(other for other in trials.settings if other != "learning_rate")):
        values = trials.settings[name][indices]
        indices = indices[values == _middle(name, np.unique(values))]
    return int(indices[0])


def _middle(name: str, values: np.ndarray) -> Any:
    if name == "schedule":
        return "constant" if "constant" in values else values[0]
    return values[0] if name == "weight_decay" else values[(len(values) - 1) // 2]


def notes(run: StoredRun, rows: Iterable[Mapping[str, Any]], view: Slice) -> list[str]:
    """Return the meaning of the columns."""
    return NOTES


TABLE = TableKind("what tuning buys", of_parts(defaults), notes, shared_notes=select_notes, section="Tuning")
