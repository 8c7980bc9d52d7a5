"""Arrays of a cell's trials: their settings, final values, and steps to their targets."""

from collections.abc import Mapping
from typing import Any

import numpy as np
import pyarrow as pa
from jaxtyping import Bool, Float

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
    bits = np.packbits(_numbers(batch["seed"]) < seeds, bitorder="little")
    return batch.filter(pa.Array.from_buffers(pa.bool_(), len(batch), [None, pa.py_buffer(bits)]))


def read_trials(
    batch: pa.RecordBatch, results: CellResults, at_step: int | None, targets: Mapping[str, tuple[str, float]]
) -> dict[str, Any]:
    """Return arrays [trial] of some trials: seed, point, settings, and all of `read_ends`."""
    chosen = batch["hyperparameters"].to_pylist()
    settings = {name: np.array([dict(pairs)[name] for pairs in chosen]) for name in dict(chosen[0])}
    settings["schedule"] = np.array(batch["schedule"].to_pylist())
    columns: dict[str, Any] = {"dtype": batch["dtype"][0].as_py()}
    columns |= {"seed": _numbers(batch["seed"]), "point": _numbers(batch["point"]), "settings": settings}
    return columns | read_ends(batch, results, at_step, targets)


def read_ends(
    batch: pa.RecordBatch, results: CellResults, at_step: int | None, targets: Mapping[str, tuple[str, float]]
) -> dict[str, Any]:
    """Return arrays [trial] of final values, at the last record or at a step, and of steps to the targets.

    A trial that diverged has the worst value there is, and NaN of a metric of which neither more nor less is better.
    """
    steps = _curves(batch, "step")
    assert steps is not None
    step, status = steps[0], np.array(batch["status"].to_pylist())
    last = len(step) - 1 if at_step is None else max(int(np.searchsorted(step, at_step, "right")) - 1, 0)
    diverged_by_then = (status == TrialStatus.DIVERGED) & (last == len(step) - 1)
    curves = {name: curve for name in batch.schema.names if (curve := _measured(batch, name)) is not None}
    dense = curves.pop("step_loss", None)
    # Trials that a search stopped have no later records.
    finals = {name: _last_finite(curve, last, status == TrialStatus.STOPPED) for name, curve in curves.items()}
    ends = {
        name: np.where(diverged_by_then | ~np.isfinite(end), _worst(name, results), end) for name, end in finals.items()
    }
    steps_to = {
        name: _steps_to(step, curves.get(metric), value, results, metric, at_step, dense)
        for name, (metric, value) in targets.items()
    }
    start, diverged = curves["train_loss"][:, 0], np.isinf(ends["train_loss"])
    return {"ends": ends, "start": start, "steps_to": steps_to, "diverged": diverged}


def _last_finite(
    curve: Float[np.ndarray, "trial record"], last: int, stopped: Bool[np.ndarray, " trial"]
) -> Float[np.ndarray, " trial"]:
    values = curve[:, last]
    if not stopped.any():
        return values
    finite = np.isfinite(curve[:, : last + 1])
    return np.where(stopped, curve[np.arange(len(curve)), last - np.argmax(finite[:, ::-1], axis=1)], values)


def _worst(metric: str, results: CellResults) -> float:
    return {True: 0.0, False: np.inf, None: np.nan}[direction(metric, results)]


def _steps_to(
    step: np.ndarray,
    curve: Float[np.ndarray, "trial record"] | None,
    target: float,
    results: CellResults,
    metric: str,
    at_step: int | None,
    dense: Float[np.ndarray, "trial step"] | None,
) -> Any:
    """Return the updates of each trial until a target is met, infinity if it isn't.

    Counted at records; on full batches at every step, since the loss before each update is the train loss.
    """
    if curve is None:
        return np.inf
    sign = -1.0 if is_higher_better(metric, results) else 1.0
    first = _first(sign * curve <= sign * target, step)
    if metric == "train_loss" and dense is not None:
        first = np.minimum(first, _first(dense <= target, np.arange(dense.shape[1])))
    return first if at_step is None else np.where(first <= at_step, first, np.inf)


def _first(met: Bool[np.ndarray, "trial record"], step: np.ndarray) -> Float[np.ndarray, " trial"]:
    return np.where(met.any(axis=1), step[np.argmax(met, axis=1)], np.inf)


def _measured(batch: pa.RecordBatch, name: str) -> Float[np.ndarray, "trial record"] | None:
    return None if name in FIXED and name != "step_loss" else _curves(batch, name)


def _curves(batch: pa.RecordBatch, name: str) -> Float[np.ndarray, "trial record"] | None:
    """Return a column of lists, which within a cell are of one length, as an array; None if any list is missing."""
    column = batch[name]
    if column.null_count:
        return None
    values = column.flatten()
    # Neither `to_numpy` nor `fill_null`, which import pandas where it is installed.
    numbers = np.array(values.to_pylist(), dtype=float) if values.null_count else _numbers(values)
    return numbers.reshape(len(batch), -1)


def _numbers(values: pa.Array) -> np.ndarray:
    return np.asarray(np.from_dlpack(values))
