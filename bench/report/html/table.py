"""A table as part of a page: sortable, filterable, shaded by how near the best each number is."""

import html
import math
import re
from collections.abc import Mapping, Sequence
from typing import Any

from optbench.present.numbers import clean
from optbench.present.table import Folded, Table, fold
from optbench.report.html.shading import GROUPS, SHARES, Near, near

#: The columns that name a row, which a reader filters by.
NAMES = ("problem", "optimizer", "reference", "run")
#: Columns that stand once, above the table, if all rows hold the same.
SHARED = ("problem", "batch_size", "dtype", "weight_decay", "num_points", "num_seeds")
#: The meaning of an infinite number, for a reader who points at it.
INFINITE = "infinite: diverged, failed, or never got there"
SHADED = (
    "Shaded: the stronger, the nearer to the best of its problem; pointing at a number tells its ratio to the best."
)


def escape(text: Any) -> str:
    """Escape a text for HTML, in an element or a quoted attribute, and keep it on its line."""
    return html.escape(clean(str(text)))


def breakable(text: Any) -> str:
    """Escape a text for HTML, and let a line end after each mark that joins words."""
    pieces = re.split(r"(?<=[_,=/:.\[])(?=\w)", clean(str(text)))
    return "<wbr>".join(map(html.escape, pieces))


def format_page_table(table: Table, groups: Sequence[str] = GROUPS) -> str:
    """Write a table with its caption, buttons that sort, values to sort by, and its notes."""
    folded = fold(table)
    if not folded.records:
        return f"<p>{escape(table.title)}: nothing to show.</p>{_notes(table.notes)}"
    shared = _shared_texts(folded)
    columns = [(index, name) for index, name in enumerate(folded.columns) if name not in shared]
    shades = {name: near(folded.records, name, groups) for name in folded.columns}
    numeric = {name for name in folded.columns if any(_is_number(record[name]) for record in folded.records)}
    head = "".join(_header(name, numeric) for _, name in columns)
    rows = []
    for number, (cells, record) in enumerate(zip(folded.cells, folded.records, strict=True)):
        inside = [
            _cell(name, cells[index], record[name], shades[name][number], name in numeric, name in folded.intervals)
            for index, name in columns
        ]
        rows.append(f'<tr data-name="{escape(_row_name(record))}">{"".join(inside)}</tr>')
    title = escape(table.title)
    texts = f"<small>All rows: {escape('; '.join(f'{name} {text}' for name, text in shared.items()))}</small>"
    caption = f"<caption>{title}{texts if shared else ''}</caption>"
    is_shaded = any(shade is not None for name in folded.columns for shade in shades[name])
    return (
        f'<div class="scroll" tabindex="0" role="region" aria-label="{title}">\n<table>\n{caption}\n'
        f"<thead><tr>{head}</tr></thead>\n<tbody>\n{chr(10).join(rows)}\n</tbody>\n</table>\n</div>\n"
        f"{_notes([*([SHADED] if is_shaded else []), *table.notes])}"
    )


def _shared_texts(folded: Folded) -> dict[str, str]:
    """Return by column the text that all rows hold; nothing if there is one row, or no other column."""
    columns = {name: {cells[index] for cells in folded.cells} for index, name in enumerate(folded.columns)}
    shared = {name: next(iter(texts)) for name, texts in columns.items() if name in SHARED and len(texts) == 1}
    return shared if len(folded.records) > 1 and len(shared) < len(columns) else {}


def _row_name(record: Mapping[str, Any]) -> str:
    return " / ".join(str(record[name]) for name in NAMES if record.get(name) is not None)


def _is_number(value: Any) -> bool:
    return isinstance(value, int | float) and not isinstance(value, bool) and not math.isnan(value)


def _header(name: str, numeric: set[str]) -> str:
    style = ' class="number"' if name in numeric else ""
    return f'<th scope="col" aria-sort="none"{style}><button type="button">{breakable(name)}</button></th>'


def _cell(name: str, text: str, value: Any, shade: Near | None, numeric: bool, has_interval: bool) -> str:
    shown = breakable(text) if name in NAMES else escape(text)
    if has_interval and " [" in text:
        median, _, interval = text.partition(" [")
        shown = f"{escape(median)} <small>[{escape(interval)}</small>"
    if name == "optimizer":
        return f'<th scope="row">{shown}</th>'
    return f"<td{_attributes(name, value, shade, numeric)}>{shown}</td>"


def _attributes(name: str, value: Any, shade: Near | None, numeric: bool) -> str:
    """Return the attributes by which a cell is styled, and sorted if it is a number."""
    if not _is_number(value):
        style = "name" if name in NAMES else "number" if numeric else "prose" if len(str(value)) > 24 else ""
        return f' class="{style}"' if style else ""
    number = f' data-value="{value}"'
    if math.isinf(value):
        return f'{number} class="number lost" title="{INFINITE}"'
    if shade is None:
        return f'{number} class="number"'
    best = "the best's missing share" if name in SHARES else "the best"
    ratio = "the best here" if shade.ratio == 1 else f"{shade.ratio:.3g} x {best}"
    return f'{number} class="number near" style="--near:{shade.strength:.2f}" title="{ratio}"'


def _notes(notes: Sequence[str]) -> str:
    return "".join(f'<p class="note">{escape(note)}</p>\n' for note in notes)
