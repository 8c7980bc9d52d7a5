"""Final losses, accuracies and steps to target of each tuned optimizer."""

from collections.abc import Callable, Iterable, Mapping, Sequence
from functools import partial
from pathlib import Path
from typing import Any, NamedTuple

import numpy as np

from optbench.analyse.copies import copy_notes, find_copies
from optbench.analyse.objective import gap, rounding
from optbench.analyse.outcomes import Slice
from optbench.analyse.statistics import interval_words, median_intervals, medians
from optbench.analyse.tuned_ends import Ends, tuned_ends
from optbench.store.parallel import spread
from optbench.store.parts import Part
from optbench.store.run import StoredRun
from optbench.store.schema import METRICS
from optbench.store.status import Outcome
from optbench.tables.table_kind import REACHED, Rows, TableKind

#: Columns of the convergence table; the other hyperparameters stand after `weight_decay`.
BEFORE = ("problem", "optimizer", "batch_size", "learning_rate", "weight_decay")
AFTER = (
    "train_loss",
    "train_loss_low",
    "train_loss_high",
    "gap",
    "select_by",
    "selected",
    "test_loss",
    "test_accuracy",
    "steps_to_target",
    "gradients_to_target",
    "examples_to_target",
    "diverged_fraction",
    "at_edge",
    "num_points",
    "num_seeds",
)


#: A reported loss beyond so many times what its settings were selected by is marked: they were lucky.
LUCKY = 3.0


def convergence(parts: Sequence[Part], view: Slice, dtype: str = "float32") -> tuple[list[str], list[dict[str, Any]]]:
    """Return the medians of each cell over its report seeds: (columns, rows), best first within a problem
    and batch size.

    Those that rounding of `dtype` alone tells apart are in the order of their names. A cell without report seeds is
    summarised by the selection seeds of its best point, a failed one by its names. Metrics that only some problems
    have come last. Raises ValueError if trials are not stored.
    """
    columns, rows, own = summarise_cells(parts, view, dtype)
    return [*columns, *own], rows


def summarise_cells(
    parts: Sequence[Part], view: Slice, dtype: str = "float32"
) -> tuple[list[str], list[dict[str, Any]], list[str]]:
    """Return a row of medians for each cell: (columns, rows, the metrics that only some problems have).

    Raises ValueError if trials are not stored.
    """
    on_disk = all(isinstance(part.path, Path) for part in parts)
    summaries = list(spread(partial(_rows, view=view, dtype=dtype), parts, processes=on_disk))
    # Batch sizes see different examples in the same steps, so each is ordered by itself.
    problems, sizes = (
        {value: index for index, value in enumerate(dict.fromkeys(one.row[name] for one in summaries))}
        for name in ("problem", "batch_size")
    )
    summaries.sort(
        key=lambda one: (
            *(problems[one.row["problem"]], sizes[one.row["batch_size"]]),
            *worst_last(one.place),
            one.row["optimizer"],
        )
    )
    rows, own = [one.row for one in summaries], sorted({name for one in summaries for name in one.own})
    extra = sorted({name for row in rows for name in row} - {*BEFORE, *AFTER, *own})
    return [*BEFORE, *extra, *AFTER], rows, own


class Summary(NamedTuple):
    """A cell's row, the metrics that its problem alone has, and what it is placed by; None if it failed."""

    row: dict[str, Any]
    own: Sequence[str]
    place: float | None


