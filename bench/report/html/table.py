"""A table as part of a page: sortable, filterable, shaded by how near the best each number is."""

import html
import math
import re
from collections.abc import Mapping, Sequence
from typing import Any

from optbench.present.table import Folded, Table, clean, fold
from optbench.report.html.shading import GROUPS, SHARES, Near, near

#: What rows and series are called by: the columns that a reader filters by.
NAMES = ("problem", "optimizer", "reference", "run")
#: Columns that are told once, above the table, where all rows hold the same.
TOLD_ONCE = ("problem", "batch_size", "dtype", "weight_decay", "num_points", "num_seeds")
#: What a number that is not finite means, for a reader who points at it.
LOST = "infinite: diverged, failed, or never got there"
SHADED = (
    "Shaded: the stronger, the nearer to the best of its problem; pointing at a number tells its ratio to the best."
)


def escape(text: Any) -> str:
    """Escape a text for HTML, in an element or a quoted attribute, and keep it on its line."""
    return html.escape(clean(str(text)))


def breakable(text: Any) -> str:
    """Escape a text for HTML that may go on in a new line after what joins its words."""
    pieces = re.split(r"(?<=[_,=/:.\[])(?=\w)", clean(str(text)))
    return "<wbr>".join(map(html.escape, pieces))


def format_page_table(table: Table, groups: Sequence[str] = GROUPS) -> str:
    """Write a table with its caption, buttons that sort, values to sort by, and its notes."""
    found = fold(table)
    if not found.records:
        return f"<p>{escape(table.title)}: nothing to show.</p>{_notes(table.notes)}"
    once = _told_once(found)
    kept = [place for place, name in enumerate(found.columns) if name not in once]
    shades = {name: near(found.records, name, groups) for name in found.columns}
    numeric = {name for name in found.columns if any(_is_number(record[name]) for record in found.records)}
    head = "".join(_header(found.columns[place], numeric) for place in kept)
    rows = []
    for number, (cells, record) in enumerate(zip(found.cells, found.records, strict=True)):
        inside = [
            _cell(name, cells[place], record[name], shades[name][number], name in numeric, name in found.intervals)
            for place in kept
            for name in [found.columns[place]]
        ]
        rows.append(f'<tr data-name="{escape(_named(record))}">{"".join(inside)}</tr>')
    title = escape(table.title)
    told = f"<small>All rows: {escape('; '.join(f'{name} {text}' for name, text in once.items()))}</small>"
    caption = f"<caption>{title}{told if once else ''}</caption>"
    is_shaded = any(shade is not None for name in found.columns for shade in shades[name])
    return (
        f'<div class="scroll" tabindex="0" role="region" aria-label="{title}">\n<table>\n{caption}\n'
        f"<thead><tr>{head}</tr></thead>\n<tbody>\n{chr(10).join(rows)}\n</tbody>\n</table>\n</div>\n"
        f"{_notes([*([SHADED] if is_shaded else []), *table.notes])}"
    )


def _told_once(found: Folded) -> dict[str, str]:
    """Take what every row holds alike, where there are several rows."""
    columns = {name: {cells[place] for cells in found.cells} for place, name in enumerate(found.columns)}
    alike = {name: next(iter(texts)) for name, texts in columns.items() if name in TOLD_ONCE and len(texts) == 1}
    return alike if len(found.records) > 1 and len(alike) < len(columns) else {}


def _named(record: Mapping[str, Any]) -> str:
    return " / ".join(str(record[name]) for name in NAMES if record.get(name) is not None)


def _is_number(value: Any) -> bool:
    return isinstance(value, int | float) and not isinstance(value, bool) and not math.isnan(value)


def _header(name: str, numeric: set[str]) -> str:
    kind = ' class="number"' if name in numeric else ""
    return f'<th scope="col" aria-sort="none"{kind}><button type="button">{breakable(name)}</button></th>'


def _cell(name: str, text: str, value: Any, shade: Near | None, numeric: bool, has_interval: bool) -> str:
    shown = breakable(text) if name in NAMES else escape(text)
    if has_interval and " [" in text:
        middle, _, interval = text.partition(" [")
        shown = f"{escape(middle)} <small>[{escape(interval)}</small>"
    if name == "optimizer":
        return f'<th scope="row">{shown}</th>'
    return f"<td{_attributes(name, value, shade, numeric)}>{shown}</td>"


def _attributes(name: str, value: Any, shade: Near | None, numeric: bool) -> str:
    """Say how a cell looks, and what it is sorted by where that is no text."""
    if not _is_number(value):
        kind = "name" if name in NAMES else "number" if numeric else "prose" if len(str(value)) > 24 else ""
        return f' class="{kind}"' if kind else ""
    said = f' data-value="{value}"'
    if math.isinf(value):
        return f'{said} class="number lost" title="{LOST}"'
    if shade is None:
        return f'{said} class="number"'
    what = "the best's missing share" if name in SHARES else "the best"
    near_to = "the best here" if shade.ratio == 1 else f"{shade.ratio:.3g} x {what}"
    return f'{said} class="number near" style="--near:{shade.strength:.2f}" title="{near_to}"'


def _notes(notes: Sequence[str]) -> str:
    return "".join(f'<p class="note">{escape(note)}</p>\n' for note in notes)
