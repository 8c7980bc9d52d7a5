"""Parquet files: columns of numbers, with the target last."""

import io
from pathlib import Path
from typing import Any

import numpy as np
from jaxtyping import Float, Shaped

from optbench.problems.data_table import Table, check_target_name, content_of, without_index
from optbench.problems.data_words import one_hot, words_of


def read_parquet(path: Path) -> Table:
    """Return the table of a Parquet file, whose last column is the target: numbers, text or categories.

    Columns that number the rows are left out, and columns of words become a feature for each word, with a warning.
    Raises ValueError for missing values, features that are neither and other files.
    """
    import pyarrow as pa
    from pyarrow import parquet

    try:
        table = parquet.read_table(io.BytesIO(content_of(path)))
    except (pa.ArrowException, OSError) as error:
        raise ValueError(f"{path}: expected a Parquet file, found another kind") from error
    # pandas writes its index behind all columns
    names = sorted(table.column_names, key=lambda name: not name.startswith("__index_level_"))
    if len(names) < 2:
        raise ValueError(f"{path}: expected features with the target last, found {len(names)} columns")
    check_target_name(path, names)
    columns = [_values(path, name, table.column(name)) for name in names]
    hot, numbers = [], [i for i, values in enumerate(columns[:-1]) if values.dtype.kind != "U"]
    for name, values in zip(names[:-1], columns[:-1], strict=True):
        if values.dtype.kind == "U":
            words = words_of(values.tolist())
            if words is None:
                raise ValueError(f"{path}, row 1: expected a number in column {name!r}, found {str(values[0])!r}")
            hot.append(one_hot(path, repr(name), values.tolist(), words))
    x = np.stack([columns[i] for i in numbers], axis=1) if numbers else np.zeros((table.num_rows, 0))
    x = without_index(path, [names[i] for i in numbers], x, numbers, len(names) - 1)
    return Table(str(path), np.concatenate([x, *hot], axis=1), columns[-1], np.arange(table.num_rows) + 1)


def _values(path: Path, name: str, column: Any) -> Float[np.ndarray, " row"] | Shaped[np.ndarray, " row"]:
    """Return a column as float64 or text. Raises ValueError for missing values and other types."""
    import pyarrow as pa

    if column.null_count:
        row = column.is_null().to_pylist().index(True) + 1
        raise ValueError(f"{path}, row {row}: expected a value in column {name!r}, found none")
    kind = column.type
    if pa.types.is_dictionary(kind):
        column = column.cast(kind.value_type)
        kind = column.type
    if pa.types.is_string(kind) or pa.types.is_large_string(kind):
        return np.array(column.to_pylist(), dtype=str)
    if pa.types.is_boolean(kind) or pa.types.is_decimal(kind):
        return np.array([float(value) for value in column.to_pylist()])
    if pa.types.is_integer(kind) or pa.types.is_floating(kind):
        return column.to_numpy().astype(np.float64)
    raise ValueError(f"{path}: expected numbers or text in column {name!r}, found {kind}")
