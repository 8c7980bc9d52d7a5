"""Files of features and targets; a fault raises a ValueError of one line, with the file and the row."""

import csv
import zipfile
from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path

import numpy as np
from jaxtyping import Float, Int, Shaped

from optbench.problems import data_idx

#: The line that scikit-learn's `dump_svmlight_file` writes on top of its files with a comment.
ZERO_BASED_COMMENT = "column indices are zero-based"


@dataclass(frozen=True)
class Table:
    """The features and targets of a file; targets are numbers or strings."""

    name: str
    x: Float[np.ndarray, "row feature"]
    y: Shaped[np.ndarray, " row"]
    #: The line of each row in its file, from 1.
    rows: Int[np.ndarray, " row"]
    #: Height and width, if the features are an image's pixels, row by row.
    image: tuple[int, int] | None = None

    def fault(self, index: int, message: str) -> ValueError:
        """Return the error of a row, with the file and the row's line."""
        return ValueError(f"{self.name}, row {self.rows[index]}: {message}")


def is_data(path: Path) -> bool:
    """Return whether a file's name is that of a known kind of data."""
    return path.suffix.lower() in READERS or data_idx.is_idx(path)


def files_of(path: Path) -> tuple[Path, ...]:
    """Return the files that are read for a path: itself, and the labels of images."""
    labels = data_idx.labels_of(path) if data_idx.is_idx(path) and "images" in path.name else path
    return tuple(file for file in dict.fromkeys((path, labels)) if file.is_file())


def read(path: Path) -> Table:
    """Return the table of a file, whose kind its name tells.

    Raises ValueError for a missing file, other contents, no rows and numbers that aren't finite.
    """
    if not path.is_file():
        raise ValueError(f"{path}: expected a file, found {'a folder' if path.is_dir() else 'nothing'}")
    table = READERS.get(path.suffix.lower(), _read_idx)(path)
    if not table.x.size:
        raise ValueError(f"{path}: expected at least one row and one feature, found an array of {table.x.shape}")
    faults = ~np.isfinite(table.x)
    if faults.any():
        row, column = np.argwhere(faults)[0]
        raise table.fault(row, f"expected a finite number in column {column + 1}, found {table.x[row, column]}")
    if table.y.dtype.kind == "f" and not np.isfinite(table.y).all():
        row = int(np.argmin(np.isfinite(table.y)))
        raise table.fault(row, f"expected a finite target, found {table.y[row]}")
    return table


def _read_npz(path: Path) -> Table:
    try:
        # opened here, as np.load leaves a torn file open
        with path.open("rb") as stream, np.load(stream, allow_pickle=False) as file:
            arrays = {name: file[name] for name in file.files}
    except (OSError, ValueError, EOFError, AttributeError, TypeError, zipfile.BadZipFile) as error:
        raise ValueError(f"{path}: expected an .npz file of arrays x and y, found another kind") from error
    if not {"x", "y"} <= arrays.keys():
        raise ValueError(f"{path}: expected arrays x and y, found {', '.join(sorted(arrays)) or 'none'}")
    x, y = arrays["x"], arrays["y"]
    if x.ndim != 2 or x.dtype.kind not in "biuf" or y.ndim != 1 or y.dtype.kind not in "biufU":
        shapes = f"x {x.dtype}{list(x.shape)} and y {y.dtype}{list(y.shape)}"
        raise ValueError(f"{path}: expected numbers x[row, feature] and y[row], found {shapes}")
    if len(x) != len(y):
        row = min(len(x), len(y)) + 1
        raise ValueError(f"{path}, row {row}: expected as many rows as targets, found x of {len(x)}, y of {len(y)}")
    y = y if y.dtype.kind == "U" else y.astype(np.float64)
    return Table(str(path), x.astype(np.float64), y, np.arange(len(x)) + 1)