def _rows(parts: Sequence[Part], view: Slice, dtype: str) -> list[Summary]:
    """Return the summaries of some cells."""
    finished = [part for part in parts if part.outcome != Outcome.FAILED]
    cells = tuned_ends(finished, view)
    intervals = _each(median_intervals, [cell.ends["train_loss"] for cell in cells])
    ends, steps_to, gradients_to = (
        _medians_of([getattr(cell, name) for cell in cells]) for name in ("ends", "steps_to", "gradients_to")
    )
    rows = map(_finished_row, finished, cells, intervals, ends, steps_to, gradients_to)
    starts = _each(medians, [cell.start for cell in cells])
    placed = (
        Summary(row, own, _place(row, part.results.optimum, float(start), dtype))
        for (row, own), part, start in zip(rows, finished, starts, strict=True)
    )
    failed = {"learning_rate": None, "weight_decay": None}
    return [
        Summary(_first_columns(part) | failed, (), None) if part.outcome == Outcome.FAILED else next(placed)
        for part in parts
    ]


def _place(row: Mapping[str, Any], optimum: float | None, start: float, dtype: str) -> float | None:
    """Return what a row is placed by, of which all losses below rounding of the initial one are equal."""
    value, name = main_value(row), row["select_by"] if row["select_by"] in row else "train_loss"
    if value is None or not name.endswith("_loss"):
        return value
    if name == "train_loss" and optimum is not None:
        value, start = gap(np.array(value), optimum, dtype).item(), start - optimum
    least = rounding(dtype) * start
    return least if 0 <= value < least else value


def _medians_of(cells: Sequence[Mapping[str, np.ndarray]]) -> list[dict[str, float]]:
    """Return the median of what is known (not NaN) of each array [seed] of each cell."""
    known = [array[~np.isnan(array)] for arrays in cells for array in arrays.values()]
    values = iter(_each(medians, known))
    return [{name: float(next(values)) for name in arrays} for arrays in cells]


def _each(summarise: Callable[[np.ndarray], np.ndarray], series: Sequence[np.ndarray]) -> list[np.ndarray]:
    """Return the summaries of series of any lengths; those of one length are summarised together."""
    summaries: dict[int, np.ndarray] = {}
    for num in {len(values) for values in series}:
        indices = [index for index, values in enumerate(series) if len(values) == num]
        summaries |= zip(indices, summarise(np.stack([series[index] for index in indices])), strict=True)
    return [summaries[index] for index in range(len(series))]


def _first_columns(part: Part) -> dict[str, Any]:
    record, row = part.record, dict.fromkeys(AFTER) | part.record.names
    return row | {"num_points": record.num_points, "num_seeds": record.report_seeds or record.seeds}


def _finished_row(
    part: Part,
    cell: Ends,
    interval: np.ndarray,
    final_medians: Mapping[str, float],
    steps_to: Mapping[str, float],
    gradients_to: Mapping[str, float],
) -> tuple[dict[str, Any], Sequence[str]]:
    results, best = part.results, part.results.best
    own = [name for name in cell.ends if name not in METRICS]
    losses = cell.ends["train_loss"]
    loss, low, high = interval.tolist()
    steps, gradients = (next(iter(work.values()), np.nan) for work in (steps_to, gradients_to))
    row = (
        _first_columns(part)
        | {name: value for name, value in best.items() if name not in ("learning_rate", "weight_decay")}
        | {
            "num_seeds": len(losses),
            "learning_rate": best.get("learning_rate"),
            "weight_decay": best.get("weight_decay", 0.0),
            "train_loss": loss,
            "train_loss_low": low,
            "train_loss_high": high,
            "gap": None if results.optimum is None else loss - results.optimum,
            "select_by": results.criteria[0],
            "selected": results.selected.get(results.criteria[0]),
            "test_loss": final_medians.get("test_loss"),
            "test_accuracy": final_medians.get("test_accuracy"),
            "steps_to_target": steps,
            "gradients_to_target": gradients,
            "examples_to_target": gradients * results.examples_per_step,
            "diverged_fraction": np.count_nonzero(np.isinf(losses)) / len(losses),
            "at_edge": results.edges,
        }
        | {name: final_medians[name] for name in own}
    )
    return row, own


