"""Tables that render to a terminal, Markdown, LaTeX, HTML, CSV and JSON."""

import csv
import html
import io
import json
import math
import re
from collections.abc import Callable, Iterable, Iterator, Mapping, Sequence
from dataclasses import dataclass, replace
from functools import partial
from itertools import chain
from typing import IO, TYPE_CHECKING, Any, Literal, NamedTuple, get_args

from optbench.errors import check_name

if TYPE_CHECKING:
    import pandas
    import pyarrow

Format = Literal["plain", "github", "latex", "html", "csv", "json"]
FORMATS: tuple[str, ...] = get_args(Format)

#: Rows that tabulate lays out at once.
MANY_ROWS = 1000

_NUMBER = re.compile(r"-|[+-]?(?:inf|\d[\d.]*(?:e[+-]?\d+)?)")


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
    #: Characters of a terminal that a cell may take, if prose is to be broken into lines.
    wrap: int | None = None
    #: Columns of the machine-readable formats that are hidden in the others.
    unshown: tuple[str, ...] = ()

    def to_records(self) -> list[dict[str, Any]]:
        """Return one dict a row, with exactly the table's columns."""
        return list(_records(self))

    def to_pandas(self) -> "pandas.DataFrame":
        """Return the rows as a pandas frame."""
        import pandas

        return pandas.DataFrame(self.to_records(), columns=list(self.columns))

    def to_arrow(self) -> "pyarrow.Table":
        """Return the rows as an Arrow table; a column of mixed types (batch size 32 and "full") becomes text."""
        import pyarrow

        def column(name: str) -> "pyarrow.Array":
            values = [row[name] for row in records]
            try:
                return pyarrow.array(values)
            except (pyarrow.ArrowInvalid, pyarrow.ArrowTypeError):
                return pyarrow.array([None if value is None else str(value) for value in values])

        records = self.to_records()
        return pyarrow.table({name: column(name) for name in self.columns})


def format_table(table: Table, format: str = "plain") -> str:
    """Return a table as text, without a newline at the end. Raises RequestError for an unknown format."""
    check_name(format, FORMATS, "format")
    if format in WRITERS:
        text = io.StringIO()
        WRITERS[format](table, text)
        return text.getvalue().removesuffix("\n")
    headers, rows = _for_people(table)
    if format == "plain":
        return _with_title_and_notes(
            table, _tabulate(list(map(_wrap, headers)), rows, "simple", wrap=table.wrap), clean
        )
    if format == "github":
        # tabulate's "github" drops the alignment of numbers, which its "pipe" keeps and GitHub understands.
        return _with_title_and_notes(table, _tabulate(headers, rows, "pipe", _escape_markdown), _escape_markdown)
    if format == "html":
        return _format_html(table, headers, rows)
    return _tabulate(headers, rows, "latex_booktabs")


def write_table(table: Table, format: str, stream: IO[str]) -> None:
    """Write what `format_table` returns, and a newline; CSV and JSON row by row, so that not all rows are in memory.

    Raises RequestError for an unknown format.
    """
    if format in WRITERS:
        WRITERS[format](table, stream)
    else:
        stream.write(format_table(table, format) + "\n")


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
        rows = tuple(_records(table))
    # A hidden column is shown if it is chosen by name.
    return replace(table, columns=tuple(columns or table.columns), rows=rows, unshown=() if columns else table.unshown)


def _sorted(table: Table, sort: str) -> tuple[dict[str, Any], ...]:
    rows, name = list(_records(table)), sort.removeprefix("-")
    present = [row for row in rows if not _is_missing(row[name])]
    present.sort(key=lambda row: _sort_key(row[name]), reverse=sort.startswith("-"))
    return (*present, *(row for row in rows if _is_missing(row[name])))


def _records(table: Table) -> Iterator[dict[str, Any]]:
    """Yield one dict a row, with exactly the table's columns."""
    for row in table.rows:
        values = dict(zip(table.columns, row, strict=True)) if isinstance(row, tuple) else row
        yield {name: _plain(values.get(name)) for name in table.columns}


def _plain(value: Any) -> Any:
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


def fold(table: Table) -> Folded:
    """Return a table's texts, with intervals folded into their column and empty columns left out."""
    rows = list(_records(table))
    names = set(table.columns) - set(table.unshown)
    interval_names = {name for name in names if {f"{name}_low", f"{name}_high"} <= names}
    hidden = {f"{name}_{end}" for name in interval_names for end in ("low", "high")}
    hidden |= {name for name in names if rows and all(row[name] is None or row[name] == "" for row in rows)}
    columns = [name for name in table.columns if name in names - hidden]

    def cell(row: dict[str, Any], name: str) -> str:
        low, high = row.get(f"{name}_low"), row.get(f"{name}_high")
        value = _show(row[name])
        if name not in interval_names or _is_missing(row[name]) or _is_missing(low) or _is_missing(high):
            return value
        return f"{value} [{_show(low)}, {_show(high)}]"

    return Folded(columns, [[cell(row, name) for name in columns] for row in rows], rows, interval_names)


def _for_people(table: Table) -> tuple[list[str], list[list[str]]]:
    """Return the headers and the cells [row][column] of a table as people read it."""
    folded = fold(table)
    return list(map(clean, folded.columns)), folded.cells


