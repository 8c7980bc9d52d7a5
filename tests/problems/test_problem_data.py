"""Loading, splitting and scaling; each fault is one line that names the file and the row."""

import numpy as np
import pytest
from sklearn.datasets import dump_svmlight_file, load_digits

from optbench.problems.data import BUNDLED, classification, load, regression
from optbench.problems.data_files import READERS, Table

ROWS = [(1.5, -2.0, 0), (3.0, 4.0, 1), (5.0, 0.25, 1)]
X, Y = np.array(ROWS)[:, :2], np.array(ROWS)[:, 2]
CSV = "\n".join(",".join(map(str, row)) for row in ROWS)
SVM = "0 1:1.5 2:-2\n1 1:3 2:4\n1 1:5 2:.25\n"


def write(path, content):
    path.write_bytes(content) if isinstance(content, bytes) else path.write_text(content)
    return str(path)


def npz(path, **arrays):
    np.savez(path, **arrays)
    return str(path)


@pytest.mark.parametrize(
    ("name", "content"),
    [
        ("plain.csv", CSV),
        ("header.csv", "a,b,target\n" + CSV + "\n\n"),
        ("numbered.csv", "0,1,target\n" + CSV),
        ("bom.csv", b"\xef\xbb\xbf" + CSV.encode()),
        ("capital.CSV", CSV.replace("\n", "\r\n")),
        ("a.svm", SVM),
        ("a.libsvm", "# a comment\n" + SVM),
        ("a.txt", SVM.replace("2:", "1:").replace(" 1:1.5", " 0:1.5").replace(" 1:3", " 0:3").replace(" 1:5", " 0:5")),
    ],
    ids=lambda value: value if isinstance(value, str) and len(value) < 15 else "",
)
def test_text_files_roundtrip(tmp_path, name, content):
    table = load(write(tmp_path / name, content))
    np.testing.assert_array_equal(table.x, X)
    np.testing.assert_array_equal(table.y, Y)


def test_npz_roundtrips(tmp_path):
    table = load(npz(tmp_path / "a.npz", x=X.astype(np.float32), y=Y.astype(np.int8)))
    np.testing.assert_array_equal(table.x, X)
    np.testing.assert_array_equal(table.y, Y)
    assert table.x.dtype == table.y.dtype == np.float64


@pytest.mark.parametrize("layout", ["one_based", "zero_based_with_comment"])
def test_libsvm_digits_keep_64_columns(tmp_path, layout):
    x, y = load_digits(return_X_y=True)
    comment = "digits" if layout == "zero_based_with_comment" else None
    dump_svmlight_file(x, y, str(tmp_path / "d.svm"), zero_based=comment is not None, comment=comment)
    table = load(str(tmp_path / "d.svm"))
    np.testing.assert_array_equal(table.x, x)
    np.testing.assert_array_equal(table.y, y)


FAULTS = {
    "ragged.csv": ("1,2,0\n1,1\n", "row 2: expected 3 columns as in row 1, found 2"),
    "word.csv": ("a,b,y\n1,2,0\n1,two,0\n", "row 3: expected a number in column 2, found 'two'"),
    "gap.csv": ("1,2,0\n\n1,,0\n", "row 3: expected a number in column 2, found ''"),
    "target.csv": ("1,2,0\n1,2,\n", "row 2: expected a target in column 3"),
    "infinite.csv": ("1,2,0\n1,inf,0\n", "row 2: expected a finite number in column 2, found inf"),
    "nan_target.csv": ("1,2,0\n1,2,nan\n", "row 2: expected a finite target, found nan"),
    "empty.csv": ("", "expected rows"),
    "header_only.csv": ("a,b,y\n", "expected rows"),
    "narrow.csv": ("1\n2\n", "expected rows"),
    "binary.csv": (b"\xff\xfe\x00", "expected comma-separated text, found a file that begins with 0xfffe00"),
    "empty.svm": ("# nothing\n", "expected at least one row"),
    "word.svm": ("# on top\n0 1:1\n1 1:a\n", "row 3: expected 'index:value' with rising indices, found '1:a'"),
    "pair.svm": ("0 1:1\n1 2\n", "row 2: expected 'index:value'"),
    "falling.svm": ("0 1:1\n\n1 2:1 1:1\n", "row 3: .*rising indices, found '1:1'"),
    "label.svm": ("0 1:1\nx 1:1\n", "row 2: expected a number as target, found 'x'"),
    "nan.svm": ("# on top\n0 1:1\n1 1:nan\n", "row 3: expected a finite number in column 1, found nan"),
    "nan_target.svm": ("0 1:1\nnan 1:1\n", "row 2: expected a finite target, found nan"),
    "featureless.svm": ("0\n1\n", "expected at least one row and one feature"),
    "empty.npz": (b"", "expected an .npz file"),
    "torn.npz": (b"PK\x03\x04 torn", "expected an .npz file"),
}


