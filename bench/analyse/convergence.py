"""What a run's parts say: how far each tuned optimizer came, and with which settings."""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import Any

import numpy as np
import pyarrow as pa

from bench.analyse.statistics import median, median_interval
from bench.store.run_folder import Part, measured_columns, read_batches, read_rows
from bench.store.schema import FIXED, METRICS

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
#: Metrics of which every row tells.
SHOWN = ("train_loss", "test_loss", "test_accuracy")


@dataclass(frozen=True)
class Slice:
    """Say which part of the curves to look at."""

    #: Look at the last record at or before this step.
    at_step: int | None = None
    #: Train loss that counts as reached, in place of the problem's own target.
    target: float | None = None


def convergence(parts: Sequence[Part], view: Slice) -> tuple[list[str], list[dict[str, Any]]]:
    """Summarise each cell by its report seeds: (columns, rows), best first within a problem.

    A cell without report seeds is summarised by the selection seeds of its best point, a failed one by its names.
    Metrics that only some problems have come last.
    """
    rows = [_convergence_row(part, view) for part in parts]
    own = _all_own_metrics(parts)
    extra = sorted({name for row in rows for name in row} - {*BEFORE, *AFTER, *own})
    order = {problem: place for place, problem in enumerate(dict.fromkeys(row["problem"] for row in rows))}
    rows.sort(key=lambda row: (order[row["problem"]], *_worst_last(row["train_loss"])))
    return [*BEFORE, *extra, *AFTER, *own], rows


def _all_own_metrics(parts: Sequence[Part]) -> list[str]:
    return sorted({name for part in parts for name in _own_metrics(part)})


def _own_metrics(part: Part) -> list[str]:
    """Name the metrics that a problem has beside loss and accuracy."""
    return [name for name in measured_columns(part) if name not in (*METRICS, *FIXED)]


def _convergence_row(part: Part, view: Slice) -> dict[str, Any]:
    footer = part.footer
    row: dict[str, Any] = dict.fromkeys(AFTER) | {name: footer[name] for name in ("problem", "optimizer", "batch_size")}
    row |= {"num_points": footer["num_points"], "num_seeds": footer["report_seeds"] or footer["seeds"]}
    if part.outcome == "failed":
        return row | {"learning_rate": None, "weight_decay": None}
    trials = best_trials(part)
    own = _own_metrics(part)
    ends = [_end(trial, [*SHOWN, *own], footer, view) for trial in trials]
    loss, low, high = median_interval(np.array([end["train_loss"] for end in ends]))
    targets = footer["targets"] if view.target is None else {"train_loss": view.target}
    steps = median(np.array([_steps_to(trial, targets, footer, view) for trial in trials])) if targets else np.nan
    best = footer["best"]
    extra = {name: value for name, value in best.items() if name not in ("learning_rate", "weight_decay")}
    return (
        row
        | extra
        | {
            "learning_rate": best.get("learning_rate"),
            "weight_decay": best.get("weight_decay", 0.0),
            "train_loss": loss,
            "train_loss_low": low,
            "train_loss_high": high,
            "gap": None if footer["optimum"] is None else loss - footer["optimum"],
            "test_loss": _median_of(ends, "test_loss"),
            "test_accuracy": _median_of(ends, "test_accuracy"),
            "steps_to_target": steps,
            "examples_to_target": steps * footer["examples_per_step"],
            "diverged_fraction": float(np.mean([np.isinf(end["train_loss"]) for end in ends])),
            "at_edge": footer["at_edge"],
        }
        | {name: _median_of(ends, name) for name in own}
    )


def best_trials(part: Part) -> list[dict[str, Any]]:
    """Read the trials that speak for a cell: its report seeds, or its best point's selection seeds."""
    footer = part.footer
    if footer["report_seeds"]:
        return read_rows([part], phase="report").to_pylist()
    return [trial for batch in read_batches(part, phase="select") for trial in _of_point(batch, footer["best_point"])]


