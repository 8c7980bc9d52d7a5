"""Arrays of a cell's trials: their settings, final values, and steps to their targets."""

from collections.abc import Mapping
from typing import Any

import numpy as np
import pyarrow as pa
from jaxtyping import Float

from optbench.analyse.reached import Counts, Ending, last_records, work_to
from optbench.store.record import CellResults
from optbench.store.schema import FIXED
from optbench.store.status import TrialStatus


def is_higher_better(metric: str, results: CellResults) -> bool:
    """Return whether more of a metric is better."""
    return direction(metric, results) is True


def direction(metric: str, results: CellResults) -> bool | None:
    """Return True if more of a metric is better, False if less is, and None if neither is."""
    if metric in results.probes:
        return results.probes[metric]
    return metric.partition("_")[2] in results.higher_is_better


def first_seeds(batch: pa.RecordBatch, seeds: int | None) -> pa.RecordBatch:
    """Return the trials of the first `seeds` seeds; None: all."""
    if seeds is None:
        return batch
    # Not `pa.array`, which imports pandas where it is installed.
    bits = np.packbits(numbers(batch["seed"]) < seeds, bitorder="little")
    return batch.filter(pa.Array.from_buffers(pa.bool_(), len(batch), [None, pa.py_buffer(bits)]))


def read_trials(
    batch: pa.RecordBatch, results: CellResults, ending: Ending, targets: Mapping[str, tuple[str, float]]
) -> dict[str, Any]:
    """Return arrays [trial] of some trials: seed, point, settings, and all of `read_ends`."""
    chosen = batch["hyperparameters"].to_pylist()
    settings = {name: np.array([dict(pairs)[name] for pairs in chosen]) for name in dict(chosen[0])}
    settings["schedule"] = np.array(batch["schedule"].to_pylist())
    columns: dict[str, Any] = {"dtype": batch["dtype"][0].as_py()}
    columns |= {"seed": numbers(batch["seed"]), "point": numbers(batch["point"]), "settings": settings}
    return columns | read_ends(batch, results, ending, targets)


def read_ends(
    batch: pa.RecordBatch, results: CellResults, ending: Ending, targets: Mapping[str, tuple[str, float]]
) -> dict[str, Any]:
    """Return arrays [trial] of final values at the end of the curves, and of steps and gradients to the targets.

    A trial that diverged has the worst value there is, and NaN of a metric of which neither more nor less is better; it
    reaches no target.
    """
    steps = list_column(batch, "step")
    assert steps is not None
    step, status = steps[0], np.array(batch["status"].to_pylist())
    curves = {name: curve for name in batch.schema.names if (curve := _measured(batch, name)) is not None}
    gradients = list_column(batch, "gradient_evaluations")
    counts = Counts(step, steps if gradients is None else gradients, curves.pop("step_loss", None))
    # Trials that a search stopped have no later records.
    lasts = last_records(counts, ending, np.isfinite(curves["train_loss"]) | (status != TrialStatus.STOPPED)[:, None])
    lost = (status == TrialStatus.DIVERGED) & (lasts == len(step) - 1)
    finals = {name: curve[np.arange(len(curve)), lasts] for name, curve in curves.items()}
    ends = {name: np.where(lost | ~np.isfinite(end), _worst(name, results), end) for name, end in finals.items()}
    work = {
        name: work_to(
            *(curves.get(metric), value, is_higher_better(metric, results), counts, lasts, lost),
            every_step=ending.every_step and metric == "train_loss",
        )
        for name, (metric, value) in targets.items()
    }
    return {
        "ends": ends,
        "start": curves["train_loss"][:, 0],
        "steps_to": {name: steps for name, (steps, _) in work.items()},
        "gradients_to": {name: gradients for name, (_, gradients) in work.items()},
        "gradients": counts.gradients[np.arange(len(lasts)), lasts].astype(float),
        "diverged": np.isinf(ends["train_loss"]),
    }


def _worst(metric: str, results: CellResults) -> float:
    return {True: 0.0, False: np.inf, None: np.nan}[direction(metric, results)]


def _measured(batch: pa.RecordBatch, name: str) -> Float[np.ndarray, "trial record"] | None:
    return None if name in FIXED and name != "step_loss" else list_column(batch, name)


def list_column(batch: pa.RecordBatch, name: str) -> Float[np.ndarray, "trial record"] | None:
    """Return a column of lists, which within a cell are of one length, as an array; None if any list is missing."""
    column = batch[name]
    if column.null_count:
        return None
    values = column.flatten()
    # Neither `to_numpy` nor `fill_null`, which import pandas where it is installed.
    flat = np.array(values.to_pylist(), dtype=float) if values.null_count else numbers(values)
    return flat.reshape(len(batch), -1)


def numbers(values: pa.Array) -> np.ndarray:
    """Return an Arrow array as a numpy one, without a copy."""
    return np.asarray(np.from_dlpack(values))
