"""The rows of a part: one per trial, its curves as lists. `results/README.md` explains the columns."""

from collections.abc import Mapping, Sequence
from typing import Any

import numpy as np
import pyarrow as pa

#: Raised with every change that an older reader would misread.
VERSION = 1

#: Columns every part has; one `list<double>` column per metric comes on top.
FIXED = {
    "phase": pa.string(),
    "problem": pa.string(),
    "optimizer": pa.string(),
    "batch_size": pa.string(),
    "dtype": pa.string(),
    "seed": pa.int32(),
    "point": pa.int32(),
    "hyperparameters": pa.map_(pa.string(), pa.float64()),
    "schedule": pa.string(),
    "status": pa.string(),
    "message": pa.string(),
    "diverged_at": pa.int32(),
    "step": pa.list_(pa.int32()),
    "examples": pa.list_(pa.int64()),
    "gradient_evaluations": pa.list_(pa.int64()),
    "batch_loss": pa.list_(pa.float64()),
    "step_loss": pa.list_(pa.float64()),
}

#: Metrics that every table may ask for, present in every part even where a problem has no such thing.
METRICS = ("train_loss", "test_loss", "train_accuracy", "test_accuracy")


def trial_rows(rows: Sequence[Mapping[str, Any]]) -> pa.Table:
    """Make a part's table; rows may lack fields, which become null, and may hold further metrics as arrays."""
    metrics = {*METRICS, *(name for row in rows for name in row if name not in FIXED)}
    fields = FIXED | dict.fromkeys(sorted(metrics), pa.list_(pa.float64()))
    columns = {name: pa.array([_plain(row.get(name)) for row in rows], kind) for name, kind in fields.items()}
    return pa.table(columns)


def _plain(value: Any) -> Any:
    if isinstance(value, Mapping):
        return list(value.items())
    return value.tolist() if isinstance(value, np.ndarray | np.generic) else value
