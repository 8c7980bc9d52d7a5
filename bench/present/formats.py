"""Tables as text: for a terminal, Markdown, LaTeX, HTML, CSV and JSON."""

import csv
import html
import io
import json
import math
import re
from collections.abc import Callable, Iterable, Mapping
from typing import IO, Any, Literal, get_args

from optbench.errors import check_name
from optbench.present.latex import format_latex
from optbench.present.numbers import clean
from optbench.present.plain import align, format_plain, tabulated
from optbench.present.table import Table, fold, plain_value, records

Format = Literal["plain", "github", "latex", "html", "csv", "json"]
FORMATS: tuple[str, ...] = get_args(Format)


def format_table(table: Table, format: str = "plain", width: int | None = None) -> str:
    """Return a table as text, without a newline at the end; plain text in lines of at most so many characters.

    Raises RequestError for an unknown format.
    """
    check_name(format, FORMATS, "format")
    if format in WRITERS:
        text = io.StringIO()
        WRITERS[format](table, text)
        return text.getvalue().removesuffix("\n")
    return format_plain(table, width) if format == "plain" else FORMATTERS[format](table)


def write_table(table: Table, format: str, stream: IO[str], width: int | None = None) -> None:
    """Write what `format_table` returns, and a newline; CSV and JSON row by row, so that not all rows are in memory.

    Raises RequestError for an unknown format.
    """
    if format in WRITERS:
        WRITERS[format](table, stream)
    else:
        stream.write(format_table(table, format, width) + "\n")


def _escape_markdown(text: str) -> str:
    return re.sub(r"([\\|*`])", r"\\\1", text).replace("<", "&lt;")


def _format_github(table: Table) -> str:
    folded = fold(table)
    headers = [_escape_markdown(clean(name)) for name in folded.columns]
    rows = [list(map(_escape_markdown, cells)) for cells in folded.cells]
    # tabulate's "github" drops the alignment of numbers, which its "pipe" keeps and GitHub understands.
    body = tabulated(headers, rows, "pipe", align(folded.cells))
    notes = "\n".join(_escape_markdown(clean(note)) for note in table.notes)
    return "\n\n".join(part for part in (_escape_markdown(clean(table.title)), body, notes) if part)


def _format_html(table: Table) -> str:
    folded = fold(table)
    sides = align(folded.cells)
    styles = [' style="text-align: right"' if side == "right" else "" for side in sides] or [""] * len(folded.columns)

    def line(tag: str, cells: list[str]) -> str:
        pairs = zip(styles, cells, strict=True)
        return f"<tr>{''.join(f'<{tag}{style}>{html.escape(cell)}</{tag}>' for style, cell in pairs)}</tr>"

    caption = [f"<caption>{html.escape(clean(table.title))}</caption>"] if table.title else []
    body = [line("td", row) for row in folded.cells]
    notes = [f"<p>{html.escape(clean(note))}</p>" for note in table.notes]
    head = ["<thead>", line("th", list(map(clean, folded.columns))), "</thead>"]
    return "\n".join(["<table>", *caption, *head, "<tbody>", *body, "</tbody>", "</table>", *notes])


#: Formats beside plain text that are laid out as a whole.
FORMATTERS: dict[str, Callable[[Table], str]] = {"github": _format_github, "html": _format_html, "latex": format_latex}


def _write_csv(table: Table, stream: IO[str]) -> None:
    writer = csv.writer(stream, lineterminator="\n")
    writer.writerow(table.columns)
    for row in records(table):
        writer.writerow(map(_csv_cell, row.values()))


def _csv_cell(value: Any) -> Any:
    if isinstance(value, bool):
        return "true" if value else "false"
    # A tuple: `list | tuple | dict` would be made anew for each of millions of cells.
    return json.dumps(_strict(value), allow_nan=False) if isinstance(value, (list, tuple, dict)) else value


def _write_json(table: Table, stream: IO[str]) -> None:
    """Write one row a line: strict JSON, with null for numbers that are not finite."""
    before = "["
    for row in records(table):
        stream.write(f"{before}\n{json.dumps(_strict(row), allow_nan=False)}")
        before = ","
    stream.write("[]\n" if before == "[" else "\n]\n")


#: Formats that are written row by row.
WRITERS: dict[str, Callable[[Table, IO[str]], None]] = {"csv": _write_csv, "json": _write_json}


def _strict(value: Any) -> Any:
    value = plain_value(value)
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
