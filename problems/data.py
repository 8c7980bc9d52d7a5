"""Load data sets by name or path, and split and scale them: float64 in numpy, the same split for every seed."""

import os
from dataclasses import dataclass, field
from difflib import get_close_matches
from pathlib import Path
from typing import Any

import numpy as np
from jaxtyping import Float, Int

from optbench.problems.data_files import READERS, Table, is_data, read
from optbench.problems.data_idx import NAMES
from optbench.problems.data_table import is_number

#: Data sets of scikit-learn, and whether their target is a class.
BUNDLED = {"breast_cancer": True, "diabetes": False, "digits": True, "iris": True, "wine": True}

#: Rows from which on classes with hardly more than a row each are none.
_MIN_ROWS = 20

Rows = tuple[Float[np.ndarray, "row feature"], Float[np.ndarray, " row"] | Int[np.ndarray, " row"]]


@dataclass(frozen=True)
class Split:
    """Training, test and validation rows; `num_classes` is 0 if the target is a number."""

    train: Rows
    test: Rows | None
    num_classes: int = 0
    #: Height and width, and channels if there are several, if the features are an image's pixels.
    image: tuple[int, ...] | None = None
    #: A row's features are (raw - mean) / spread, and 0 if the spread is 0.
    mean: Float[np.ndarray, " feature"] = field(default_factory=lambda: np.zeros(0))
    spread: Float[np.ndarray, " feature"] = field(default_factory=lambda: np.zeros(0))
    validation: Rows | None = None


def load(data: str, also: tuple[str, ...] = ()) -> Table:
    """Return the table of a bundled set or a file; `also` are names that the caller accepts itself.

    The pixels of digits are divided by 16; the other sets come in their raw units.
    Raises ValueError for an unknown name and for a file that can't be read.
    """
    data = str(data)
    if data in BUNDLED:
        return _bundled(data)
    path = Path(os.path.expanduser(data))
    if is_data(path):
        return read(path)
    names = sorted([*BUNDLED, *also])
    near = get_close_matches(data, names, n=1)
    hint = f"did you mean {near[0]!r}? " if near else ""
    endings = f"{', '.join(READERS)}, each also with .gz, {NAMES}"
    raise ValueError(f"data={data!r} is not known: {hint}expected {', '.join(names)}, or a path ending in {endings}")


def regression(
    table: Table, *, standardize: bool, standardize_target: bool, test_fraction: float, validation_fraction: float = 0.0
) -> Split:
    """Return training, test and validation rows with a number as target.

    Raises ValueError for words and for an empty side.
    """
    if table.y.dtype.kind != "f":
        index = next((index for index, target in enumerate(table.y) if not is_number(target)), 0)
        raise table.fault(index, f"expected a number as target, found {str(table.y[index])!r}")
    train, validation, test = _split(table, test_fraction, validation_fraction)
    x = _standardize(table.x, train) if standardize else table.x
    y = _standardize(table.y, train) if standardize_target else table.y
    others = [(x[rows], y[rows]) if len(rows) else None for rows in (test, validation)]
    return Split((x[train], y[train]), others[0], validation=others[1])


def classification(
    table: Table,
    *,
    standardize: bool,
    test_fraction: float,
    label_noise: float = 0.0,
    validation_fraction: float = 0.0,
) -> Split:
    """Return training, test and validation rows with a class as target, mapped to 0..k-1 in sorted order.

    `label_noise` is the share of training and of validation rows whose label becomes another class, drawn uniformly:
    validation rows are training rows that are held out. The test labels stay true.
    Raises ValueError for targets that are no classes, for a single class, and for an empty side.
    """
    y, num_classes = _classes(table)
    train, validation, test = _split(table, test_fraction, validation_fraction)
    x = _standardize(table.x, train) if standardize else table.x
    mean, spread = _moments(table.x, train) if standardize else (0 * table.x[0], 0 * table.x[0] + 1)
    labels = _flip(y[train], label_noise, num_classes)
    test_rows = (x[test], y[test]) if len(test) else None
    held_out = (x[validation], _flip(y[validation], label_noise, num_classes)) if len(validation) else None
    return Split((x[train], labels), test_rows, num_classes, table.image, mean, spread, held_out)


def num_held_out(num_rows: int, validation_fraction: float) -> int:
    """Count the training rows that are held out to choose settings by; none where no row would be left."""
    num = round(num_rows * validation_fraction)
    return num if num < num_rows else 0


