"""Arrays and columns that numpy, keras and pandas saved: rows, images, labels, test rows of their own."""

import gzip

import jax
import numpy as np
import pyarrow as pa
import pytest
from pyarrow import parquet

from optbench.problems.data import classification, load
from optbench.problems.data_table import DataWarning
from optbench.problems.networks.cnn import cnn
from optbench.problems.networks.mlp import mlp

RANDOM = np.random.default_rng(0)
X, Y = RANDOM.normal(size=(20, 4)), np.arange(20) % 2


def npz(path, **arrays):
    np.savez(path, **arrays)
    return str(path)


LABELS = {
    "one-hot": (np.eye(2)[Y], Y),
    "one-hot truth values": (np.eye(2)[Y] > 0, Y),
    "a column": (Y[:, None], Y),
    "truth values": (Y > 0, Y),
    "bytes": (np.array([b"cat", b"dog"])[Y], np.array(["cat", "dog"])[Y]),
    "text": (np.array(["cat", "dog"])[Y], np.array(["cat", "dog"])[Y]),
}


@pytest.mark.parametrize("kind", LABELS)
def test_labels_are_read_as_they_are_saved(tmp_path, kind):
    labels, expected = LABELS[kind]
    table = load(npz(tmp_path / "a.npz", X=X, y=labels))
    np.testing.assert_array_equal(table.x, X)
    assert table.y.tolist() == expected.tolist()


def test_two_marks_in_a_row_are_no_label(tmp_path):
    with pytest.raises(ValueError, match=r"expected numbers x\[row, feature\].* found .* y float64\[20, 3\]"):
        load(npz(tmp_path / "a.npz", x=X, y=np.tile([1.0, 1.0, 0.0], (20, 1))))


@pytest.mark.parametrize(
    "spell", [str, str.upper, lambda name: name.replace("x", "X")], ids=["lower", "upper", "mixed"]
)
def test_test_rows_of_the_file_are_the_test_rows(tmp_path, spell):
    arrays = {"x_train": X, "y_train": Y, "x_test": X[:6] + 10, "y_test": Y[:6]}
    table = load(npz(tmp_path / "a.npz", **{spell(name): array for name, array in arrays.items()}))
    words = {"standardize": False, "validation_fraction": 0.2}
    split = classification(table, test_fraction=0.2, **words)
    np.testing.assert_array_equal(split.test[0], X[:6] + 10)
    assert len(split.train[0]) == 16 and len(split.validation[0]) == 4
    np.testing.assert_array_equal(np.unique([*split.train[0], *split.validation[0]], axis=0), np.unique(X, axis=0))
    without = classification(table, test_fraction=0.0, **words)
    assert without.test is None and len(without.train[0]) == 16


def test_test_rows_of_another_width_are_refused(tmp_path):
    with pytest.raises(ValueError, match="expected x_test as wide as x_train, found 3 features"):
        load(npz(tmp_path / "a.npz", x_train=X, y_train=Y, x_test=X[:, :3], y_test=Y))


def test_python_objects_are_told_by_the_name_of_their_array(tmp_path):
    words = np.array(["cat", "dog"])[Y].astype(object)
    with pytest.raises(ValueError, match=r"a.npz: array y holds Python objects; save y.astype\(str\)"):
        load(npz(tmp_path / "a.npz", x=X, y=words))
    assert len(load(npz(tmp_path / "b.npz", x=X, y=Y, names=words)).x) == 20


def test_images_keep_their_shape_and_bytes_become_shares(tmp_path):
    images = RANDOM.integers(0, 256, (20, 3, 2), dtype=np.uint8)
    table = load(npz(tmp_path / "grey.npz", x=images, y=Y))
    np.testing.assert_array_equal(table.x, images.reshape(20, 6) / 255)
    assert table.image == (3, 2)
    assert load(npz(tmp_path / "one.npz", x=images[..., None], y=Y)).image == (3, 2)
    colours = RANDOM.normal(size=(20, 4, 4, 3))
    table = load(npz(tmp_path / "colours.npz", x=colours, y=Y))
    np.testing.assert_array_equal(table.x, colours.reshape(20, 48))
    assert table.image == (4, 4, 3)
    with pytest.raises(ValueError, match=r"looks like channels first; save x.transpose\(0, 2, 3, 1\)"):
        load(npz(tmp_path / "first.npz", x=RANDOM.normal(size=(20, 3, 6, 6)), y=Y))


def test_compressed_arrays_are_read(tmp_path):
    path = npz(tmp_path / "a.npz", x=X, y=Y)
    (tmp_path / "b.npz.gz").write_bytes(gzip.compress((tmp_path / "a.npz").read_bytes()))
    np.testing.assert_array_equal(load(str(tmp_path / "b.npz.gz")).x, load(path).x)


