"""Rows of cells of a text file, whatever its encoding and its separator are."""

import csv
import io
import re
from collections import Counter
from collections.abc import Iterator
from itertools import islice
from pathlib import Path
from typing import NamedTuple

from optbench.problems.data_table import content_of, is_number

#: Byte order marks, the longer ones first: that of UTF-16 begins UTF-32's.
_MARKS = (
    (b"\xff\xfe\x00\x00", "utf-32"),
    (b"\x00\x00\xfe\xff", "utf-32"),
    (b"\xef\xbb\xbf", "utf-8-sig"),
    (b"\xff\xfe", "utf-16"),
    (b"\xfe\xff", "utf-16"),
)
_CONTROL = re.compile("[\x00-\x08\x0e-\x1f]")
#: What a spreadsheet writes of a cell that it can't compute: no comment, though it begins with #.
_ERRORS = re.compile(r"#(N/A|NA|DIV/0!|REF!|VALUE!|NAME\?|NUM!|NULL!)", re.IGNORECASE)
#: A line that spreadsheets put on top to name the separator.
_SEPARATOR_LINE = re.compile(r'"?sep=(.)"?\s*', re.IGNORECASE)
#: Between cells; the last one stands for any run of blanks.
SEPARATORS = (",", ";", "\t", "|", " ")
_DECIMAL_COMMA = re.compile(r"[+-]?\d*,\d+([eE][+-]?\d+)?")
_THOUSANDS = re.compile(r"[+-]?[1-9]\d{0,2}(,\d{3})+")
_DECIMAL_POINT = re.compile(r"[+-]?\d*\.\d*([eE][+-]?\d+)?")
#: Rows by which the separator is chosen.
_SAMPLE = 200


class Line(NamedTuple):
    """The cells of a line, and its number in the file, from 1."""

    row: int
    cells: list[str]


def read_lines(path: Path) -> list[Line]:
    """Return the lines of a file that aren't empty or comments, with decimal points in place of decimal commas.

    Raises ValueError for what isn't text, and for numbers of which it can't be told what their commas mean.
    """
    text = _decode(path, content_of(path))
    first = _SEPARATOR_LINE.fullmatch(text.partition("\n")[0])
    try:
        separator = first[1] if first else _separator(text)
        lines = list(_lines(text, separator))
    except csv.Error as error:
        raise ValueError(f"{path}: expected comma-separated text, found what can't be taken apart: {error}") from error
    lines = lines[1:] if first else lines
    return _with_points(path, _without_comments(_without_empty_end(lines)))


def _decode(path: Path, content: bytes) -> str:
    """Return a file's text: by its byte order mark, else UTF-8, else Windows' western encoding.

    Raises ValueError for other contents.
    """
    marked = next((encoding for mark, encoding in _MARKS if content.startswith(mark)), None)
    unmarked = "utf-16-le" if content[1:2] == b"\0" else "utf-16-be" if content[:1] == b"\0" else None
    attempts = [marked] if marked else [unmarked] if unmarked else ["utf-8", "cp1252", "latin-1"]
    for encoding in attempts:
        try:
            text = content.decode(encoding)
        except UnicodeDecodeError:
            continue
        if not _CONTROL.search(text):
            return text
    raise ValueError(f"{path}: expected comma-separated text, found a file that begins with 0x{content[:4].hex()}")


def _lines(text: str, separator: str) -> Iterator[Line]:
    """Yield the lines of a text that aren't blank."""
    if separator == " ":
        rows = ((number, line.split()) for number, line in enumerate(text.splitlines(), start=1))
    else:
        reader = csv.reader(io.StringIO(text, newline=""), delimiter=separator, skipinitialspace=True)
        rows = ((reader.line_num, cells) for cells in reader)
    for number, cells in rows:
        stripped = [cell.strip() for cell in cells]
        if any(stripped):
            yield Line(number, stripped)


def _separator(text: str) -> str:
    """Return what parts the most rows into the same number of cells, most of them numbers."""
    return max(SEPARATORS, key=lambda separator: _fit(text, separator))


def _fit(text: str, separator: str) -> float:
    try:
        lines = _without_comments(list(islice(_lines(text, separator), _SAMPLE)))
    except csv.Error:
        return 0.0
    widths = Counter(len(line.cells) for line in lines)
    width, count = max(widths.items(), key=lambda item: item[1], default=(0, 0))
    if width < 2:
        return 0.0
    features = [cell for line in lines if len(line.cells) == width for cell in line.cells[:-1]]
    numbers = sum(is_number(cell) or _DECIMAL_COMMA.fullmatch(cell) is not None for cell in features)
    return count / len(lines) * (0.1 + numbers / len(features))


def _without_comments(lines: list[Line]) -> list[Line]:
    """Return lines without those that begin with #, on top or unlike the others in their number of cells."""
    width = max(Counter(len(line.cells) for line in lines).items(), key=lambda item: item[1], default=(0, 0))[0]
    on_top, kept = True, []
    for line in lines:
        is_comment = line.cells[0].startswith("#") and not _ERRORS.match(line.cells[0])
        if is_comment and (on_top or len(line.cells) != width):
            continue
        on_top = False
        kept.append(line)
    return kept


def _without_empty_end(lines: list[Line]) -> list[Line]:
    """Return lines without last cells that are empty in all: each line ends with a separator."""
    width = max((len(line.cells) for line in lines), default=0)
    while width > 1 and all(len(line.cells) < width or not line.cells[-1] for line in lines):
        lines = [line._replace(cells=line.cells[: width - 1]) for line in lines]
        width -= 1
    return lines


def _with_points(path: Path, lines: list[Line]) -> list[Line]:
    """Return lines with decimal points, where numbers have decimal commas.

    A comma before three digits may part thousands as well: some number has to show that it doesn't.
    Raises ValueError for numbers with points beside such with commas.
    """
    if not any("," in cell for line in lines for cell in line.cells):
        return lines
    decimals = (
        cell
        for line in lines
        for cell in line.cells
        if _DECIMAL_COMMA.fullmatch(cell) and not _THOUSANDS.fullmatch(cell)
    )
    comma = next(decimals, None)
    if comma is None:
        return lines
    for line in lines:
        for column, cell in enumerate(line.cells, start=1):
            if "." in cell and _DECIMAL_POINT.fullmatch(cell):
                raise ValueError(
                    f"{path}, row {line.row}: expected a decimal comma in column {column}, as in {comma!r} elsewhere, "
                    f"found {cell!r}"
                )
    return [
        line._replace(cells=[cell.replace(",", ".") if _DECIMAL_COMMA.fullmatch(cell) else cell for cell in line.cells])
        for line in lines
    ]
