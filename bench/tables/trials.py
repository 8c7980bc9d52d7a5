"""Every trial of a run's parts, with its settings and final values."""

from collections.abc import Iterator, Sequence
from typing import Any

import numpy as np
import pyarrow as pa
from jaxtyping import Int

from optbench.analyse.outcomes import Slice
from optbench.store.parts import Part
from optbench.store.schema import FIXED, METRICS
from optbench.store.status import Outcome
from optbench.store.trials import read_batches
from optbench.tables._trial_rows import (
    NAMES,
    SETTINGS,
    hyperparameters_of,
    names_of,
    num_records,
    numbers,
    of_first_seeds,
)
from optbench.tables.table_kind import TableKind

STATUS = ("status", "message", "diverged_at")


def trials(parts: Sequence[Part], view: Slice) -> tuple[list[str], list[dict[str, Any]]]:
    """Return every trial with its settings and final values: (columns, rows)."""
    hyperparameters = hyperparameters_of(parts)
    probes = sorted({name for part in parts if part.outcome == Outcome.FINISHED for name in part.results.probes})
    wanted = [*NAMES, *SETTINGS, *STATUS, "step", *METRICS, *probes]
    rows = [
        row for part in parts for batch in read_batches(part, wanted) for row in _ends(batch, hyperparameters, view)
    ]
    return [*NAMES, *hyperparameters, "schedule", "status", "message", *METRICS, *probes, "diverged_at"], rows


def _ends(batch: pa.RecordBatch, hyperparameters: Sequence[str], view: Slice) -> Iterator[dict[str, Any]]:
    """Return a row for each trial; only its last record is taken out of the Arrow columns."""
    records = num_records(batch["step"], view) - 1
    metrics = [name for name in batch.schema.names if name not in FIXED]
    ends = [_elements(batch[metric], records) for metric in metrics]
    identities = batch.select([*NAMES, *SETTINGS, *STATUS]).to_pylist()
    for trial, *values in zip(identities, *ends, strict=True):
        yield (
            names_of(trial, hyperparameters)
            | {name: trial[name] for name in STATUS}
            | dict(zip(metrics, values, strict=True))
        )


def _elements(curves: pa.ListArray, records: Int[np.ndarray, " trial"]) -> list[Any]:
    """Return one element of each list; None if the list is too short."""
    offsets, values = numbers(curves.offsets), curves.values
    indices = offsets[:-1] + records
    stored = (records >= 0) & (indices < offsets[1:])
    return [values[index].as_py() if ok else None for index, ok in zip(indices.tolist(), stored.tolist(), strict=True)]


TABLE = TableKind("every trial, with its settings and where it ended", of_first_seeds(trials))
