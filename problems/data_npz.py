"""Arrays that numpy saved: features and targets, as rows or as images, with test rows of their own or without."""

import io
import math
import zipfile
from pathlib import Path
from typing import Any

import numpy as np
from jaxtyping import Float, Shaped

from optbench.problems.data_table import Table, content_of

_NAMES = ("x", "y")
#: As keras' data sets are saved.
_SPLIT_NAMES = ("x_train", "y_train", "x_test", "y_test")


def read_npz(path: Path) -> Table:
    """Return the table of arrays x and y, or of x_train, y_train, x_test and y_test, in lower or upper case.

    x[row, feature], or images[row, height, width(, channel)], whose bytes are divided by 255. y[row] is a number, a
    text, a truth value or a row of 0 and a single 1; other arrays aren't looked at.
    Raises ValueError for other arrays and other files.
    """
    try:
        file = np.load(io.BytesIO(content_of(path)), allow_pickle=False)
        keys = list(file.files)
    except (OSError, EOFError, AttributeError, TypeError, zipfile.BadZipFile, ValueError) as error:
        if str(error).startswith(f"{path}: "):
            raise
        raise ValueError(f"{path}: expected an .npz file of arrays x and y, found another kind") from error
    with file:
        names = _names(path, keys)
        arrays = [_array(path, file, name) for name in names]
    parts = [_part(path, names[i : i + 2], *arrays[i : i + 2]) for i in range(0, len(arrays), 2)]
    for i, (x, _, image) in enumerate(parts):
        if x.shape[1] != parts[0][0].shape[1] or image != parts[0][2]:
            raise ValueError(f"{path}: expected {names[2 * i]} as wide as {names[0]}, found {x.shape[1]} features")
    if len({y.dtype.kind for _, y, _ in parts}) > 1:
        raise ValueError(f"{path}: expected {names[1]} and {names[3]} of one type, found numbers and text")
    x, y = np.concatenate([x for x, _, _ in parts]), np.concatenate([y for _, y, _ in parts])
    rows = np.concatenate([np.arange(len(part[0])) + 1 for part in parts])
    return Table(str(path), x, y, rows, parts[0][2], sum(len(part[0]) for part in parts[1:]))


def _names(path: Path, keys: list[str]) -> list[str]:
    """Return the arrays' names as they are spelled. Raises ValueError if some are missing or there twice."""
    lower = [key.lower() for key in keys]
    for names in (_SPLIT_NAMES, _NAMES):
        if all(lower.count(name) == 1 for name in names):
            return [keys[lower.index(name)] for name in names]
    raise ValueError(
        f"{path}: expected arrays x and y, or {', '.join(_SPLIT_NAMES)}, found {', '.join(sorted(keys)) or 'none'}"
    )


def _array(path: Path, file: Any, name: str) -> Shaped[np.ndarray, "..."]:
    try:
        return file[name]
    except ValueError as error:
        if "Object arrays" not in str(error):
            raise ValueError(f"{path}: array {name} is damaged") from error
        kind = "str" if name.lower().startswith("y") else "float"
        raise ValueError(f"{path}: array {name} holds Python objects; save {name}.astype({kind})") from error
    except (EOFError, OSError, zipfile.BadZipFile) as error:
        raise ValueError(f"{path}: array {name} is damaged") from error


def _part(
    path: Path, names: list[str], x: Shaped[np.ndarray, "..."], y: Shaped[np.ndarray, "..."]
) -> tuple[Float[np.ndarray, "row feature"], Shaped[np.ndarray, " row"], tuple[int, ...] | None]:
    """Return features, targets and the shape of images. Raises ValueError for arrays of other shapes or types."""
    flat = _labels(y)
    shapes = f"{names[0]} {x.dtype}{list(x.shape)} and {names[1]} {y.dtype}{list(y.shape)}"
    if x.ndim not in (2, 3, 4) or x.dtype.kind not in "biuf" or flat.ndim != 1 or flat.dtype.kind not in "biufU":
        raise ValueError(
            f"{path}: expected numbers {names[0]}[row, feature] or images[row, height, width(, channel)], "
            f"and {names[1]}[row], found {shapes}"
        )
    if x.ndim == 4 and x.shape[1] in (1, 3, 4) and x.shape[3] not in (1, 3, 4):
        raise ValueError(
            f"{path}: expected images[row, height, width, channel], found {shapes}, which looks like channels first; "
            f"save {names[0]}.transpose(0, 2, 3, 1)"
        )
    if len(x) != len(flat):
        found = f"{names[0]} of {len(x)}, {names[1]} of {len(flat)}"
        raise ValueError(f"{path}, row {min(len(x), len(flat)) + 1}: expected as many rows as targets, found {found}")
    features = x.reshape(len(x), math.prod(x.shape[1:])).astype(np.float64)
    if x.ndim > 2 and x.dtype == np.uint8:
        features /= 255
    image = (x.shape[1:3] if x.ndim == 3 or x.shape[3] == 1 else x.shape[1:]) if x.ndim > 2 else None
    return features, flat if flat.dtype.kind == "U" else flat.astype(np.float64), image


def _labels(y: Shaped[np.ndarray, "..."]) -> Shaped[np.ndarray, "..."]:
    """Return targets as numbers or text, one a row: of a column its values, of a row with a single 1 its place."""
    if y.dtype.kind == "S":
        y = np.char.decode(y, "utf-8", "replace")
    if y.ndim != 2 or y.dtype.kind not in "biufU":
        return y
    if y.shape[1] == 1:
        return y[:, 0]
    is_one_hot = y.dtype.kind in "biuf" and np.isin(y, (0, 1)).all() and (y.sum(axis=1) == 1).all()
    return y.argmax(axis=1) if is_one_hot else y
