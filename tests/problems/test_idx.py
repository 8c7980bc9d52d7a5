"""IDX files: images and labels in two files, found by their names; each fault is one line that names the file."""

import gzip
import struct

import numpy as np
import pytest

from optbench.problems.data import classification, load
from optbench.problems.data_files import files_of

IMAGES = np.arange(5 * 2 * 3, dtype=np.uint8).reshape(5, 2, 3) * 8
LABELS = np.array([3, 0, 1, 3, 0], np.uint8)


def idx(array, type_byte=8):
    return struct.pack(f">BBBB{array.ndim}I", 0, 0, type_byte, array.ndim, *array.shape) + array.tobytes()


def write(path, content):
    path.write_bytes(gzip.compress(content) if path.suffix == ".gz" else content)
    return str(path)


NAMES = {
    "train-images-idx3-ubyte": "train-labels-idx1-ubyte",
    "train-images.idx3-ubyte": "train-labels.idx1-ubyte",
    "t10k-images-idx3-ubyte.gz": "t10k-labels-idx1-ubyte.gz",
    "emnist-digits-train-images-idx3-ubyte": "emnist-digits-train-labels-idx1-ubyte",
    "my-images.idx": "my-labels.idx",
    "images.gz": "labels.gz",
}


@pytest.mark.parametrize("name", NAMES)
def test_images_are_read_with_the_labels_beside_them(tmp_path, name):
    path, labels = write(tmp_path / name, idx(IMAGES)), write(tmp_path / NAMES[name], idx(LABELS))
    table = load(path)
    np.testing.assert_array_equal(table.x, IMAGES.reshape(5, 6) / 255)
    np.testing.assert_array_equal(table.y, LABELS)
    assert table.image == (2, 3) and table.x.dtype == table.y.dtype == np.float64
    assert [str(file) for file in files_of(tmp_path / name)] == [path, labels]


def test_sizes_are_big_endian(tmp_path):
    # 256 rows: 00 00 01 00, which read the other way round is 65536
    images = bytes([0, 0, 8, 3, 0, 0, 1, 0, 0, 0, 0, 1, 0, 0, 0, 1]) + bytes(range(256))
    write(tmp_path / "a-labels.idx", bytes([0, 0, 8, 1, 0, 0, 1, 0]) + bytes(range(256)))
    table = load(write(tmp_path / "a-images.idx", images))
    np.testing.assert_array_equal(table.x[:, 0] * 255, table.y)


def test_the_split_keeps_the_shape_and_numbers_the_classes(tmp_path):
    path = write(tmp_path / "a-images.idx", idx(IMAGES))
    write(tmp_path / "a-labels.idx", idx(LABELS))
    split = classification(load(path), standardize=False, test_fraction=0.0)
    assert split.image == (2, 3) and split.num_classes == 3
    x, y = split.train
    assert y[np.argsort(x[:, 0])].tolist() == [2, 0, 1, 2, 0]


def test_other_files_stand_alone(tmp_path):
    assert files_of(tmp_path / "gone.csv") == files_of(tmp_path / "gone-images.idx") == ()
    (tmp_path / "a.csv").write_text("1,0\n")
    assert files_of(tmp_path / "a.csv") == (tmp_path / "a.csv",)
    write(tmp_path / "labels.idx", idx(LABELS))
    assert files_of(tmp_path / "labels.idx") == (tmp_path / "labels.idx",)


FAULTS = {
    "no_images_in_the_name": ("digits.idx", idx(IMAGES), None, "digits.idx: expected a file of images with 'images'"),
    "labels_asked_for": ("labels.idx", idx(LABELS), None, "labels.idx: expected a file of images"),
    "labels_missing": ("a-images.idx", idx(IMAGES), None, "a-images.idx: .*in a-labels.idx, found no such file"),
    "labels_as_images": ("images.idx", idx(LABELS), idx(LABELS), "images.idx: expected images.*3 axes, found 1"),
    "images_as_labels": ("images.idx", idx(IMAGES), idx(IMAGES), "labels.idx: expected labels.*1 axes, found 3"),
    "another_kind": ("images.idx", b"PNG...", idx(LABELS), "images.idx: expected an IDX file.*0x504e472e"),
    "empty": ("images.idx", b"", idx(LABELS), "images.idx: expected an IDX file"),
    "floats": ("images.idx", idx(IMAGES, 0x0D), idx(LABELS), "images.idx: expected unsigned bytes.*found type 0x0d"),
    "signed": ("images.idx", idx(IMAGES), idx(LABELS, 9), "labels.idx: expected unsigned bytes.*found type 0x09"),
    "torn": ("images.idx", idx(IMAGES)[:-1], idx(LABELS), r"images.idx: expected 46 bytes for \[5, 2, 3\] .* 45 bytes"),
    "torn_header": ("images.idx", idx(IMAGES)[:9], idx(LABELS), "images.idx: expected .*found 9 bytes"),
    "longer": ("images.idx", idx(IMAGES), idx(LABELS) + b"!", "labels.idx: expected 13 bytes.*found 14 bytes"),
    "counts": ("images.idx", idx(IMAGES), idx(LABELS[:4]), "images.idx: .* found 5, and 4 in labels.idx"),
    "none": ("images.idx", idx(IMAGES[:0]), idx(LABELS[:0]), "images.idx: expected at least one row"),
}


@pytest.mark.parametrize("fault", FAULTS)
def test_faults_are_told_in_one_line(tmp_path, fault):
    name, images, labels, message = FAULTS[fault]
    path = write(tmp_path / name, images)
    if labels is not None:
        write(tmp_path / name.replace("images", "labels"), labels)
    with pytest.raises(ValueError, match=message) as caught:
        load(path)
    assert str(tmp_path) in str(caught.value) and "\n" not in str(caught.value)


@pytest.mark.parametrize("content", [b"plain text", gzip.compress(idx(IMAGES))[:-9]], ids=["no_gzip", "torn"])
def test_faulty_gzip_is_told(tmp_path, content):
    (tmp_path / "images.gz").write_bytes(content)
    write(tmp_path / "labels.gz", idx(LABELS))
    with pytest.raises(ValueError, match=r"images[.]gz: expected a whole gzip file"):
        load(str(tmp_path / "images.gz"))


def test_missing_files_and_unknown_endings_are_told(tmp_path):
    with pytest.raises(ValueError, match="train-images-idx3-ubyte: expected a file, found nothing"):
        load(str(tmp_path / "train-images-idx3-ubyte"))
    with pytest.raises(ValueError, match=r"expected .*[.]csv.*images-idx3-ubyte.*[.]gz"):
        load("images.png")
