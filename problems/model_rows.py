"""The rows that a model of one's own trains on, is chosen by and is tested on."""

import os
from pathlib import Path
from typing import Any, NamedTuple

import jax
import numpy as np
from jaxtyping import PyTree

from optbench.problems import accept
from optbench.problems.data import load, num_held_out

#: Inputs, an array or a tree of arrays that lead with [row], and targets [row, ...].
Rows = tuple[PyTree[Any], np.ndarray]


class Split(NamedTuple):
    """Rows by what they are for."""

    train: Rows
    validation: Rows | None
    test: Rows | None


def split(
    train: Any, test: Any, *, has_classes: bool, validation_fraction: float, test_fraction: float
) -> tuple[Split, tuple[str, ...]]:
    """Return the rows, shuffled once and for all, and the names of their classes where those had to be numbered.

    `train` and `test` are (x, y) or a path; without `test`, a file's own test rows or a share of the rows are those.
    Raises ValueError for what is no such thing, for unequal lengths and for values that aren't finite.
    """
    accept.number("validation_fraction", validation_fraction, below=1)
    accept.number("test_fraction", test_fraction, below=1)
    rows, num_test, from_file = _rows("train", train)
    if test is None:
        order = np.random.RandomState(0).permutation(len(rows[1]) - num_test)
        held_out = 0 if num_test else round(len(order) * test_fraction)
        tested, order = order[:held_out], order[held_out:]
        tested = np.arange(len(rows[1]) - num_test, len(rows[1])) if num_test else tested
        of_test = _take(rows, tested)
    else:
        order, of_test = np.random.RandomState(0).permutation(len(rows[1])), _rows("test", test)[0]
    held_out = num_held_out(len(order), validation_fraction)
    of_train, of_validation = _take(rows, order[held_out:]), _take(rows, order[:held_out])
    if not len(of_train[1]):
        raise ValueError(f"train: expected rows to train on, found {len(rows[1])} in all")
    if from_file:
        of_train, of_validation, of_test = _standardized(of_train, of_validation, of_test)
    several = [of_train, of_validation, of_test]
    names, several = _numbered(several) if has_classes else ((), several)
    first, *others = several
    return Split(first, *(one if len(one[1]) else None for one in others)), names


def _rows(name: str, given: Any) -> tuple[Rows, int, bool]:
    """Return inputs and targets, the number of a file's own test rows, and whether they are columns of a file."""
    if isinstance(given, str | os.PathLike):
        table = load(os.fspath(given))
        x = table.x.reshape(len(table.x), *table.image) if table.image else table.x
        return (x, table.y), getattr(table, "num_test", 0), not table.image
    if not isinstance(given, tuple | list) or len(given) != 2:
        raise ValueError(f"{name}: {type(given).__name__} is not accepted; accepted: (x, y) or a path")
    inputs = np.asarray(given[0]) if _is_nested_list(given[0]) else given[0]
    x, y = jax.tree.map(_array, inputs), _array(given[1])
    lengths = {len(leaf) if np.ndim(leaf) else 0 for leaf in (*jax.tree.leaves(x), y)}
    if len(lengths) != 1:
        shapes = ", ".join(str(list(np.shape(leaf))) for leaf in jax.tree.leaves(x))
        raise ValueError(f"{name}: expected as many inputs as targets, found x {shapes} and y {list(np.shape(y))}")
    for leaf in jax.tree.leaves(x):
        if leaf.dtype.kind not in "biufc":
            raise ValueError(f"{name}: expected numbers as inputs, found {leaf.dtype}")
        _check_finite(name, "x", leaf)
    _check_finite(name, "y", y)
    return (x, y), 0, False


def _is_nested_list(given: Any) -> bool:
    """Return whether inputs are lists of numbers, and not several arrays or paths of them."""
    return isinstance(given, list) and all(isinstance(leaf, int | float | complex) for leaf in jax.tree.leaves(given))


def _array(given: Any) -> np.ndarray:
    """Return an array; a path of an .npy file is mapped into memory."""
    if isinstance(given, str | os.PathLike):
        try:
            return np.load(Path(given).expanduser(), mmap_mode="r", allow_pickle=False)
        except (OSError, ValueError, EOFError) as error:
            raise ValueError(f"{given}: expected an .npy file of numbers, found another kind or nothing") from error
    array = np.asarray(given)
    if array.dtype.kind == "O":
        raise ValueError(f"expected an array of numbers or words, found Python objects of shape {list(array.shape)}")
    return array


def _check_finite(name: str, part: str, array: np.ndarray) -> None:
    if array.dtype.kind not in "fc":
        return
    for first in range(0, len(array), 4096):
        faults = ~np.isfinite(array[first : first + 4096])
        if faults.any():
            row = first + int(np.argwhere(faults)[0][0])
            raise ValueError(f"{name}: expected finite numbers, found {part}[{row}] with one that isn't")


def _take(rows: Rows, index: np.ndarray) -> Rows:
    """Select rows; in the order of a file that is mapped into memory, so that it is read once."""
    in_order = np.argsort(index, kind="stable")
    back = np.argsort(in_order, kind="stable")
    return jax.tree.map(lambda a: np.asarray(a[index[in_order]])[back], rows)


def _standardized(*parts: Rows) -> list[Rows]:
    """Return columns with mean 0 and standard deviation 1 over the first part's rows; constants become 0."""
    x = parts[0][0]
    mean, spread = x.mean(axis=0), np.where(np.ptp(x, axis=0) == 0, 0.0, x.std(axis=0))
    scale = np.divide(1.0, spread, out=np.zeros_like(spread), where=spread > 0)
    return [((part[0] - mean) * scale, part[1]) for part in parts]


def _numbered(parts: list[Rows]) -> tuple[tuple[str, ...], list[Rows]]:
    """Return the names of classes, and rows whose words, truth values or decimals are 0 to k - 1 in sorted order.

    Whole numbers stay what they are, and so do rows of shares, as one-hot labels are.
    """
    y = parts[0][1]
    if y.dtype.kind in "iu" or (y.dtype.kind == "f" and y.ndim > 1):
        return (), parts
    if y.dtype.kind == "f" and (y % 1).any():
        row = int(np.argmax(y % 1 != 0))
        raise ValueError(f"train: expected classes as targets, found {y[row]}; for numbers: loss='squared_error'")
    labels = np.unique(np.concatenate([part[1] for part in parts]))
    return tuple(map(str, labels)), [(x, np.searchsorted(labels, y).astype(np.int32)) for x, y in parts]
