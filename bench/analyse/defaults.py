"""What tuning buys: an optimizer's default settings against its tuned ones."""

from collections.abc import Sequence
from typing import Any

import numpy as np

from bench.analyse.outcomes import Outcomes, Slice, kept, objective, outcomes, start_of
from bench.analyse.statistics import median, median_interval
from bench.store.run_folder import Part

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
    "else was tried; tuned: the best point; both on the selection seeds, which flatters what was chosen on them",
    "the gap where the optimum is known, else the train loss; ratio: default over tuned; kept: how much of the "
    "tuned one's way from the start the default goes, in the logarithm; rows of all problems hold medians over them",
]


def defaults(parts: Sequence[Part], view: Slice) -> tuple[list[str], list[dict[str, Any]]]:
    """Compare default settings with tuned ones: (columns, rows); first each optimizer over all problems."""
    rows = [_row(part, view) for part in parts if part.outcome == "finished"]
    overall = []
    for name in dict.fromkeys(row["optimizer"] for row in rows):
        own = [row for row in rows if row["optimizer"] == name]
        medians = {of: median(np.array([row[of] for row in own])) for of in ("ratio", "kept")}
        overall.append({"problem": "all", "optimizer": name} | medians)
    overall.sort(key=lambda row: -row["kept"])
    order = {problem: place for place, problem in enumerate(dict.fromkeys(row["problem"] for row in rows))}
    return [*COLUMNS], overall + sorted(rows, key=lambda row: (order[row["problem"]], -row["kept"]))


def _row(part: Part, view: Slice) -> dict[str, Any]:
    found = outcomes(part, "select", view)
    values, rates = objective(found, part.footer), found.settings["learning_rate"]
    medians = np.array([median(trials) for trials in values.T])
    default, best = default_point(found), int(np.argmin(medians))
    row = {name: part.footer[name] for name in ("problem", "optimizer", "batch_size")}
    for name, place in (("default", default), ("tuned", best)):
        ends = dict(zip((name, f"{name}_low", f"{name}_high"), median_interval(values[:, place]), strict=True))
        row |= ends | {f"{name}_learning_rate": float(rates[place])}
    # Where both end at an optimum, tuning bought nothing.
    ratio = 1.0 if medians[default] == medians[best] else np.divide(medians[default], medians[best] or np.nan)
    ratio = np.inf if np.isnan(ratio) else float(ratio)
    return row | {
        "ratio": ratio,
        "kept": kept(medians[default], medians[best], start_of(found, part.footer), found.dtype),
    }


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
