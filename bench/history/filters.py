"""Rows of a history, chosen by what a column holds."""
# pyarrow makes these functions when it is imported.
# pyright: reportAttributeAccessIssue=false

from collections.abc import Iterable

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