@pytest.mark.parametrize("name", FAULTS)
def test_faulty_files_are_told_in_one_line(tmp_path, name):
    content, message = FAULTS[name]
    path = write(tmp_path / name, content)
    with pytest.raises(ValueError, match=message) as caught:
        load(path)
    assert path in str(caught.value) and "\n" not in str(caught.value)


NPZ_FAULTS = {
    "keys": ({"features": X, "y": Y}, "expected arrays x and y, or x_train, .*, found features, y"),
    "lengths": ({"x": X, "y": Y[:2]}, "row 3: expected as many rows as targets, found x of 3, y of 2"),
    "shape": ({"x": Y, "y": Y}, r"expected numbers x\[row, feature\]"),
    "kind": ({"x": X.astype(str), "y": Y}, r"expected numbers x\[row, feature\]"),
    "objects": ({"x": np.array([[1, None]]), "y": Y[:1]}, "array x holds Python objects; save x.astype.float."),
    "empty": ({"x": X[:0], "y": Y[:0]}, "expected at least one row"),
    "infinite": (
        {"x": np.where(X == 4, -np.inf, X), "y": Y},
        "row 2: expected a finite number in column 2, found -inf",
    ),
    "nan_target": ({"x": X, "y": Y * np.nan}, "row 1: expected a finite target"),
}


@pytest.mark.parametrize("fault", NPZ_FAULTS)
def test_faulty_arrays_are_told_in_one_line(tmp_path, fault):
    arrays, message = NPZ_FAULTS[fault]
    path = npz(tmp_path / "a.npz", **arrays)
    with pytest.raises(ValueError, match=message) as caught:
        load(path)
    assert path in str(caught.value) and "\n" not in str(caught.value)


@pytest.mark.parametrize("suffix", READERS)
def test_missing_files_and_folders_are_told(tmp_path, suffix):
    with pytest.raises(ValueError, match=f"gone{suffix}: expected a file, found nothing"):
        load(str(tmp_path / f"gone{suffix}"))
    (tmp_path / f"folder{suffix}").mkdir()
    with pytest.raises(ValueError, match="expected a file, found a folder"):
        load(str(tmp_path / f"folder{suffix}"))


def test_unknown_names_get_the_nearest_and_all():
    with pytest.raises(ValueError, match=r"did you mean 'digits'.*breast_cancer, diabetes, digits, iris, wine.*[.]npz"):
        load("digit")


@pytest.mark.parametrize("name", BUNDLED)
def test_bundled_sets_load(name):
    table = load(name)
    assert table.x.dtype == table.y.dtype == np.float64 and len(table.x) == len(table.y) == len(table.rows)


def test_digits_are_divided_by_16_and_keep_64_features():
    table = load("digits")
    assert table.x.shape == (1797, 64) and table.x.min() == 0 and table.x.max() == 1
    train = classification(table, standardize=True, test_fraction=0.2).train[0]
    assert train.shape[1] == 64 and (train[:, 0] == 0).all()


@pytest.mark.parametrize("name", BUNDLED)
def test_standardised_training_rows_have_mean_0_and_deviation_1(name):
    train, test = (lambda s: (s.train[0], s.test[0]))(
        regression(load(name), standardize=True, standardize_target=False, test_fraction=0.3)
    )
    varies = np.ptp(train, axis=0) > 0
    np.testing.assert_allclose(train.mean(axis=0), 0, atol=1e-12)
    np.testing.assert_allclose(train[:, varies].std(axis=0), 1, rtol=1e-12)
    assert (train[:, ~varies] == 0).all() and (test[:, ~varies] == 0).all()
    # the test rows take the training rows' scale, not their own
    assert np.abs(test.mean(axis=0)).max() > 1e-3