def main_value(row: Mapping[str, Any]) -> float | None:
    """Return the median of a row in what its settings were chosen by, lower is better; None for a failed cell."""
    name = row["select_by"]
    value = row.get(name) if name in row else row["train_loss"]
    return value if value is None or name != "validation_accuracy" else -value


def worst_last(value: float | None) -> tuple[bool, float]:
    """Return the sort key of a loss: diverged ones after all others, failed cells after those."""
    return (value is None, np.inf if value is None or np.isnan(value) else value)


def notes(run: StoredRun, rows: Iterable[Mapping[str, Any]], view: Slice) -> list[str]:
    """Return the seeds and the point that the medians are of, and the meaning of the rarer values."""
    device = run.manifest["device"]["device"]
    dtype, stored = run.manifest["suite"]["dtype"], run.manifest["suite"]["report_seeds"]
    seeds = stored if view.seeds is None else min(view.seeds, stored)
    fresh = "a fresh report seed" if seeds == 1 else f"{seeds} fresh report seeds"
    source = fresh if seeds else "the selection seeds, for want of report seeds"
    intervals = interval_words(seeds or _selection_seeds(run))
    own = any(part.record.studies > 1 for part in run.parts)
    settings = "each tuned anew" if own else "at the settings chosen"
    lines = [f"medians over {source}, {settings}, with {intervals}; {dtype} on {device}"]
    if own:
        lines.append("hyperparameters: the choice over all seeds, of which each has its own")
    if any(row["steps_to_target"] is not None for row in rows):
        lines.append(REACHED)
    lines += lucky(rows)
    if len({row["batch_size"] for row in rows}) > 1:
        lines.append(
            "best first within each problem and batch size, since batch sizes see different numbers of examples"
        )
    if any((row["gap"] or 0) < 0 for row in rows):
        lines.append("a gap below zero is rounding: the suite fails a cell that ends further below the optimum")
    return lines + copy_notes(_copies(run.parts, rows))


def lucky(rows: Iterable[Mapping[str, Any]]) -> list[str]:
    """Return a note on each row whose reported value is over LUCKY times what it was selected by."""
    notes = []
    for row in rows:
        value, selected = row.get(row["select_by"] or ""), row["selected"]
        is_loss = bool(row["select_by"]) and row["select_by"].endswith("_loss")
        # Losses below zero have no ratio.
        if is_loss and selected and value and 0 < LUCKY * selected < value:
            times = "infinitely" if np.isinf(value) else f"{value / selected:.2g} times"
            notes.append(
                f"{row['problem']} / {row['optimizer']}: {row['select_by']} {value:.4g} is {times} what it was "
                f"selected by, {selected:.4g}: more seeds would choose more reliable settings"
            )
    return notes


def _copies(parts: Sequence[Part], rows: Iterable[Mapping[str, Any]]) -> list[list[Part]]:
    names = ("problem", "optimizer", "batch_size")
    part_of = {tuple(part.record.names[name] for name in names): part for part in parts}
    cells = ((part_of.get(tuple(row[name] for name in names)), row["train_loss"]) for row in rows)
    return find_copies((part, loss) for part, loss in cells if part is not None)


def _selection_seeds(run: StoredRun) -> int:
    """Return the smallest number of selection seeds of a finished cell; 0 of none."""
    return min((part.record.seeds for part in run.parts if part.outcome == Outcome.FINISHED), default=0)


def _make(run: StoredRun, view: Slice) -> Rows:
    return convergence(run.parts, view, run.manifest["suite"]["dtype"])


TABLE = TableKind(
    "how far each tuned optimizer came",
    _make,
    notes,
    section="Results",
    open_in_report=True,
    important=(
        *("problem", "optimizer", "batch_size", "train_loss", "test_loss", "test_accuracy", "steps_to_target"),
        *("learning_rate", "at_edge", "validation_loss", "diverged_fraction", "schedule", "weight_decay", "gap"),
        *("gradients_to_target", "selected", "select_by", "validation_accuracy"),
    ),
)