def _bundled(name: str) -> Table:
    from sklearn import datasets

    # by default diabetes is scaled over all its rows, test rows included
    bunch: Any = datasets.load_diabetes(scaled=False) if name == "diabetes" else getattr(datasets, f"load_{name}")()
    x = bunch.data / 16 if name == "digits" else bunch.data
    image = (8, 8) if name == "digits" else None
    return Table(name, x.astype(np.float64), bunch.target.astype(np.float64), np.arange(len(x)) + 1, image)


def _split(table: Table, test_fraction: float, validation_fraction: float) -> tuple[np.ndarray, np.ndarray, np.ndarray]:
    """Return the indices of training, of validation and of test rows, shuffled. Raises ValueError if one side is empty.

    The validation rows are a share of what is left for training: the test rows are the same whatever it is. A file's
    own test rows are those, unless `test_fraction` is 0.
    RandomState, because its stream is frozen across numpy releases.
    """
    if table.num_test:
        return _split_before_test(table, test_fraction, validation_fraction)
    num_rows = len(table.x)
    num_test = round(num_rows * test_fraction)
    if num_test == num_rows or (test_fraction > 0) != (num_test > 0):
        raise ValueError(f"{table.name}: test_fraction={test_fraction} leaves one side of {num_rows} rows empty")
    order = np.random.RandomState(0).permutation(num_rows)
    held_out = num_test + num_held_out(num_rows - num_test, validation_fraction)
    return order[held_out:], order[num_test:held_out], order[:num_test]


def _split_before_test(
    table: Table, test_fraction: float, validation_fraction: float
) -> tuple[np.ndarray, np.ndarray, np.ndarray]:
    """Return the indices of training, of validation and of test rows, if the file has test rows of its own."""
    num_train = len(table.x) - table.num_test
    if not num_train:
        raise ValueError(f"{table.name}: expected training rows, found none beside {table.num_test} test rows")
    order = np.random.RandomState(0).permutation(num_train)
    held_out = num_held_out(num_train, validation_fraction)
    test = np.arange(num_train, len(table.x)) if test_fraction else np.arange(0)
    return order[held_out:], order[:held_out], test


def _standardize(values: np.ndarray, train: np.ndarray) -> np.ndarray:
    """Return columns with mean 0 and population standard deviation 1 over the training rows; constants become 0."""
    mean, spread = _moments(values, train)
    constant = spread == 0
    return (values - mean) * np.where(constant, 0.0, 1 / np.where(constant, 1.0, spread))


def _moments(values: np.ndarray, train: np.ndarray) -> tuple[np.ndarray, np.ndarray]:
    """Return the mean and standard deviation of each column over the training rows; constants have 0."""
    rows = values[train]
    # the range, as a constant's standard deviation is rounding and not always 0
    return rows.mean(axis=0), np.where(np.ptp(rows, axis=0) == 0, 0.0, rows.std(axis=0))


def _classes(table: Table) -> tuple[Int[np.ndarray, " row"], int]:
    if not BUNDLED.get(table.name, True):
        names = ", ".join(name for name, has_classes in BUNDLED.items() if has_classes)
        raise ValueError(f"data={table.name!r} has a number as target: expected classes, as in {names} or a file")
    if table.y.dtype.kind == "f" and (table.y % 1).any():
        index = int(np.argmax(table.y % 1 != 0))
        raise table.fault(index, f"expected a class, a whole number or a word, found {table.y[index]}")
    labels, y = np.unique(table.y, return_inverse=True)
    if len(labels) > 2 and (len(labels) == len(y) or (len(y) >= _MIN_ROWS and 2 * len(labels) > len(y))):
        raise ValueError(
            f"{table.name}: expected classes of some rows each as targets, found {len(labels)} in {len(y)} rows; "
            "is the target a number, or does it number the rows?"
        )
    if len(labels) < 2:
        raise ValueError(f"{table.name}: expected at least two classes, found only {str(labels[0])!r}")
    return y.astype(np.int32), len(labels)


def _flip(y: Int[np.ndarray, " row"], share: float, num_classes: int) -> Int[np.ndarray, " row"]:
    random = np.random.RandomState(1)
    indices = random.permutation(len(y))[: round(share * len(y))]
    noisy = y.copy()
    noisy[indices] = (y[indices] + random.randint(1, num_classes, size=len(indices))) % num_classes
    return noisy
