"""What a run's parts hold, trial by trial and record by record: read piece by piece, since curves can be many."""

from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass
from typing import Any

import numpy as np
import pyarrow as pa
from jaxtyping import Int

from optbench.analyse.outcomes import Slice
from optbench.store.parts import Part
from optbench.store.schema import METRICS
from optbench.store.trials import measured_columns, read_batches

#: Columns that name a trial; those of its hyperparameters and its schedule come after them.
NAMES = ("phase", "problem", "optimizer", "batch_size", "seed")
SETTINGS = ("hyperparameters", "schedule")
STATUS = ("status", "message", "diverged_at")
#: Lists that every trial has.
COUNTED = ("step", "examples", "gradient_evaluations", "batch_loss")


def trials(parts: Sequence[Part], view: Slice) -> tuple[list[str], list[dict[str, Any]]]:
    """List every trial with its settings and what it ended at."""
    tuned = _tuned(parts)
    wanted = [*NAMES, *SETTINGS, *STATUS, "step", *METRICS]
    rows = [row for part in parts for batch in read_batches(part, wanted) for row in _ends(batch, tuned, view)]
    return [*NAMES, *tuned, "schedule", "status", "message", *METRICS, "diverged_at"], rows


def _ends(batch: pa.RecordBatch, tuned: Sequence[str], view: Slice) -> Iterator[dict[str, Any]]:
    """Look at one record of each trial, and leave the others in their columns."""
    records = _num_records(batch["step"], view) - 1
    ends = [_elements(batch[metric], records) for metric in METRICS]
    named = batch.select([*NAMES, *SETTINGS, *STATUS]).to_pylist()
    for trial, *values in zip(named, *ends, strict=True):
        yield _names(trial, tuned) | {name: trial[name] for name in STATUS} | dict(zip(METRICS, values, strict=True))


def _num_records(steps: pa.ListArray, view: Slice) -> Int[np.ndarray, " trial"]:
    """Count each trial's records up to the step that is looked at; steps ascend."""
    seen = np.cumsum(_numbers(steps.values) <= (np.inf if view.at_step is None else view.at_step))
    return np.diff(np.concatenate([[0], seen])[_numbers(steps.offsets)])


def _elements(curves: pa.ListArray, records: Int[np.ndarray, " trial"]) -> list[Any]:
    """Take one element of each list; None where there is none."""
    offsets, values = _numbers(curves.offsets), curves.values
    places = offsets[:-1] + records
    there = (records >= 0) & (places < offsets[1:])
    return [values[place].as_py() if ok else None for place, ok in zip(places.tolist(), there.tolist(), strict=True)]


def _numbers(values: pa.Array) -> np.ndarray:
    # Not `to_numpy`, which imports pandas where it is installed.
    return np.asarray(np.from_dlpack(values))


def curves(parts: Sequence[Part], view: Slice) -> tuple[list[str], "CurveRows"]:
    """List every record of every trial: step, examples, gradient evaluations and all metrics."""
    parts = tuple(part for part in parts if "step" in _lists(part))
    tuned = _tuned(parts)
    lists = dict.fromkeys([*COUNTED, *(name for part in parts for name in _lists(part))])
    return [*NAMES, *tuned, "schedule", *lists], CurveRows(parts, view, tuple(tuned))


@dataclass(frozen=True)
class CurveRows:
    """A row per record of all trials, read anew each time they are gone through: they need not fit into memory."""

    parts: tuple[Part, ...]
    view: Slice
    tuned: tuple[str, ...]

    def __iter__(self) -> Iterator[dict[str, Any]]:
        for part in self.parts:
            lists = _lists(part)
            for batch in read_batches(part, [*NAMES, *SETTINGS, *lists]):
                for trial in batch.to_pylist():
                    yield from self._records(trial, [name for name in lists if trial[name]])

    def _records(self, trial: Mapping[str, Any], lists: Sequence[str]) -> Iterator[dict[str, Any]]:
        names, last = _names(trial, self.tuned), self.view.at_step
        for record, step in enumerate(trial["step"] or ()):
            if last is None or step <= last:
                yield names | {name: trial[name][record] for name in lists}

    def __len__(self) -> int:
        batches = (batch for part in self.parts for batch in read_batches(part, ["step"]))
        return sum(int(_num_records(batch["step"], self.view).sum()) for batch in batches)


def _lists(part: Part) -> list[str]:
    """Name the curves that are listed; those of every step would be another table."""
    return [name for name in measured_columns(part) if name != "step_loss"]


def _tuned(parts: Sequence[Part]) -> list[str]:
    """Name the hyperparameters of some parts, each a column of its own."""
    batches = (batch for part in parts for batch in read_batches(part, ["hyperparameters"]))
    found = {name for batch in batches for name in batch["hyperparameters"].keys.to_pylist()}
    return ["learning_rate", "weight_decay", *sorted(found - {"learning_rate", "weight_decay"})]


def _names(trial: Mapping[str, Any], tuned: Sequence[str]) -> dict[str, Any]:
    batch_size, values = trial["batch_size"], dict(trial["hyperparameters"] or ())
    batch_size = int(batch_size) if batch_size and batch_size.isdigit() else batch_size
    named = {name: trial[name] for name in (*NAMES, "schedule")} | {"batch_size": batch_size}
    return named | {name: values.get(name) for name in tuned}
