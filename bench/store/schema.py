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

#: Trials that are stored and read together: few enough to hold, enough that each costs little.
GROUP_TRIALS = 2000


def trial_rows(rows: Sequence[Mapping[str, Any]]) -> pa.Table:
    """Make a part's table; rows may lack fields, which become null, and may hold further metrics as arrays."""
    metrics = {*METRICS, *(name for row in rows for name in row if name not in FIXED)}
    fields = FIXED | dict.fromkeys(sorted(metrics), pa.list_(pa.float64()))
    columns = {name: pa.array([_plain(row.get(name)) for row in rows], kind) for name, kind in fields.items()}
    return pa.table(columns)


def trial_columns(columns: Mapping[str, Any], num_trials: int) -> pa.Table:
    """Make a part's table without a loop over trials.

    A column is one value that all trials share, an array [trial] or [trial, item], or for a map an array [trial] per
    key. What is lacking becomes null; further names are metrics.
    """
    metrics = sorted({*METRICS, *columns} - {*FIXED})
    fields = FIXED | dict.fromkeys(metrics, pa.list_(pa.float64()))
    return pa.table({name: _column(columns.get(name), kind, num_trials) for name, kind in fields.items()})


def _column(values: Any, kind: pa.DataType, num_trials: int) -> pa.Array | pa.ChunkedArray:
    if values is None:
        return pa.nulls(num_trials, kind)
    if isinstance(values, Mapping):
        return _maps(values, kind, num_trials)
    if not isinstance(values, np.ndarray):
        return pa.repeat(pa.scalar(values, kind), num_trials)
    if values.ndim == 1:
        return pa.array(values, kind)
    # In pieces, since the offsets of one array count no further than 2**31 items.
    pieces = [_lists(values[first : first + GROUP_TRIALS], kind) for first in range(0, num_trials, GROUP_TRIALS)]
    return pa.chunked_array(pieces, kind)


def _lists(values: np.ndarray, kind: pa.ListType) -> pa.ListArray:
    return pa.ListArray.from_arrays(_offsets(*values.shape), pa.array(values.reshape(-1), kind.value_type))


def _maps(values: Mapping[str, np.ndarray], kind: pa.MapType, num_trials: int) -> pa.MapArray:
    items = np.stack(list(values.values()), axis=-1).reshape(-1)
    keys = pa.array(list(values) * num_trials, kind.key_type)
    return pa.MapArray.from_arrays(_offsets(num_trials, len(values)), keys, pa.array(items, kind.item_type))


def _offsets(count: int, length: int) -> pa.Array:
    return pa.array(np.arange(count + 1) * length, pa.int32())


def _plain(value: Any) -> Any:
    if isinstance(value, Mapping):
        return list(value.items())
    return value.tolist() if isinstance(value, np.ndarray | np.generic) else value
