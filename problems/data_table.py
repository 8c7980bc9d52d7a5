"""What a data file comes to, and what all kinds of files share: compression, columns that number the rows."""

import bz2
import gzip
import lzma
import re
import warnings
import zlib
from collections.abc import Sequence
from dataclasses import dataclass
from functools import cache
from pathlib import Path

import numpy as np
from jaxtyping import Float, Int, Shaped

#: The first bytes of each kind of compressed file, what it is called, and what reads it.
_COMPRESSIONS = (
    (b"\x1f\x8b", "gzip", gzip.decompress),
    (b"BZh", "bzip2", bz2.decompress),
    (b"\xfd7zXZ\x00", "xz", lzma.decompress),
)
_COMPRESSED_SUFFIXES = (".gz", ".bz2", ".xz")
#: Names of columns that hold no feature where they number the rows; pandas and R leave theirs without one.
_UNNAMED = re.compile(r"|unnamed: ?\d+|__index_level_\d+__", re.IGNORECASE)
_INDEX = re.compile(r"(index|id|idx|rows?|row[ _]?(id|names?|number|num|index))", re.IGNORECASE)
#: Names of the column that is to be predicted.
_TARGETS = frozenset({"target", "targets", "label", "labels", "class", "classes", "y"})
#: Rows from which on the first column of a file without a header is taken for their number.
_MIN_COUNTED = 20


class DataWarning(UserWarning):
    """Part of a data file was left out, or taken for what it may not be."""


@dataclass(frozen=True)
class Table:
    """The features and targets of a file; targets are numbers or strings."""

    name: str
    x: Float[np.ndarray, "row feature"]
    y: Shaped[np.ndarray, " row"]
    #: The line of each row in its file, from 1.
    rows: Int[np.ndarray, " row"]
    #: Height and width, and channels if there are several, if the features are an image's pixels, row by row.
    image: tuple[int, ...] | None = None
    #: How many rows at the end are the file's own test rows.
    num_test: int = 0

    def fault(self, index: int, message: str) -> ValueError:
        """Return the error of a row, with the file and the row's line."""
        return ValueError(f"{self.name}, row {self.rows[index]}: {message}")


@cache
def warn_once(message: str) -> None:
    """Warn of what was done with a file, once in a process: its problem is made again and again."""
    warnings.warn(message, DataWarning, stacklevel=3)


def without_compression(path: Path) -> Path:
    """Return the path without the ending of a compressed file."""
    return path.with_suffix("") if path.suffix.lower() in _COMPRESSED_SUFFIXES else path


def content_of(path: Path) -> bytes:
    """Return a file's content, decompressed where it is compressed, whatever its name is.

    Raises ValueError for a file that can't be read and for a damaged one.
    """
    try:
        content = path.read_bytes()
    except OSError as error:
        raise ValueError(f"{path}: can't be read: {error.strerror}") from error
    for start, name, decompress in _COMPRESSIONS:
        if content.startswith(start):
            try:
                return decompress(content)
            except (OSError, EOFError, ValueError, zlib.error, lzma.LZMAError) as error:
                raise ValueError(f"{path}: expected a whole {name} file, found a damaged one") from error
    return content


def is_number(cell: str) -> bool:
    """Return whether a text is a number as a program writes it."""
    try:
        float(cell)
    except ValueError:
        return False
    return "_" not in cell


def is_unnamed(name: str) -> bool:
    """Return whether a column has no name of its own, as pandas and R leave that of their index."""
    return _UNNAMED.fullmatch(name.strip()) is not None


def check_target_name(path: Path, names: Sequence[str]) -> None:
    """Raise ValueError if another column than the last is called what only a target is called."""
    lower = [name.strip().lower() for name in names]
    targets = [index for index, name in enumerate(lower) if name in _TARGETS and not (name == "y" and "x" in lower)]
    if len(targets) == 1 and lower[-1] not in _TARGETS:
        index = targets[0]
        raise ValueError(
            f"{path}: expected the target in the last column, found {names[-1]!r} there and {names[index]!r} in column "
            f"{index + 1}; put the target last"
        )


def without_index(
    path: Path,
    names: Sequence[str] | None,
    x: Float[np.ndarray, "row feature"],
    places: Sequence[int] | None = None,
    num_columns: int = 0,
) -> Float[np.ndarray, "row feature"]:
    """Return features without columns that number the rows, and warn of each; the only feature stays.

    Where they are not all columns of the file, `places` are theirs in it, of `num_columns`.
    """
    places = range(x.shape[1]) if places is None else places
    left = max(num_columns, x.shape[1])
    for column in reversed(range(x.shape[1])):
        name = None if names is None else names[column].strip()
        if left > 1 and _numbers_rows(name, places[column], x[:, column]):
            warn_index(path, name, places[column])
            x = np.delete(x, column, axis=1)
            left -= 1
    return x


def warn_index(path: Path, name: str | None, column: int) -> None:
    """Warn that a column was left out."""
    label = f"{name!r}" if name else "which has no name,"
    warn_once(f"{path}: column {column + 1}, {label} numbers the rows: left out of the features")


def _numbers_rows(name: str | None, column: int, values: Float[np.ndarray, " row"]) -> bool:
    whole = bool(np.isfinite(values).all() and (values % 1 == 0).all())
    if not whole or len(values) < 2:
        return False
    if name is None:
        return (
            column == 0 and len(values) >= _MIN_COUNTED and bool((np.diff(values) == 1).all() and values[0] in (0, 1))
        )
    in_order = np.unique(values)
    if is_unnamed(name):
        return len(in_order) == len(values)
    return _INDEX.fullmatch(name) is not None and len(in_order) == len(values) == in_order[-1] - in_order[0] + 1
