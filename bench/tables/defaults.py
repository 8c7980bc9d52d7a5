"""What tuning buys: an optimizer's default settings against its tuned ones."""

from collections.abc import Iterable, Mapping, Sequence
from typing import Any

import numpy as np

from optbench.analyse.objective import initial_objective, objective, progress
from optbench.analyse.outcomes import Outcomes, Slice, outcomes
from optbench.analyse.statistics import median, median_interval
from optbench.store.parts import Part
from optbench.store.run import StoredRun
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
    """Compare default settings with tuned ones: (columns, rows); first each optimizer over all problems."""
    rows = [_row(part, view) for part in parts if part.outcome == "finished"]
    overall = []
    for name in dict.fromkeys(row["optimizer"] for row in rows):
        own = [row for row in rows if row["optimizer"] == name]
        ratios = [row["ratio"] for row in own if row["ratio"] is not None]
        row = {"problem": "all", "optimizer": name, "kept": median(np.array([row["kept"] for row in own]))}
        overall.append(row | {"ratio": median(np.array(ratios)) if ratios else None})
    overall.sort(key=lambda row: -row["kept"])
    order = {problem: place for place, problem in enumerate(dict.fromkeys(row["problem"] for row in rows))}
    return [*COLUMNS], overall + sorted(rows, key=lambda row: (order[row["problem"]], -row["kept"]))


def _row(part: Part, view: Slice) -> dict[str, Any]:
    found = outcomes(part, "select", view)
    values, rates = objective(found, part.results), found.settings["learning_rate"]
    row = part.record.names
    chosen = {"default": default_point(found), "tuned": int(np.argmax(found.points == part.results.best_point))}
    for name, place in chosen.items():
        ends = dict(zip((name, f"{name}_low", f"{name}_high"), median_interval(values[:, place]), strict=True))
        row |= ends | {f"{name}_learning_rate": float(rates[place])}
    default, best = row["default"], row["tuned"]
    share = progress(default, best, initial_objective(found, part.results), found.dtype)
    return row | {"ratio": _ratio(default, best), "kept": share}


def _ratio(default: float, best: float) -> float | None:
    """Divide; 1 where both are equal, since where both end at an optimum tuning bought nothing."""
    if best < 0:
        return None
    if default == best:
        return 1.0
    return default / best if best else float("inf")


def default_point(found: Outcomes) -> int:
    """Choose the point that stands for the defaults: the middle of each axis in turn, the least weight decay.

    Of two in the middle the lower one; a schedule is constant where that was tried.
    """
    places = np.arange(len(found.points))
    for name in ("learning_rate", *(other for other in found.settings if other != "learning_rate")):
        values = found.settings[name][places]
        places = places[values == _middle(name, np.unique(values))]
    return int(places[0])


def _middle(name: str, values: np.ndarray) -> Any:
    if name == "schedule":
        return "constant" if "constant" in values else values[0]
    return values[0] if name == "weight_decay" else values[(len(values) - 1) // 2]


def notes(run: StoredRun, rows: Iterable[Mapping[str, Any]], view: Slice) -> list[str]:
    """Say how to read the columns."""
    return NOTES


TABLE = TableKind("what tuning buys", of_parts(defaults), notes, shared_notes=select_notes, section="Tuning")
