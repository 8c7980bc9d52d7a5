"""Tables as text: comma-separated and the like, with a header or without one."""

import re
from collections.abc import Sequence
from itertools import pairwise
from pathlib import Path

import numpy as np

from optbench.problems.data_lines import Line, read_lines
from optbench.problems.data_table import (
    Table,
    check_target_name,
    is_number,
    is_unnamed,
    warn_index,
    warn_once,
    without_index,
)
from optbench.problems.data_words import one_hot, words_of

_WHOLE = re.compile(r"[+-]?\d+")
#: Columns that a first line of whole numbers has to count for it to be a header, if no other row tells.
_MIN_COUNTED = 6


def read_csv(path: Path) -> Table:
    """Return the table of rows of features with the target last.

    Commas, semicolons, tabs, bars or blanks part the cells; a header, a byte order mark, comments and decimal commas
    are understood. Columns that number the rows are left out, and columns of words become a feature for each word, with
    a warning.
    Raises ValueError for cells that are no numbers, rows of unequal length and a target that isn't last.
    """
    lines = _of_one_width(path, read_lines(path))
    names, lines = _header(path, lines)
    width = len(lines[0].cells) if lines else 0
    if width < 2:
        raise ValueError(f"{path}: expected rows of features with the target last, found {len(lines)} x {width} cells")
    if names is not None:
        check_target_name(path, names)
        names, lines = _without_row_names(path, names, lines)
    columns = [[line.cells[i] for line in lines] for i in range(len(lines[0].cells) - 1)]
    words = {i: each for i, cells in enumerate(columns) if (each := words_of(cells))}
    for row, cells in lines:
        column = next((i for i, cell in enumerate(cells[:-1]) if i not in words and not is_number(cell)), None)
        if column is not None and words_of([cell for cell in columns[column] if cell]):
            hole = lines[columns[column].index("")].row
            raise ValueError(f"{path}, row {hole}: expected a word in column {column + 1}, found nothing")
        if column is not None:
            raise ValueError(f"{path}, row {row}: expected a number in column {column + 1}, found {cells[column]!r}")
        if not cells[-1]:
            raise ValueError(f"{path}, row {row}: expected a target in column {len(cells)}, found nothing")
    targets = [line.cells[-1] for line in lines]
    y = np.array([float(target) for target in targets]) if all(map(is_number, targets)) else np.array(targets)
    numbers = [i for i in range(len(columns)) if i not in words]
    x = np.array([[float(line.cells[i]) for i in numbers] for line in lines])
    own = None if names is None else [names[i] for i in numbers]
    hot = [one_hot(path, _label(names, i), columns[i], each) for i, each in words.items()]
    x = np.concatenate([without_index(path, own, x, numbers, len(columns)), *hot], axis=1)
    return Table(str(path), x, y, np.array([line.row for line in lines]))


def _label(names: Sequence[str] | None, column: int) -> str:
    return f"{column + 1}" if names is None else f"{column + 1}, {names[column]!r},"


def _of_one_width(path: Path, lines: list[Line]) -> list[Line]:
    """Return lines of the same number of cells; a header may lack the name of the first column, as R's does.

    Raises ValueError for others.
    """
    widths = {len(line.cells) for line in lines[1:]}
    if len(widths) == 1 and not any(map(is_number, lines[0].cells)) and len(lines[0].cells) + 1 in widths:
        return [lines[0]._replace(cells=["", *lines[0].cells]), *lines[1:]]
    for row, cells in lines:
        if len(cells) != len(lines[0].cells):
            expected = f"{len(lines[0].cells)} columns as in row {lines[0].row}"
            raise ValueError(f"{path}, row {row}: expected {expected}, found {len(cells)}")
    return lines


def _header(path: Path, lines: list[Line]) -> tuple[list[str] | None, list[Line]]:
    """Return the names of the columns, if the first line holds them, and the other lines."""
    if not lines:
        return None, lines
    first, rest = lines[0].cells, [line.cells for line in lines[1:]]
    named = not is_number(first[-1]) and bool(rest) and all(is_number(cells[-1]) for cells in rest)
    if named or not any(map(is_number, first)):
        return first, lines[1:]
    if not _counts_columns(first, rest):
        return None, lines
    if is_number(first[-1]):
        warn_once(f"{path}, row {lines[0].row}: {first[0]}, {first[1]}, ... is taken for a header, not for data")
    return first, lines[1:]


def _counts_columns(first: Sequence[str], rest: Sequence[Sequence[str]]) -> bool:
    """Return whether a line with whole numbers is a header, as pandas writes it for the columns of an array.

    Evidence is that the numbers rise evenly, in this row alone; that columns hold fractions in all other rows; and that
    what stands over the targets is none of them.
    """
    start, end = int(is_unnamed(first[0])), len(first) - (not is_number(first[-1]))
    cells = first[start:end]
    if not rest or len(cells) < 2 or not all(map(_WHOLE.fullmatch, cells)) or len(set(cells)) < len(cells):
        return False
    fractions = sum(not any(_WHOLE.fullmatch(row[column]) for row in rest) for column in range(start, end))
    mostly_fractions = 2 * fractions >= len(cells)
    new_target = all(row[-1] != first[-1] for row in rest)
    if end < len(first):
        return new_target and (mostly_fractions or _rises_evenly(cells))
    if not _rises_evenly(cells) or any(_rises_evenly(row[start:end]) for row in rest if len(cells) > 2):
        return False
    from_zero = cells[0] == "0" and cells[1] == "1"
    if mostly_fractions:
        return from_zero or len(cells) > 3
    return from_zero and len(cells) > 2 and (new_target or len(cells) >= _MIN_COUNTED)


def _rises_evenly(cells: Sequence[str]) -> bool:
    if not all(map(_WHOLE.fullmatch, cells)):
        return False
    steps = {int(after) - int(before) for before, after in pairwise(cells)}
    return len(steps) == 1 and steps != {0}


def _without_row_names(path: Path, names: list[str], lines: list[Line]) -> tuple[list[str], list[Line]]:
    """Return names and lines without a first column that names each row in words, as R writes it."""
    rows = [line.cells[0] for line in lines]
    is_index = is_unnamed(names[0]) and len(names) > 2 and len(set(rows)) == len(rows)
    if not is_index or all(map(is_number, rows)):
        return names, lines
    warn_index(path, names[0], 0)
    return names[1:], [line._replace(cells=line.cells[1:]) for line in lines]