def test_a_convolution_sees_the_channels_of_a_pixel(tmp_path):
    colours = RANDOM.normal(size=(20, 4, 4, 3))
    problem = cnn(data=npz(tmp_path / "a.npz", x=colours, y=Y), width=2, depth=1, standardize=False, test_fraction=0.0)
    params = problem.init(jax.random.key(0))
    kernel = np.asarray(params["layers"][0]["kernel"])
    assert kernel.shape == (9 * 3, 2)
    # the linear layer picks the first channel of the first position; its neighbourhood is rows 0, 1 and columns 0, 1
    last = {"kernel": np.zeros((8, 2), np.float32), "bias": np.zeros(2, np.float32)}
    last["kernel"][0, 0] = 1
    x, y = (np.asarray(part) for part in problem.train)
    padded = np.pad(x.reshape(-1, 4, 4, 3), ((0, 0), (1, 1), (1, 1), (0, 0)))
    unit = np.maximum(padded[:, :3, :3].reshape(len(x), 27) @ kernel[:, 0], 0)
    logits = np.stack([unit, 0 * unit], axis=1)
    nats = np.log(np.exp(logits).sum(axis=1)) - logits[np.arange(len(y)), y]
    loss = problem.metrics({**params, "last": last}, (x.astype(np.float32), y))["loss"]
    np.testing.assert_allclose(loss, nats.mean(), rtol=1e-5)


def test_shifted_images_keep_the_channels_of_a_pixel_together(tmp_path):
    colours = np.arange(20 * 4 * 4 * 3, dtype=float).reshape(20, 4, 4, 3) + 1
    problem = mlp(data=npz(tmp_path / "a.npz", x=colours, y=Y), width=2, augmentation=1)
    params = problem.init(jax.random.key(0))
    batch = tuple(np.asarray(part)[:4] for part in problem.train)
    assert np.isfinite(problem.loss(params, batch, jax.random.key(1)))


def frame(path, columns, **words):
    parquet.write_table(pa.table(columns, **words), path)
    return str(path)


def test_columns_of_parquet_are_features_with_the_target_last(tmp_path):
    words = pa.array(np.array(["cat", "dog"])[Y]).dictionary_encode()
    table = load(frame(tmp_path / "a.parquet", {"a": X[:, 0], "b": X[:, 1].astype("f4"), "c": Y > 0, "kind": words}))
    np.testing.assert_array_equal(table.x, np.c_[X[:, 0], X[:, 1].astype("f4"), Y])
    assert table.y.tolist() == np.array(["cat", "dog"])[Y].tolist()


def test_the_index_that_pandas_writes_behind_all_columns_is_left_out(tmp_path):
    pd = pytest.importorskip("pandas")
    data = pd.DataFrame({"a": X[:, 0], "b": X[:, 1], "y": Y}).sample(frac=1, random_state=0)
    data.to_parquet(tmp_path / "a.parquet")
    with pytest.warns(DataWarning, match="'__index_level_0__' numbers the rows: left out"):
        table = load(str(tmp_path / "a.parquet"))
    np.testing.assert_array_equal(table.x, data[["a", "b"]])
    assert table.y.tolist() == data["y"].tolist()


PARQUET_FAULTS = {
    "a hole": ({"a": [1.0, None], "y": [0, 1]}, "row 2: expected a value in column 'a', found none"),
    "words": ({"a": ["low", "high"], "y": [0, 1]}, "row 1: expected a number in column 'a', found 'low'"),
    "times": ({"a": pa.array([0, 1], pa.timestamp("s")), "y": [0, 1]}, "column 'a', found timestamp"),
    "the target first": ({"y": [0, 1], "a": [1.0, 2.0]}, "found 'a' there and 'y' in column 1"),
    "one column": ({"a": [1.0]}, "expected features with the target last, found 1 columns"),
}


@pytest.mark.parametrize("kind", PARQUET_FAULTS)
def test_parquet_without_numbers_is_refused_with_what_it_holds(tmp_path, kind):
    columns, message = PARQUET_FAULTS[kind]
    path = frame(tmp_path / "a.parquet", columns)
    with pytest.raises(ValueError, match=message) as caught:
        load(path)
    assert str(caught.value).startswith(path) and "\n" not in str(caught.value)


def test_a_damaged_parquet_file_is_refused(tmp_path):
    (tmp_path / "a.parquet").write_bytes(b"PAR1 torn")
    with pytest.raises(ValueError, match="expected a Parquet file, found another kind"):
        load(str(tmp_path / "a.parquet"))