def test_a_constant_becomes_0_though_its_deviation_rounds():
    table = Table("t", np.c_[np.full(10, 0.1), np.arange(10.0)], np.arange(10.0), np.arange(10))
    split = regression(table, standardize=True, standardize_target=True, test_fraction=0.0)
    assert (split.train[0][:, 0] == 0).all()
    np.testing.assert_allclose([split.train[1].mean(), split.train[1].std()], [0, 1], atol=1e-12)


def test_the_split_is_fixed_and_covers_every_row_once():
    table = Table("t", np.arange(10.0)[:, None], np.arange(10.0), np.arange(10))
    first, second = (
        regression(table, standardize=False, standardize_target=False, test_fraction=0.3) for _ in range(2)
    )
    assert len(first.train[1]) == 7 and len(first.test[1]) == 3
    assert sorted([*first.train[1], *first.test[1]]) == list(range(10)) != [*first.test[1], *first.train[1]]
    assert (first.train[1] == second.train[1]).all()
    assert (first.train[0][:, 0] == first.train[1]).all()


def test_no_test_fraction_trains_on_every_row():
    split = classification(load("iris"), standardize=True, test_fraction=0.0)
    assert split.test is None and len(split.train[0]) == 150


@pytest.mark.parametrize("labels", [["b", "a", "b"], ["7", "-1", "7.0"], ["x", "1", "x"]], ids=str)
def test_classes_are_numbered_from_0_in_sorted_order(tmp_path, labels):
    path = write(tmp_path / "a.csv", "\n".join(f"{i},{label}" for i, label in enumerate(labels)))
    split = classification(load(path), standardize=False, test_fraction=0.0)
    x, y = split.train
    assert split.num_classes == 2 and y.dtype == np.int32
    assert y[np.argsort(x[:, 0])].tolist() == [1, 0, 1]


@pytest.mark.parametrize(
    ("content", "message"),
    [
        ("1,4\n2,4\n", "expected at least two classes, found only '4.0'"),
        ("1,0\n2,0.5\n", "row 2: expected a class.*0.5"),
    ],
    ids=["one_class", "fraction"],
)
def test_targets_that_are_no_classes_are_told(tmp_path, content, message):
    path = write(tmp_path / "a.csv", content)
    with pytest.raises(ValueError, match=message) as caught:
        classification(load(path), standardize=True, test_fraction=0.0)
    assert path in str(caught.value) and "\n" not in str(caught.value)


def test_regression_wants_numbers(tmp_path):
    table = load(write(tmp_path / "a.csv", "1,a\n2,b\n"))
    with pytest.raises(ValueError, match=r"a[.]csv, row 1: expected a number as target, found 'a'"):
        regression(table, standardize=True, standardize_target=True, test_fraction=0.0)


def test_validation_rows_come_out_of_the_training_rows_and_leave_the_test_rows():
    words = {"standardize": False, "standardize_target": False, "test_fraction": 0.2}
    whole = regression(load("diabetes"), **words)
    split = regression(load("diabetes"), **words, validation_fraction=0.25)
    np.testing.assert_array_equal(split.test[0], whole.test[0])
    # 442 rows: 88 to test on, and of the other 354 a quarter, rounded to 88.
    assert [len(rows[0]) for rows in (split.train, split.validation, split.test)] == [266, 88, 88]
    assert {*map(tuple, split.train[0]), *map(tuple, split.validation[0])} == {*map(tuple, whole.train[0])}
    assert whole.validation is None


def test_validation_labels_are_as_wrong_as_those_that_are_trained_on():
    table = load("digits")
    split, true = (
        classification(table, standardize=False, test_fraction=0.2, validation_fraction=0.2, label_noise=noise)
        for noise in (0.2, 0.0)
    )
    assert np.mean(split.validation[1] != true.validation[1]) == pytest.approx(0.2, abs=0.002)
    assert (split.test[1] == true.test[1]).all()


def test_too_few_rows_are_not_held_out():
    assert (
        classification(load("iris"), standardize=False, test_fraction=0.2, validation_fraction=0.001).validation is None
    )
