"""How far each tuned optimizer came."""

from collections.abc import Callable, Iterable, Mapping, Sequence
from functools import partial
from pathlib import Path
from typing import Any

import numpy as np

from optbench.analyse.outcomes import Slice
from optbench.analyse.statistics import median_intervals, medians
from optbench.analyse.tuned_ends import Ends, tuned_ends
from optbench.store.parallel import spread
from optbench.store.parts import Part
from optbench.store.run import StoredRun
from optbench.store.schema import METRICS
from optbench.tables.table_kind import TableKind, of_parts

#: Columns of the convergence table, where the other hyperparameters stand after `weight_decay`.
BEFORE = ("problem", "optimizer", "batch_size", "learning_rate", "weight_decay")
AFTER = (
    "train_loss",
    "train_loss_low",
    "train_loss_high",
    "gap",
    "test_loss",
    "test_accuracy",
    "steps_to_target",
    "examples_to_target",
    "diverged_fraction",
    "at_edge",
    "num_points",
    "num_seeds",
)


def convergence(parts: Sequence[Part], view: Slice) -> tuple[list[str], list[dict[str, Any]]]:
    """Summarise each cell by its report seeds: (columns, rows), best first within a problem.

    A cell without report seeds is summarised by the selection seeds of its best point, a failed one by its names.
    Metrics that only some problems have come last.
    """
    columns, rows, own = summarise_cells(parts, view)
    return [*columns, *own], rows


def summarise_cells(parts: Sequence[Part], view: Slice) -> tuple[list[str], list[dict[str, Any]], list[str]]:
    """Summarise each cell: (columns, rows, the metrics that only some problems have)."""
    on_disk = all(isinstance(part.path, Path) for part in parts)
    made = list(spread(partial(_rows, view=view), parts, processes=on_disk))
    rows, own = [row for row, _ in made], sorted({name for _, names in made for name in names})
    extra = sorted({name for row in rows for name in row} - {*BEFORE, *AFTER, *own})
    order = {problem: place for place, problem in enumerate(dict.fromkeys(row["problem"] for row in rows))}
    rows.sort(key=lambda row: (order[row["problem"]], *_worst_last(row["train_loss"])))
    return [*BEFORE, *extra, *AFTER], rows, own


def _rows(parts: Sequence[Part], view: Slice) -> list[tuple[dict[str, Any], Sequence[str]]]:
    """Summarise some cells: of each (row, the names of the metrics that its problem alone has)."""
    finished = [part for part in parts if part.outcome != "failed"]
    found = tuned_ends(finished, view)
    intervals = _each(median_intervals, [one.ends["train_loss"] for one in found])
    told = zip(finished, found, intervals, *(_middles(one[kind] for one in found) for kind in (0, 1)), strict=True)
    made = iter([_finished_row(*one) for one in told])
    failed = {"learning_rate": None, "weight_decay": None}
    return [(_named(part) | failed, ()) if part.outcome == "failed" else next(made) for part in parts]


def _middles(found: Iterable[Mapping[str, np.ndarray]]) -> list[dict[str, float]]:
    """Take the median of all that is told of each cell."""
    series = list(found)
    middles = iter(_each(medians, [values for one in series for values in one.values()]))
    return [{name: float(next(middles)) for name in one} for one in series]


def _each(summarise: Callable[[np.ndarray], np.ndarray], series: Sequence[np.ndarray]) -> list[np.ndarray]:
    """Summarise series of any lengths, all those of one length at once."""
    made: dict[int, np.ndarray] = {}
    for num in {len(one) for one in series}:
        places = [place for place, one in enumerate(series) if len(one) == num]
        made |= zip(places, summarise(np.stack([series[place] for place in places])), strict=True)
    return [made[place] for place in range(len(series))]


def _named(part: Part) -> dict[str, Any]:
    record, row = part.record, dict.fromkeys(AFTER) | part.record.names
    return row | {"num_points": record.num_points, "num_seeds": record.report_seeds or record.seeds}


def _finished_row(
    part: Part, found: Ends, interval: np.ndarray, middles: Mapping[str, float], steps_to: Mapping[str, float]
) -> tuple[dict[str, Any], Sequence[str]]:
    results, best = part.results, part.results.best
    own = [name for name in found.ends if name not in METRICS]
    losses = found.ends["train_loss"]
    loss, low, high = interval.tolist()
    steps = next(iter(steps_to.values()), np.nan)
    row = (
        _named(part)
        | {name: value for name, value in best.items() if name not in ("learning_rate", "weight_decay")}
        | {
            "num_seeds": len(losses),
            "learning_rate": best.get("learning_rate"),
            "weight_decay": best.get("weight_decay", 0.0),
            "train_loss": loss,
            "train_loss_low": low,
            "train_loss_high": high,
            "gap": None if results.optimum is None else loss - results.optimum,
            "test_loss": middles.get("test_loss"),
            "test_accuracy": middles.get("test_accuracy"),
            "steps_to_target": steps,
            "examples_to_target": steps * results.examples_per_step,
            "diverged_fraction": np.count_nonzero(np.isinf(losses)) / len(losses),
            "at_edge": results.at_edge,
        }
        | {name: middles[name] for name in own}
    )
    return row, own


def _worst_last(value: float | None) -> tuple[bool, float]:
    """Order losses: diverged ones after all others, failed cells after those."""
    return (value is None, np.inf if value is None or np.isnan(value) else value)


def notes(run: StoredRun, rows: Iterable[Mapping[str, Any]], view: Slice) -> list[str]:
    """Say which seeds and which point the medians are of, and how to read the rarer values."""
    device = run.manifest["device"]["device"]
    dtype, stored = run.manifest["suite"]["dtype"], run.manifest["suite"]["report_seeds"]
    seeds = stored if view.seeds is None else min(view.seeds, stored)
    fresh = "a fresh report seed" if seeds == 1 else f"{seeds} fresh report seeds"
    source = fresh if seeds else "the selection seeds, for want of report seeds"
    lines = [
        f"medians over {source}, with 95 % bootstrap intervals, of the point with the lowest median train_loss "
        f"on the selection seeds; {dtype} on {device}",
        "at_edge: the winner lies at an end of its grid, and a wider one may beat it; inf: most seeds "
        "diverged, or missed the target; steps to target are counted at records, on full batches at every step",
    ]
    if any((row["gap"] or 0) < 0 for row in rows):
        lines.append("a gap below zero is rounding: the suite fails a cell that ends further below the optimum")
    return lines


TABLE = TableKind(
    "how far each tuned optimizer came", of_parts(convergence), notes, section="Results", open_in_report=True
)
