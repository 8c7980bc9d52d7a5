"""The gain of tuning: what an optimizer's default learning rate gives against its tuned settings."""

from collections.abc import Iterable, Mapping, Sequence
from typing import Any

import numpy as np
from jaxtyping import Float

from optbench.analyse.objective import initial_objective, objective, progress
from optbench.analyse.outcomes import Outcomes, Slice, outcomes
from optbench.analyse.statistics import interval_words, median, median_interval
from optbench.store.parts import Part
from optbench.store.run import StoredRun
from optbench.store.status import Outcome
from optbench.tables.table_kind import TableKind, of_parts, select_notes

COLUMNS = (
    "problem",
    "optimizer",
    "batch_size",
    "default_learning_rate",
    "nearest_learning_rate",
    "nearest",
    "nearest_low",
    "nearest_high",
    "tuned_learning_rate",
    "tuned",
    "tuned_low",
    "tuned_high",
    "ratio",
    "kept",
)
NOTES = [
    "nearest: final loss untuned, at the learning rate nearest to the optimizer's default; tuned: final loss with the "
    "chosen settings; gaps where the optimum is known; both on the selection seeds, which flatter the tuned ones",
    "ratio: nearest / tuned; kept: share of the tuned progress that the untuned settings make, in the logarithm; rows "
    "of all: medians over problems; -: no default is known, or no learning rate near it was tried",
]


def defaults(parts: Sequence[Part], view: Slice) -> tuple[list[str], list[dict[str, Any]]]:
    """Return the objective of default and tuned settings: (columns, rows); first each optimizer over all problems.

    Raises ValueError if selection trials are not stored.
    """
    rows = [_row(part, view) for part in parts if part.outcome == Outcome.FINISHED]
    overall = []
    for name in dict.fromkeys(row["optimizer"] for row in rows):
        own = [row for row in rows if row["optimizer"] == name]
        shown = {column: [row[column] for row in own if row.get(column) is not None] for column in ("ratio", "kept")}
        medians = {column: median(np.array(values)) if values else None for column, values in shown.items()}
        overall.append({"problem": "all", "optimizer": name} | medians)
    overall.sort(key=_least_kept_last)
    order = {problem: index for index, problem in enumerate(dict.fromkeys(row["problem"] for row in rows))}
    return [*COLUMNS], overall + sorted(rows, key=lambda row: (order[row["problem"]], _least_kept_last(row)))


def _least_kept_last(row: Mapping[str, Any]) -> float:
    return float("inf") if row["kept"] is None else -row["kept"]


def _row(part: Part, view: Slice) -> dict[str, Any]:
    trials, known = outcomes(part, "select", view), part.results.defaults
    values, rates = objective(trials, part.results), trials.settings["learning_rate"]
    row: dict[str, Any] = part.record.names | {"default_learning_rate": known.get("learning_rate")}
    points = {
        "nearest": nearest_point(trials, known),
        "tuned": int(np.argmax(trials.points == part.results.best_point)),
    }
    for name, index in points.items():
        columns = (f"{name}_learning_rate", name, f"{name}_low", f"{name}_high")
        numbers = (None,) * 4 if index is None else (float(rates[index]), *median_interval(values[:, index]))
        row |= dict(zip(columns, numbers, strict=True))
    nearest, best = row["nearest"], row["tuned"]
    if nearest is None:
        return row | {"ratio": None, "kept": None}
    share = progress(nearest, best, initial_objective(trials, part.results), trials.dtype)
    return row | {"ratio": _ratio(nearest, best), "kept": share}


def _ratio(nearest: float, best: float) -> float | None:
    """Return nearest over best; 1 if both are equal, even at an optimum, and None if the best is below zero."""
    if best < 0:
        return None
    if nearest == best:
        return 1.0
    return nearest / best if best else float("inf")


def nearest_point(trials: Outcomes, known: Mapping[str, float]) -> int | None:
    """Return the index of the point that is nearest to the defaults; None where no learning rate is near enough.

    It has the least weight decay, a constant schedule if that was tried, and of what has no default the middle, of two
    the lower one.
    """
    rates = np.unique(trials.settings["learning_rate"])
    rate = _within_half_a_step(rates, known["learning_rate"]) if "learning_rate" in known else None
    if rate is None:
        return None
    indices = np.flatnonzero(trials.settings["learning_rate"] == rate)
    for name in (other for other in trials.settings if other != "learning_rate"):
        values = trials.settings[name][indices]
        indices = indices[values == _nearest(name, np.unique(values), known.get(name))]
    return int(indices[0])


def _within_half_a_step(rates: Float[np.ndarray, " rate"], default: float) -> float | None:
    """Return the rate that is nearest to the default in the logarithm, unless it is half a step of the grid away."""
    logs = np.log(rates[rates > 0])
    if not len(logs):
        return None
    distances = np.abs(logs - np.log(default))
    place = int(np.argmin(distances))
    steps = np.diff(logs)[max(0, place - 1) : place + 1]
    half = steps.max() / 2 if len(steps) else 0.0
    return float(rates[rates > 0][place]) if distances[place] <= half + 1e-6 else None


def _nearest(name: str, values: np.ndarray, default: float | None) -> Any:
    if name == "schedule":
        return "constant" if "constant" in values else values[0]
    if name == "weight_decay":
        return values[0]
    return values[(len(values) - 1) // 2] if default is None else values[np.argmin(np.abs(values - default))]


def notes(run: StoredRun, rows: Iterable[Mapping[str, Any]], view: Slice) -> list[str]:
    """Return the meaning of the columns, and of their intervals."""
    seeds = min((part.record.seeds for part in run.parts if part.outcome == Outcome.FINISHED), default=0)
    return [*NOTES, f"medians, with {interval_words(seeds if view.seeds is None else min(view.seeds, seeds))}"]


TABLE = TableKind("what tuning buys", of_parts(defaults), notes, shared_notes=select_notes, section="Tuning")
