"""Tables as data: titled columns and rows, chosen and ordered, and the texts of their cells for people."""

import math
from collections.abc import Iterable, Iterator, Mapping, Sequence
from dataclasses import dataclass, replace
from typing import TYPE_CHECKING, Any, NamedTuple

from optbench.errors import check_name
from optbench.present.numbers import interval_text, number_texts

if TYPE_CHECKING:
    import pandas
    import pyarrow


@dataclass(frozen=True)
class Table:
    """Titled columns and rows; a row is a mapping by column (gaps allowed) or a tuple in column order.

    Rows other than a list or tuple are mappings, made anew by each iteration: they may be more than memory holds.
    `x_low` and `x_high` beside a column `x` are its interval: one cell for people, three for machines.
    """

    title: str
    columns: tuple[str, ...]
    rows: Iterable[Mapping[str, Any] | tuple[Any, ...]]
    notes: tuple[str, ...] = ()
    #: Columns of the machine-readable formats that are hidden in the others.
    unshown: tuple[str, ...] = ()
    #: Columns by importance: where not all fit, others are left out first, and then the last of these.
    important: tuple[str, ...] = ()

    def __str__(self) -> str:
        """Return the table as a terminal shows it, every column whole."""
        from optbench.present.formats import format_table

        return format_table(self)

    def _repr_html_(self) -> str:
        """Return the table as a notebook shows it."""
        from optbench.present.formats import format_table

        return format_table(self, "html")

    def to_records(self) -> list[dict[str, Any]]:
        """Return one dict a row, with exactly the table's columns."""
        return list(records(self))

    def to_pandas(self) -> "pandas.DataFrame":
        """Return the rows as a pandas frame."""
        import pandas

        return pandas.DataFrame(self.to_records(), columns=list(self.columns))

    def to_arrow(self) -> "pyarrow.Table":
        """Return the rows as an Arrow table; a column of mixed types (batch size 32 and "full") becomes text."""
        import pyarrow

        def column(name: str) -> "pyarrow.Array":
            values = [row[name] for row in rows]
            try:
                return pyarrow.array(values)
            except (pyarrow.ArrowInvalid, pyarrow.ArrowTypeError):
                return pyarrow.array([None if value is None else str(value) for value in values])

        rows = self.to_records()
        return pyarrow.table({name: column(name) for name in self.columns})


def select(table: Table, columns: Sequence[str] | None = None, sort: str | None = None) -> Table:
    """Return a table of chosen columns, its rows ordered by one of them, descending with "-name", missing values last.

    Raises RequestError for an unknown column.
    """
    for name in (*(columns or ()), *([sort.removeprefix("-")] if sort else ())):
        check_name(name, table.columns, "column")
    rows = table.rows
    if sort is not None:
        rows = _sorted(table, sort)
    elif isinstance(rows, list | tuple):
        rows = tuple(records(table))
    # A hidden column is shown if it is chosen by name.
    return replace(table, columns=tuple(columns or table.columns), rows=rows, unshown=() if columns else table.unshown)


def _sorted(table: Table, sort: str) -> tuple[dict[str, Any], ...]:
    rows, name = list(records(table)), sort.removeprefix("-")
    present = [row for row in rows if not _is_missing(row[name])]
    present.sort(key=lambda row: _sort_key(row[name]), reverse=sort.startswith("-"))
    return (*present, *(row for row in rows if _is_missing(row[name])))


def records(table: Table) -> Iterator[dict[str, Any]]:
    """Yield one dict a row, with exactly the table's columns."""
    for row in table.rows:
        values = dict(zip(table.columns, row, strict=True)) if isinstance(row, tuple) else row
        yield {name: plain_value(values.get(name)) for name in table.columns}


def plain_value(value: Any) -> Any:
    """Return numpy's scalars and arrays as Python's values, without importing numpy, and -0.0 as 0.0."""
    if isinstance(value, float):
        return float(value) + 0.0
    return value.tolist() if hasattr(value, "tolist") else value


def _is_missing(value: Any) -> bool:
    return value is None or (isinstance(value, float) and math.isnan(value))


def _sort_key(value: Any) -> tuple[int, Any]:
    return (0, value) if isinstance(value, int | float) else (1, str(value))


class Folded(NamedTuple):
    """A table as people read it: the columns that are not empty, the text of their cells, the values of the rows."""

    columns: list[str]
    cells: list[list[str]]
    records: list[dict[str, Any]]
    #: Columns whose text ends in their interval.
    intervals: set[str]

    def column(self, name: str) -> list[str]:
        """Return the texts of a column."""
        index = self.columns.index(name)
        return [cells[index] for cells in self.cells]


def fold(table: Table, intervals: bool = True) -> Folded:
    """Return a table's texts, with or without intervals folded into their column, and empty columns left out."""
    rows = list(records(table))
    names = set(table.columns) - set(table.unshown)
    with_ends = {name for name in names if {f"{name}_low", f"{name}_high"} <= names}
    hidden = {f"{name}_{end}" for name in with_ends for end in ("low", "high")}
    hidden |= {name for name in names if rows and all(row[name] is None or row[name] == "" for row in rows)}
    columns = [name for name in table.columns if name in names - hidden]
    shown = with_ends if intervals else set[str]()
    texts = {name: _texts(rows, name, name in shown) for name in columns}
    return Folded(columns, [[texts[name][index] for name in columns] for index in range(len(rows))], rows, shown)


def _texts(rows: Sequence[Mapping[str, Any]], name: str, has_interval: bool) -> list[str]:
    """Return the texts of a column, with its intervals if it has them."""
    texts = number_texts([row[name] for row in rows], name)
    if not has_interval:
        return texts
    ends = [(row[name], row[f"{name}_low"], row[f"{name}_high"]) for row in rows]
    return [interval_text(*values, text) for values, text in zip(ends, texts, strict=True)]