def _read_csv(path: Path) -> Table:
    try:
        with path.open(newline="", encoding="utf-8-sig") as file:
            reader = csv.reader(file)
            lines = [(reader.line_num, cells) for cells in reader if cells]
    except (UnicodeDecodeError, csv.Error) as error:
        raise ValueError(f"{path}: expected comma-separated UTF-8 text, found another kind") from error
    width = len(lines[0][1]) if lines else 0
    for row, cells in lines:
        if len(cells) != width:
            raise ValueError(f"{path}, row {row}: expected {width} columns as in row {lines[0][0]}, found {len(cells)}")
    if lines and _is_header([cells for _, cells in lines]):
        lines = lines[1:]
    if not lines or width < 2:
        raise ValueError(f"{path}: expected rows of features with the target last, found {len(lines)} x {width} cells")
    for row, cells in lines:
        column = next((i for i, cell in enumerate(cells[:-1]) if not _is_number(cell)), None)
        if column is not None:
            raise ValueError(f"{path}, row {row}: expected a number in column {column + 1}, found {cells[column]!r}")
        if not cells[-1].strip():
            raise ValueError(f"{path}, row {row}: expected a target in column {width}, found nothing")
    targets = [cells[-1].strip() for _, cells in lines]
    y = np.array([float(t) for t in targets]) if all(map(_is_number, targets)) else np.array(targets)
    x = np.array([[float(cell) for cell in cells[:-1]] for _, cells in lines])
    return Table(str(path), x, y, np.array([row for row, _ in lines]))


def _is_header(lines: list[list[str]]) -> bool:
    """Return whether the first line is a header: it has no number, or only its target isn't one, unlike the rest."""
    first, *rest = lines
    if not any(map(_is_number, first)):
        return True
    return not _is_number(first[-1]) and bool(rest) and all(_is_number(cells[-1]) for cells in rest)


def _is_number(cell: str) -> bool:
    try:
        float(cell)
    except ValueError:
        return False
    return True


def _read_libsvm(path: Path) -> Table:
    """Return the table of LIBSVM text: indices count from 1, unless a 0 occurs or scikit-learn's comment is there.

    A file can't tell how wide its data was: features that are zero in every row after the last index are lost.
    """
    from sklearn.datasets import load_svmlight_file

    text = path.read_text(encoding="utf-8", errors="replace")
    rows = np.array([row for row, _ in _libsvm_lines(text)], dtype=np.int64)
    if not len(rows):
        raise ValueError(f"{path}: expected at least one row, found none")
    try:
        # `zero_based="auto"` guesses from the lowest index, and shifted digits to 63 columns.
        x, y = load_svmlight_file(str(path), zero_based=True)  # pyright: ignore[reportArgumentType]
    except (ValueError, OverflowError) as error:
        raise _libsvm_fault(path, text) from error
    zero_based = ZERO_BASED_COMMENT in text.lower() or (x.indices == 0).any()
    return Table(str(path), x.toarray()[:, 0 if zero_based else 1 :], y, rows)


def _libsvm_lines(text: str) -> Iterator[tuple[int, list[str]]]:
    for row, line in enumerate(text.split("\n"), start=1):
        if words := line.partition("#")[0].split():
            yield row, words


def _libsvm_fault(path: Path, text: str) -> ValueError:
    """Return the error of the first row that isn't `target index:value ...` with rising indices."""
    for row, (target, *pairs) in _libsvm_lines(text):
        if not _is_number(target):
            return ValueError(f"{path}, row {row}: expected a number as target, found {target!r}")
        last = -1
        for pair in pairs:
            index, _, value = pair.partition(":")
            if not index.isdecimal() or not _is_number(value) or int(index) <= last:
                return ValueError(f"{path}, row {row}: expected 'index:value' with rising indices, found {pair!r}")
            last = int(index)
    return ValueError(f"{path}: expected LIBSVM text, 'target index:value ...' on each row")


def _read_idx(path: Path) -> Table:
    images, y = data_idx.read(path)
    _, height, width = images.shape
    x = images.reshape(len(images), height * width)
    return Table(str(path), x, y, np.arange(len(x)) + 1, (height, width))


READERS = {".npz": _read_npz, ".csv": _read_csv, ".libsvm": _read_libsvm, ".svm": _read_libsvm, ".txt": _read_libsvm}
