"""Rows of a history, chosen by what a column holds."""
# pyarrow makes these functions when it is imported.
# pyright: reportAttributeAccessIssue=false

from collections.abc import Iterable, Sequence

import numpy as np
import pyarrow as pa
import pyarrow.compute as pc


def where(rows: pa.Table, column: str, values: Iterable[str]) -> pa.Table:
    """Keep the rows whose column holds one of some texts."""
    return rows.filter(pc.is_in(rows[column], pa.array([*values], pa.string())))


def without(rows: pa.Table, column: str, values: Iterable[str]) -> pa.Table:
    """Leave those rows out."""
    return rows.filter(pc.invert(pc.is_in(rows[column], pa.array([*values], pa.string()))))


def distinct(rows: pa.Table, column: str) -> list[str]:
    """Name what a column holds, each once."""
    return pc.unique(rows[column]).to_pylist()


def grouped(rows: pa.Table, columns: Sequence[str]) -> list[np.ndarray]:
    """Find where the rows of each combination of texts are, in order."""
    if not rows.num_rows:
        return []
    texts = [pc.fill_null(rows[column], "") for column in columns]
    # Not a loop over rows: 100,000 take 0.05 s in place of 0.4.
    joined = pc.binary_join_element_wise(*texts, "\x1f").combine_chunks()
    codes = np.from_dlpack(joined.dictionary_encode().indices)
    order = np.argsort(codes, kind="stable")
    return np.split(order, np.flatnonzero(np.diff(codes[order])) + 1)


def numbers(rows: pa.Table, column: str) -> np.ndarray:
    """Take a column of numbers, NaN where there is none."""
    # Not `to_numpy`, which imports pandas where it is installed.
    return np.array(rows[column].to_pylist(), dtype=float)
