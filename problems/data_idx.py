"""Images and their labels in two files of the IDX format, MNIST's; a fault raises a ValueError of one line."""

import gzip
import math
import re
import zlib
from pathlib import Path

import numpy as np
from jaxtyping import Float, UInt8

NAMES = "images-idx3-ubyte, images.idx3-ubyte, .idx or .gz"


def is_idx(path: Path) -> bool:
    """Return whether a file's name is that of IDX, such as `train-images-idx3-ubyte.gz`: most have no suffix."""
    return re.search(r"([.-]idx[0-9]?(-ubyte)?|[.]gz)$", path.name, re.IGNORECASE) is not None


def labels_of(path: Path) -> Path:
    """Return the path of the labels of images: beside them, with `labels` for `images`, and `idx1` for `idx3`.

    Raises ValueError for a name without `images`.
    """
    if "images" not in path.name:
        raise ValueError(f"{path}: expected a file of images with 'images' in its name, as in train-images-idx3-ubyte")
    return path.with_name(path.name.replace("images", "labels").replace("idx3", "idx1"))


def read(path: Path) -> tuple[Float[np.ndarray, "row height width"], Float[np.ndarray, " row"]]:
    """Return images, from 0 to 1, and their labels. Raises ValueError for missing, damaged or unequal files."""
    labels = labels_of(path)
    if not labels.is_file():
        raise ValueError(f"{path}: expected its labels beside it, in {labels.name}, found no such file")
    x, y = _array(path, "images", 3), _array(labels, "labels", 1)
    if len(x) != len(y):
        raise ValueError(f"{path}: expected as many images as labels, found {len(x)}, and {len(y)} in {labels.name}")
    return x / 255, y.astype(np.float64)


def _array(path: Path, noun: str, num_axes: int) -> UInt8[np.ndarray, "..."]:
    """Return the array of one file: two zeros, the type, the number of axes, their big-endian sizes, then the values.

    Raises ValueError for other contents.
    """
    content = _content(path)
    if len(content) < 4 or content[:2] != b"\0\0":
        raise ValueError(f"{path}: expected an IDX file, found one that begins with 0x{content[:4].hex()}")
    if content[2] != 8:
        raise ValueError(f"{path}: expected unsigned bytes, type 0x08, found type 0x{content[2]:02x}")
    if content[3] != num_axes:
        raise ValueError(f"{path}: expected {noun}, an array of {num_axes} axes, found {content[3]}")
    start = 4 + 4 * num_axes
    shape = tuple(np.frombuffer(content[4:start].ljust(4 * num_axes, b"\0"), ">u4").tolist())
    if len(content) != start + math.prod(shape):
        size = f"{len(content)} bytes"
        raise ValueError(f"{path}: expected {start + math.prod(shape)} bytes for {list(shape)} {noun}, found {size}")
    return np.frombuffer(content, np.uint8, offset=start).reshape(shape)


def _content(path: Path) -> bytes:
    try:
        return gzip.decompress(path.read_bytes()) if path.suffix.lower() == ".gz" else path.read_bytes()
    except (OSError, EOFError, zlib.error) as error:
        raise ValueError(f"{path}: expected a whole gzip file, found another kind") from error
