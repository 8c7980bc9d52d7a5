"""Tables for a terminal: no wider than it, with what all rows share on a line above, problem by problem."""

import re
import textwrap
from collections.abc import Callable, Mapping, Sequence
from functools import partial
from itertools import chain, groupby
from typing import Any

from optbench.present.numbers import clean
from optbench.present.table import Folded, Table, fold

#: Columns whose values head a group of rows, and stand in its first row alone.
GROUPS = ("problem", "batch_size")
#: A column of prose is broken into lines of at least so many characters before any column is left out.
NARROWEST = 24
GAP = 2
#: Where not even so many of the most important columns fit with their intervals, numbers stand without them.
MOST_IMPORTANT = 5
#: Stands in a blank row, of which tabulate would make no line.
BLANK = "\0"
#: A heading of more characters may take three lines.
LONG_HEADING = 16


def format_plain(table: Table, width: int | None) -> str:
    """Return a table as text of lines of at most so many characters; None shows every column whole.

    Columns that all rows share stand on a line above. Of the others the least important are left out where they don't
    fit, and named below.
    """
    folded = fold(table)
    names, shared = _split(folded)
    names = sorted(names, key=lambda name: name not in GROUPS)
    widths, left_out = _fitting(names, folded, table.important, width)
    if {*table.important[:MOST_IMPORTANT]} & {*left_out} and folded.intervals & {*widths}:
        folded = fold(table, intervals=False)
        widths, left_out = _fitting(names, folded, table.important, width)
        left_out = ["intervals", *left_out]
    rows = [list(cells) for cells in zip(*map(folded.column, widths), strict=True)]
    head = [_broken(name, widths[name]) for name in widths]
    body = tabulated(head, _grouped(rows, list(widths)), "simple", align(rows), list(widths.values()))
    notes = [*_left_out_note(left_out), *table.notes]
    parts = (clean(table.title), _shared_line(shared), body, "\n".join(wrapped(clean(note), width) for note in notes))
    return "\n\n".join(wrapped(text, width) if text in parts[:2] else text for text in parts if text)


def wrapped(text: str, width: int | None, indent: str = "  ") -> str:
    """Return a text in lines of at most so many characters, all but the first indented."""
    if width is None or len(text) <= width:
        return text
    return textwrap.fill(text, width, subsequent_indent=indent, break_long_words=False, break_on_hyphens=False)


def _split(folded: Folded) -> tuple[list[str], dict[str, str]]:
    """Return the columns that differ between rows, and the text of those that all rows share."""
    if len(folded.cells) < 2:
        return folded.columns, {}
    columns = {name: folded.column(name) for name in folded.columns}
    shared = {name: texts[0] for name, texts in columns.items() if len({*texts}) == 1}
    # Rows that are all alike keep their first column.
    names = [name for name in folded.columns if name not in shared] or folded.columns[:1]
    return names, {name: text for name, text in shared.items() if name not in names}


def _shared_line(shared: Mapping[str, str]) -> str:
    listed = ", ".join(f"{_words(name)} {text}" for name, text in shared.items())
    return f"in all rows: {listed}" if shared else ""


def _left_out_note(names: Sequence[str]) -> list[str]:
    listed = ", ".join(names)
    hint = "`optbench table --wide` shows all, as does COLUMNS=200 before a command"
    return [f"not shown for want of width: {listed} ({hint})"] if names else []


def _fitting(
    names: Sequence[str], folded: Folded, important: Sequence[str], width: int | None
) -> tuple[dict[str, int], list[str]]:
    """Return the widths of the columns that fit, and the names of those that are left out."""
    order = sorted(names, key=lambda name: important.index(name) if name in important else len(important))
    # The first column says what a row is of.
    order = sorted(order, key=lambda name: name not in (*GROUPS, names[0] if names else ""))
    widths = {name: _width(name, folded.column(name)) for name in names}
    left_out: list[str] = []
    while width is not None and len(widths) > 1 and _total(_narrowed(widths, folded, width)) > width:
        left_out.append(order.pop())
        del widths[left_out[-1]]
    if width is not None:
        widths = _narrowed(widths, folded, width)
    return widths, [name for name in names if name in left_out]


