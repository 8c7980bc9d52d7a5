"""A table as part of a page: sortable, filterable, shaded by how near the best each number is."""

import html
import math
from collections.abc import Mapping, Sequence
from typing import Any

from bench.present.shading import GROUPS, SHARES, Near, near
from bench.present.table import Table, clean, fold

#: What rows and series are called by: the columns that a reader filters by.
NAMES = ("problem", "optimizer", "reference", "run")
#: What a number that is not finite means, for a reader who points at it.
LOST = "infinite: diverged, failed, or never got there"


def escape(text: Any) -> str:
    """Escape a text for HTML, in an element or a quoted attribute, and keep it on its line."""
    return html.escape(clean(str(text)))


def format_page_table(table: Table, groups: Sequence[str] = GROUPS) -> str:
    """Write a table with its caption, buttons that sort, values to sort by, and its notes."""
    found = fold(table)
    if not found.records:
        return f"<p>{escape(table.title)}: nothing to show.</p>{_notes(table)}"
    shades = {name: near(found.records, name, groups) for name in found.columns}
    head = "".join(map(_header, found.columns))
    body = "\n".join(
        _row(found.columns, cells, record, [shades[name][place] for name in found.columns], found.intervals)
        for place, (cells, record) in enumerate(zip(found.cells, found.records, strict=True))
    )
    title = escape(table.title)
    return (
        f'<div class="scroll" tabindex="0" role="region" aria-label="{title}">\n<table>\n<caption>{title}</caption>\n'
        f"<thead><tr>{head}</tr></thead>\n<tbody>\n{body}\n</tbody>\n</table>\n</div>\n{_notes(table)}"
    )


def _header(name: str) -> str:
    # A long name may break after its underscores: numbers are narrower than their names.
    shown = escape(name).replace("_", "_<wbr>")
    return f'<th scope="col" aria-sort="none"><button type="button">{shown}</button></th>'


def _row(
    columns: Sequence[str],
    cells: Sequence[str],
    record: Mapping[str, Any],
    shades: Sequence[Near | None],
    folded: set[str],
) -> str:
    named = " / ".join(str(record[name]) for name in NAMES if record.get(name) is not None)
    inside = [
        _cell(name, text, record[name], shade, name in folded)
        for name, text, shade in zip(columns, cells, shades, strict=True)
    ]
    return f'<tr data-name="{escape(named)}">{"".join(inside)}</tr>'


def _cell(name: str, text: str, value: Any, shade: Near | None, has_interval: bool) -> str:
    shown = escape(text).replace(",", ",<wbr>") if name in NAMES else escape(text)
    if has_interval and " [" in text:
        middle, _, interval = text.partition(" [")
        shown = f"{escape(middle)} <small>[{escape(interval)}</small>"
    if name == "optimizer":
        return f'<th scope="row">{shown}</th>'
    return f"<td{_attributes(name, value, shade)}>{shown}</td>"


def _attributes(name: str, value: Any, shade: Near | None) -> str:
    """Say how a cell looks, and what it is sorted by where that is no text."""
    number = isinstance(value, int | float) and not isinstance(value, bool) and not math.isnan(value)
    if not number:
        return ' class="name"' if name in NAMES else "" if value is None or len(str(value)) < 24 else ' class="prose"'
    said = f' data-value="{value}"'
    if math.isinf(value):
        return f'{said} class="number lost" title="{LOST}"'
    if shade is None:
        return f'{said} class="number"'
    what = "the best's missing share" if name in SHARES else "the best"
    near_to = "the best here" if shade.ratio == 1 else f"{shade.ratio:.3g} x {what}"
    return f'{said} class="number near" style="--near:{shade.strength:.2f}" title="{near_to}"'


def _notes(table: Table) -> str:
    return "".join(f'<p class="note">{escape(note)}</p>\n' for note in table.notes)
