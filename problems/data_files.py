"""Files of features and targets; a fault raises a ValueError of one line, with the file and the row."""

from pathlib import Path

import numpy as np

from optbench.problems import data_idx
from optbench.problems.data_csv import read_csv
from optbench.problems.data_libsvm import looks_like_libsvm, read_libsvm
from optbench.problems.data_npz import read_npz
from optbench.problems.data_parquet import read_parquet
from optbench.problems.data_table import Table, without_compression

#: What stands for a missing label, in lower case; None is a word that a class may be called, in other cases.
_MISSING = frozenset(
    {"", "na", "n/a", "nan", "-nan", "<na>", "null", "?", "#na", "#n/a", "#div/0!", "#ref!", "#value!"}
)


def is_data(path: Path) -> bool:
    """Return whether a file is of a known kind of data: by its name, or as LIBSVM text, which often has no ending."""
    return _suffix(path) in READERS or data_idx.is_idx(path) or looks_like_libsvm(path)


def files_of(path: Path) -> tuple[Path, ...]:
    """Return the files that are read for a path: itself, and the labels of images."""
    is_idx = _suffix(path) not in READERS and data_idx.is_idx(path)
    labels = data_idx.labels_of(path) if is_idx and "images" in path.name else path
    return tuple(file for file in dict.fromkeys((path, labels)) if file.is_file())


def read(path: Path) -> Table:
    """Return the table of a file, whose kind its name tells.

    Raises ValueError for a missing file, other contents, no rows, missing labels and numbers that aren't finite.
    """
    if not path.is_file():
        raise ValueError(f"{path}: expected a file, found {'a folder' if path.is_dir() else 'nothing'}")
    table = READERS.get(_suffix(path), _read_idx if data_idx.is_idx(path) else read_libsvm)(path)
    if not table.x.size:
        raise ValueError(f"{path}: expected at least one row and one feature, found an array of {table.x.shape}")
    faults = ~np.isfinite(table.x)
    if faults.any():
        row, column = np.argwhere(faults)[0]
        raise table.fault(row, f"expected a finite number in column {column + 1}, found {table.x[row, column]}")
    if table.y.dtype.kind == "f" and not np.isfinite(table.y).all():
        row = int(np.argmin(np.isfinite(table.y)))
        raise table.fault(row, f"expected a finite target, found {table.y[row]}")
    if table.y.dtype.kind == "U":
        _check_labels(table)
    return table


def _check_labels(table: Table) -> None:
    """Raise ValueError for a text that stands for a missing label."""
    for label in np.unique(table.y):
        if label.strip().lower() in _MISSING or label == "None":
            row = int(np.argmax(table.y == label))
            raise table.fault(row, f"expected a target, found {str(label)!r}, which stands for a missing one")


def _suffix(path: Path) -> str:
    return without_compression(path).suffix.lower()


def _read_idx(path: Path) -> Table:
    images, y = data_idx.read(path)
    _, height, width = images.shape
    x = images.reshape(len(images), height * width)
    return Table(str(path), x, y, np.arange(len(x)) + 1, (height, width))


READERS = {
    ".npz": read_npz,
    ".csv": read_csv,
    ".tsv": read_csv,
    ".data": read_csv,
    ".parquet": read_parquet,
    ".libsvm": read_libsvm,
    ".svm": read_libsvm,
    ".txt": read_libsvm,
}