def _width(name: str, cells: Sequence[str]) -> int:
    """Return the width of a column: that of its widest cell, or of its heading in two lines, a long one in three."""
    words = _words(name)
    narrowest = max(1, *map(len, words.split()), *map(len, cells))
    most = 2 if len(words) <= LONG_HEADING else 3
    return next(width for width in range(narrowest, narrowest + len(words) + 1) if len(_lines(words, width)) <= most)


def _total(widths: Mapping[str, int]) -> int:
    return sum(widths.values()) + GAP * (len(widths) - 1)


def _narrowed(widths: Mapping[str, int], folded: Folded, width: int) -> dict[str, int]:
    """Return widths with columns of prose as narrow as they have to be, and can be."""
    narrow = dict(widths)
    while (excess := _total(narrow) - width) > 0:
        prose = [name for name in narrow if narrow[name] > NARROWEST and _is_prose(folded.column(name))]
        if not prose:
            return dict(widths) if _total(narrow) > width else narrow
        widest = max(prose, key=lambda name: narrow[name])
        narrow[widest] = max(NARROWEST, narrow[widest] - excess)
    return narrow


def _is_prose(cells: Sequence[str]) -> bool:
    return any(cell.count(" ") > 3 and "[" not in cell for cell in cells)


def _grouped(rows: list[list[str]], names: Sequence[str]) -> list[list[str]]:
    """Return rows with a blank one between groups, whose names stand in their first row alone."""
    heads = [index for index, name in enumerate(names) if name in GROUPS]
    groups = [list(members) for _, members in groupby(rows, key=lambda row: [row[index] for index in heads])]
    if not heads or len(groups) == len(rows):
        return rows
    spaced: list[list[str]] = []
    for members in groups:
        spaced += [[BLANK, *[""] * (len(names) - 1)]] if spaced else []
        rest = [["" if index in heads else cell for index, cell in enumerate(row)] for row in members[1:]]
        spaced += [members[0], *rest]
    return spaced


def _broken(name: str, width: int) -> str:
    """Return a heading broken between its words."""
    return "\n".join(_lines(_words(name), width))


def _words(name: str) -> str:
    """Return a heading as words: a spec's parameters are one of their own."""
    return re.sub(r"(?<=\w)\[", " [", clean(name)).replace("_", " ")


#: Rows that tabulate lays out at once.
MANY_ROWS = 1000
_NUMBER = re.compile(r"-|never|diverged|[+-]?(?:inf|\d[\d.]*(?:e[+-]?\d+)?)")


def align(rows: Sequence[Sequence[str]]) -> list[str]:
    """Return the sides that the columns of some rows are set to: numbers right, all else left."""
    return ["right" if all(map(_NUMBER.fullmatch, column)) else "left" for column in zip(*rows, strict=True)]


def tabulated(
    headers: Sequence[str],
    rows: Sequence[Sequence[str]],
    style: str,
    alignments: Sequence[str],
    widths: Sequence[int] | None = None,
) -> str:
    """Return a table in a style of tabulate's, whose cells are broken into lines of at most these widths."""
    # Here, so that naming a format doesn't load it.
    import tabulate as tabulate_module
    from tabulate import tabulate

    # Its headers ask for two blanks more than their cells.
    tabulate_module.MIN_PADDING = 0
    # tabulate refuses alignments without rows to align.
    options: dict[str, Any] = {"colalign": alignments} if rows and headers else {}
    lay_out = partial(tabulate, headers=headers, tablefmt=style, disable_numparse=True, **options)
    if style == "simple" and len(rows) > MANY_ROWS and all(map(str.isascii, chain(*rows))):
        return _lay_many(rows, alignments, lay_out)
    if rows and widths:
        rows = [["\n".join(_lines(cell, width)) for cell, width in zip(row, widths, strict=True)] for row in rows]
    return "\n".join(line.replace(BLANK, " ").rstrip() for line in str(lay_out(rows)).splitlines())


def _lines(text: str, width: int) -> list[str]:
    return textwrap.wrap(text, width, break_on_hyphens=False) or [text]


def _lay_many(
    cells: Sequence[Sequence[str]], alignments: Sequence[str], lay_out: Callable[[list[list[str]]], str]
) -> str:
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
    return "\n".join([*map(str.rstrip, head), *lines])