def _show(value: Any) -> str:
    if _is_missing(value):
        return "-"
    if isinstance(value, bool):
        return "yes" if value else ""
    if isinstance(value, float):
        # Adding zero turns -0.0 into 0.0, here in lists.
        return f"{value + 0.0:.4g}"
    if isinstance(value, list | tuple):
        return ", ".join(map(_show, value))
    return clean(str(value))


def _wrap(header: str) -> str:
    """Return a header, a long one broken after its underscores: numbers are narrower than their names."""
    return header.replace("_", "_\n") if len(header) > 8 else header


def clean(text: str) -> str:
    """Return a text with blanks for line breaks and terminal escapes."""
    return text if text.isprintable() else "".join(mark if mark.isprintable() else " " for mark in text)


def _escape_markdown(text: str) -> str:
    return re.sub(r"([\\|*`])", r"\\\1", text).replace("<", "&lt;")


def _align(rows: list[list[str]]) -> list[str]:
    return ["right" if all(map(_NUMBER.fullmatch, column)) else "left" for column in zip(*rows, strict=True)]


def _tabulate(
    headers: list[str], rows: list[list[str]], style: str, escape: Callable[[str], str] = str, wrap: int | None = None
) -> str:
    # Here, so that naming a format doesn't load it.
    import tabulate as tabulate_module
    from tabulate import tabulate

    # Its headers ask for two blanks more than their cells.
    tabulate_module.MIN_PADDING = 0
    cells = [list(map(escape, row)) for row in rows]
    alignments = _align(rows)
    # tabulate refuses alignments without rows to align.
    options: dict[str, Any] = {"colalign": alignments, "maxcolwidths": wrap} if rows and headers else {}
    lay_out = partial(tabulate, headers=list(map(escape, headers)), tablefmt=style, disable_numparse=True, **options)
    if style == "simple" and len(rows) > MANY_ROWS and wrap is None and all(map(str.isascii, chain(*cells))):
        return _lay_many(cells, alignments, lay_out)
    return str(lay_out(cells))


def _lay_many(cells: list[list[str]], alignments: list[str], lay_out: Callable[[list[list[str]]], str]) -> str:
    """Return rows laid out below the head that `lay_out` makes of their widest cells.

    It is not called with all rows, for tabulate takes 0.2 ms a row to infer types.
    """
    stripped = [list(map(str.strip, row)) for row in cells]
    head = lay_out([[max(column, key=len) for column in zip(*stripped, strict=True)]]).splitlines()[:-1]
    pads = [str.rjust if side == "right" else str.ljust for side in alignments]
    widths = [len(dashes) for dashes in head[-1].split()]
    lines = [
        "  ".join(pad(cell, width) for pad, cell, width in zip(pads, row, widths, strict=True)).rstrip()
        for row in stripped
    ]
    return "\n".join([*head, *lines])


def _with_title_and_notes(table: Table, body: str, escape: Callable[[str], str]) -> str:
    notes = "\n".join(escape(clean(note)) for note in table.notes)
    return "\n\n".join(part for part in (escape(clean(table.title)), body, notes) if part)


def _format_html(table: Table, headers: list[str], rows: list[list[str]]) -> str:
    styles = [' style="text-align: right"' if side == "right" else "" for side in _align(rows)] or [""] * len(headers)

    def line(tag: str, cells: list[str]) -> str:
        pairs = zip(styles, cells, strict=True)
        return f"<tr>{''.join(f'<{tag}{style}>{html.escape(cell)}</{tag}>' for style, cell in pairs)}</tr>"

    caption = [f"<caption>{html.escape(clean(table.title))}</caption>"] if table.title else []
    body = [line("td", row) for row in rows]
    notes = [f"<p>{html.escape(clean(note))}</p>" for note in table.notes]
    head = ["<thead>", line("th", headers), "</thead>"]
    return "\n".join(["<table>", *caption, *head, "<tbody>", *body, "</tbody>", "</table>", *notes])


def _write_csv(table: Table, stream: IO[str]) -> None:
    writer = csv.writer(stream, lineterminator="\n")
    writer.writerow(table.columns)
    for row in _records(table):
        writer.writerow(map(_csv_cell, row.values()))


def _csv_cell(value: Any) -> Any:
    if isinstance(value, bool):
        return "true" if value else "false"
    # A tuple: `list | tuple | dict` would be made anew for each of millions of cells.
    return json.dumps(_strict(value), allow_nan=False) if isinstance(value, (list, tuple, dict)) else value


def _write_json(table: Table, stream: IO[str]) -> None:
    """Write one row a line: strict JSON, with null for numbers that are not finite."""
    before = "["
    for row in _records(table):
        stream.write(f"{before}\n{json.dumps(_strict(row), allow_nan=False)}")
        before = ","
    stream.write("[]\n" if before == "[" else "\n]\n")


#: Formats that are written row by row.
WRITERS: dict[str, Callable[[Table, IO[str]], None]] = {"csv": _write_csv, "json": _write_json}


def _strict(value: Any) -> Any:
    value = _plain(value)
    # Most cells are one of these two.
    if isinstance(value, float):
        return value + 0.0 if math.isfinite(value) else None
    if value is None or isinstance(value, str):
        return value
    if isinstance(value, Mapping):
        return {str(key): _strict(item) for key, item in value.items()}
    if isinstance(value, Iterable):
        return [_strict(item) for item in value]
    return value if isinstance(value, int) else str(value)
