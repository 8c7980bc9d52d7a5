"""LIBSVM text: `target index:value ...` on each row."""

import io
import re
from collections.abc import Iterator
from pathlib import Path

import numpy as np

from optbench.problems.data_table import Table, content_of, is_number

#: The line that scikit-learn's `dump_svmlight_file` writes on top of its files with a comment.
ZERO_BASED_COMMENT = "column indices are zero-based"
#: Bytes of the largest array that is made of rows, most of whose values may be zero.
MOST_BYTES = 2**34
_LOOKS_LIKE = re.compile(
    rb"(\s*#.*\n)*\s*[+-]?[\d.]+(e[+-]?\d+)?(\s+qid:\d+)?(\s+\d+:[+-]?[\d.]+(e[+-]?\d+)?)+\s*[\n#]", re.I
)


def looks_like_libsvm(path: Path) -> bool:
    """Return whether a file begins as LIBSVM text does; its site's files have names without an ending."""
    return path.is_file() and _LOOKS_LIKE.match(content_of(path)[:100_000]) is not None


def read_libsvm(path: Path) -> Table:
    """Return the table of LIBSVM text: indices count from 1, unless a 0 occurs or scikit-learn's comment is there.

    A file can't tell how wide its data was: features that are zero in every row after the last index are lost.
    Raises ValueError for other text.
    """
    from sklearn.datasets import load_svmlight_file

    content = content_of(path).removeprefix(b"\xef\xbb\xbf")
    text = content.decode("utf-8", errors="replace")
    rows = np.array([row for row, _ in _lines(text)], dtype=np.int64)
    if not len(rows):
        raise ValueError(f"{path}: expected at least one row, found none")
    try:
        # `zero_based="auto"` guesses from the lowest index, and shifted digits to 63 columns.
        x, y = load_svmlight_file(io.BytesIO(content), zero_based=True)  # pyright: ignore[reportArgumentType]
    except (ValueError, OverflowError) as error:
        raise _fault(path, text) from error
    if 8 * x.shape[0] * x.shape[1] > MOST_BYTES:
        size = f"{x.shape[0]} x {x.shape[1]} values, {8 * x.shape[0] * x.shape[1] / 2**30:.0f} GiB with their zeros"
        raise ValueError(f"{path}: expected at most {MOST_BYTES / 2**30:.0f} GiB, found {size}")
    zero_based = ZERO_BASED_COMMENT in text.lower() or (x.indices == 0).any()
    return Table(str(path), x.toarray()[:, 0 if zero_based else 1 :], y, rows)


def _lines(text: str) -> Iterator[tuple[int, list[str]]]:
    for row, line in enumerate(text.split("\n"), start=1):
        if words := line.partition("#")[0].split():
            yield row, words


def _fault(path: Path, text: str) -> ValueError:
    """Return the error of the first row that isn't `target index:value ...` with rising indices."""
    for row, (target, *pairs) in _lines(text):
        if not is_number(target):
            return ValueError(f"{path}, row {row}: expected a number as target, found {target!r}")
        last = -1
        for pair in pairs:
            index, _, value = pair.partition(":")
            if not index.isdecimal() or not is_number(value) or int(index) <= last:
                return ValueError(f"{path}, row {row}: expected 'index:value' with rising indices, found {pair!r}")
            last = int(index)
    return ValueError(f"{path}: expected LIBSVM text, 'target index:value ...' on each row")