def _of_point(batch: pa.RecordBatch, point: int) -> list[dict[str, Any]]:
    """Take the trials of one point, without making Python's numbers of all the others' curves."""
    places = [place for place, found in enumerate(batch["point"].to_pylist()) if found == point]
    return [trial for place in places for trial in batch.slice(place, 1).to_pylist()]


def _end(trial: Mapping[str, Any], metrics: Sequence[str], footer: Mapping[str, Any], view: Slice) -> dict[str, float]:
    """Take a trial's metrics at its last record, or at the last one of a slice; the worst there is once it diverged."""
    steps = trial["step"]
    record = len(steps) - 1 if view.at_step is None else max(int(np.searchsorted(steps, view.at_step, "right")) - 1, 0)
    lost = trial["status"] == "diverged" and record == len(steps) - 1
    ends = {}
    for metric in metrics:
        curve = trial.get(metric)
        if curve is None:
            continue
        worst = 0.0 if _is_higher_better(metric, footer) else np.inf
        value = curve[record]
        ends[metric] = worst if lost or value is None or not np.isfinite(value) else value
    return ends


def _median_of(ends: Sequence[Mapping[str, float]], metric: str) -> float | None:
    values = [end[metric] for end in ends if metric in end]
    return median(np.array(values)) if values else None


def _is_higher_better(metric: str, footer: Mapping[str, Any]) -> bool:
    return metric.partition("_")[2] in footer.get("higher_is_better", ("accuracy",))


def _steps_to(trial: Mapping[str, Any], targets: Mapping[str, float], footer: Mapping[str, Any], view: Slice) -> float:
    """Count the updates until the first target is met; infinity where it isn't by the step that is looked at.

    Counted at records; on full batches at every step, since the loss before each update is the train loss.
    """
    metric, target = next(iter(targets.items()))
    if trial.get(metric) is None:
        return np.inf
    sign = -1.0 if _is_higher_better(metric, footer) else 1.0
    steps = np.array(trial["step"])
    reached = steps[sign * np.array(trial[metric], dtype=np.float64) <= sign * target]
    if metric == "train_loss" and trial["step_loss"] is not None:
        dense = np.flatnonzero(np.array(trial["step_loss"], dtype=np.float64) <= target)
        reached = np.concatenate([reached, dense])
    first = float(reached.min()) if len(reached) else np.inf
    return first if view.at_step is None or first <= view.at_step else np.inf


def best(parts: Sequence[Part], view: Slice) -> tuple[list[str], list[dict[str, Any]]]:
    """Name the best settings of each optimizer on each problem over all batch sizes, as one can type them again."""
    columns, rows = convergence(parts, view)
    others = {*AFTER, *_all_own_metrics(parts), "problem", "optimizer", "batch_size"}
    settings = [name for name in columns if name not in others]
    chosen = {(row["problem"], row["optimizer"]): row for row in reversed(rows)}
    kept = [row for row in rows if chosen[row["problem"], row["optimizer"]] is row]
    for row in kept:
        row["settings"] = None if row["learning_rate"] is None else _settings(row, settings)
    names = ["problem", "optimizer", "batch_size", "settings", "train_loss", "train_loss_low", "train_loss_high"]
    return [*names, "test_loss", "test_accuracy", "at_edge"], kept


def _settings(row: Mapping[str, Any], names: Sequence[str]) -> str:
    words = [f"--batch-size {row['batch_size']}"]
    words += [f"--schedule '{row['schedule']}'"] if row.get("schedule") else []
    given = {name: row[name] for name in names if name != "schedule" and row.get(name) is not None}
    inside = ",".join(f"{name}={value!r}" for name, value in given.items())
    name, _, static = row["optimizer"].partition("[")
    both = ",".join(text for text in (static.removesuffix("]"), inside) if text)
    return f"-o '{name}[{both}]' {' '.join(words)}"


def _worst_last(value: float | None) -> tuple[bool, float]:
    """Order losses: diverged ones after all others, failed cells after those."""
    return (value is None, np.inf if value is None or np.isnan(value) else value)
