"""Tables as people's programs write them: read right, or refused with what the file holds."""

import gzip
import warnings

import numpy as np
import pyarrow as pa
import pytest
from pyarrow import parquet

from optbench.problems.data import classification, load, regression
from optbench.problems.data_table import DataWarning

X = np.array([[0.5, -1.25], [1.0, 2.5], [-0.75, 0.125], [2.25, 3.0], [0.1, -0.2], [1.5, 1.75]])
LABELS = [0, 1, 1, 0, 1, 0]
WORDS = ["ham", "spam", "spam", "ham", "spam", "ham"]


def rows(labels=LABELS, separator=",", x=X):
    return "".join(
        separator.join([*map(str, features), str(label)]) + "\n" for features, label in zip(x, labels, strict=True)
    )


def write(path, content, encoding="utf-8"):
    path.write_bytes(content if isinstance(content, bytes) else content.encode(encoding))
    return str(path)


def assert_is_read(table, labels=LABELS):
    np.testing.assert_array_equal(table.x, X)
    assert table.y.tolist() == list(labels)


READ = {
    "semicolons": "a;b;y\n" + rows(separator=";"),
    "tabs": "a\tb\ty\n" + rows(separator="\t"),
    "bars": "a|b|y\n" + rows(separator="|"),
    "blanks": rows(separator="   "),
    "a separator line": "sep=;\na;b;y\n" + rows(separator=";"),
    "decimal commas": ("a;b;y\n" + rows(separator=";")).replace(".", ","),
    "quoted decimal commas": "a,b,y\n"
    + "".join(f'"{a},{b}",1\n'.replace(",", '","', 1).replace(".", ",") for a, b in X),
    "a comment on top": "# by hand\n# today\na,b,y\n" + rows(),
    "a commented header": "# a,b,y\n" + rows(),
    "comments between": "a,b,y\n" + rows().replace("\n", "\n# a note\n", 1),
    "blank lines": "a,b,y\n\n" + rows() + "\n  \n,,\n",
    "an empty last column": "a,b,y,\n" + rows().replace("\n", ",\n"),
    "old line ends": ("a,b,y\n" + rows()).replace("\n", "\r"),
    "quotes": '"a","b","y"\n' + rows().replace("0.5,", '"0.5",'),
    "blanks after commas": "a, b, y\n" + rows(separator=", "),
}


@pytest.mark.parametrize("kind", READ)
def test_ways_to_write_a_table_are_understood(tmp_path, kind):
    table = load(write(tmp_path / "a.csv", READ[kind]))
    assert_is_read(table, [1] * 6 if kind == "quoted decimal commas" else LABELS)


@pytest.mark.parametrize("encoding", ["utf-8-sig", "utf-16", "utf-16-le", "utf-16-be", "utf-32", "latin-1", "cp1252"])
def test_encodings_are_told_apart(tmp_path, encoding):
    table = load(write(tmp_path / "a.csv", "größe,b,y\n" + rows(["groß" if y else "klein" for y in LABELS]), encoding))
    assert_is_read(table, ["groß" if y else "klein" for y in LABELS])


@pytest.mark.parametrize("name", ["a.csv.gz", "a.tsv.gz", "a.csv"])
def test_compressed_tables_are_read_whatever_their_name_is(tmp_path, name):
    assert_is_read(load(write(tmp_path / name, gzip.compress(("a,b,y\n" + rows()).encode()))))


def test_a_torn_compressed_file_is_refused(tmp_path):
    path = write(tmp_path / "a.csv.gz", gzip.compress(rows().encode())[:-9])
    with pytest.raises(ValueError, match=r"a[.]csv[.]gz: expected a whole gzip file, found a damaged one"):
        load(path)


@pytest.mark.parametrize(
    ("header", "labels"), [("0,1,kind\n", WORDS), ("400,410,kind\n", WORDS), ("0,1,kind\n", LABELS)]
)
def test_numbers_over_the_features_and_a_word_over_the_targets_are_a_header(tmp_path, header, labels):
    with warnings.catch_warnings():
        warnings.simplefilter("error")
        assert_is_read(load(write(tmp_path / "a.csv", header + rows(labels))), labels)


@pytest.mark.parametrize("header", ["0,1,2", "1990,2000,2010,2020"])
def test_a_header_of_numbers_alone_is_left_out_with_a_warning(tmp_path, header):
    x = X if header[0] == "0" else np.c_[X, X[:, 0] * 0.5 + 0.01]
    path = write(tmp_path / "a.csv", f"{header}\n" + rows(x=x))
    with pytest.warns(DataWarning, match="a.csv, row 1: .* is taken for a header"):
        table = load(path)
    np.testing.assert_array_equal(table.x, x)
    assert table.y.tolist() == LABELS


@pytest.mark.parametrize(
    "content",
    ["0,1,2\n1,1,2\n2,0,1\n", "2,4,6\n1,5,7\n", "0,1\n0.5,1\n1.5,0\n", "1,2,3,4\n2,3,4,5\n3,4,5,6\n"],
    ids=["few categories", "even steps by chance", "two columns", "sequences"],
)
def test_whole_numbers_that_may_be_data_stay_data(tmp_path, content):
    if content.startswith("0,1\n"):
        content = content.replace("0,1\n", "1,0\n", 1)
    assert len(load(write(tmp_path / "a.csv", content)).x) == content.count("\n")


INDEXED = {
    "pandas' index": ",a,b,y\n" + "".join(f"{i},{line}" for i, line in enumerate(rows().splitlines(True))),
    "a shuffled index": ",a,b,y\n"
    + "".join(f"{i * 5 % 7},{line}" for i, line in enumerate(rows().splitlines(True), 1)),
    "an index read and written": "Unnamed: 0,a,b,y\n"
    + "".join(f"{i},{line}" for i, line in enumerate(rows().splitlines(True))),
    "a named one": "id,a,b,y\n" + "".join(f"{i},{line}" for i, line in enumerate(rows().splitlines(True), 17)),
    "R's row names": '"","a","b","y"\n'
    + "".join(f'"Row {i}",{line}' for i, line in enumerate(rows().splitlines(True))),
    "a header that is one short": "a b y\n"
    + "".join(f"{i} {line}" for i, line in enumerate(rows(separator=" ").splitlines(True), 1)),
    "an index of an array": ",0,1,2\n" + "".join(f"{i},{line}" for i, line in enumerate(rows().splitlines(True))),
}


@pytest.mark.parametrize("kind", INDEXED)
def test_a_column_that_numbers_the_rows_is_left_out_with_a_warning(tmp_path, kind):
    path = write(tmp_path / "a.csv", INDEXED[kind])
    with pytest.warns(DataWarning) as caught:
        assert_is_read(load(path))
    assert f"{path}: column 1, " in str(caught[-1].message) and "numbers the rows" in str(caught[-1].message)


def test_a_first_column_that_counts_many_rows_without_a_header_is_left_out(tmp_path):
    lines = "".join(f"{i},{i * i % 7},{i % 3}\n" for i in range(20))
    with pytest.warns(DataWarning, match="column 1, which has no name, numbers the rows"):
        assert load(write(tmp_path / "a.csv", lines)).x.shape == (20, 1)
    assert load(write(tmp_path / "few.csv", lines[: lines.index("9,")])).x.shape[1] == 2


def test_a_feature_that_rises_stays(tmp_path):
    lines = "".join(f"{i},{line}" for i, line in enumerate(rows().splitlines(True)))
    assert load(write(tmp_path / "a.csv", "day,a,b,y\n" + lines)).x.shape == (6, 3)
    assert load(write(tmp_path / "only.csv", "id,y\n" + "".join(f"{i},{i % 2}\n" for i in range(9)))).x.shape == (9, 1)


def test_columns_of_words_are_a_feature_for_each_word(tmp_path):
    text = ",age,plan,city,y\n0,31,pro,Köln,no\n1,40,basic,Graz,yes\n2,25,pro,Graz,no\n3,60,basic,Köln,yes\n"
    with warnings.catch_warnings(record=True) as caught:
        warnings.simplefilter("always")
        table = load(write(tmp_path / "words.csv", text))
    # The age, basic and pro, Graz and Köln.
    assert table.x.tolist() == [[31, 0, 1, 0, 1], [40, 1, 0, 1, 0], [25, 0, 1, 1, 0], [60, 1, 0, 0, 1]]
    messages = [str(warning.message).partition(": ")[2] for warning in caught]
    assert "column 3, 'plan', holds words: a feature of zeros and ones each for 'basic', 'pro'" in messages
    assert "column 1, which has no name, numbers the rows: left out of the features" in messages


def test_text_columns_of_parquet_are_a_feature_for_each_word(tmp_path):
    table = pa.table({"plan": ["a", "b", "b", "a"], "age": [3, 1, 4, 1], "y": ["no", "no", "yes", "yes"]})
    parquet.write_table(table, tmp_path / "words.parquet")
    with pytest.warns(DataWarning, match="column 'plan' holds words: a feature of zeros and ones each for 'a', 'b'"):
        assert load(str(tmp_path / "words.parquet")).x.tolist() == [[3, 1, 0], [1, 0, 1], [4, 0, 1], [1, 1, 0]]


def test_a_column_that_numbers_the_rows_is_told_by_its_place_in_the_file(tmp_path):
    lines = "".join(f"{'ab'[i % 2]},{i},0.5,{i % 3}\n" for i in range(9))
    with warnings.catch_warnings(record=True) as caught:
        warnings.simplefilter("always")
        assert load(write(tmp_path / "place.csv", "plan,id,x,y\n" + lines)).x.shape == (9, 3)
    assert any("column 2, 'id' numbers the rows" in str(warning.message) for warning in caught)


REFUSED = {
    "names": ("a,b,y\nAnn,2,0\nBob,3,1\nCid,4,0\nAnn,5,1\n", "row 2: expected a number in column 1, found 'Ann'"),
    "words with a hole": (
        "a,b,y\nu,2,0\n,3,1\nu,4,0\nv,5,1\nv,1,1\n",
        "row 3: expected a word in column 1, found nothing",
    ),
    "thousands": ('a,b,y\n"1,000",2,0\n"2,500",1,1\n', "row 2: expected a number in column 1, found '1,000'"),
    "thousands between tabs": ("a\tb\ty\n1,000\t2\t0\n2,500\t3\t1\n", "row 2: .* column 1, found '1,000'"),
    "points beside commas": ("a;b;y\n1.250;0,5;0\n2,5;3;1\n", "row 2: .* as in '0,5' elsewhere, found '1.250'"),
    "a unit": ("a,b,y\n3 kg,2,0\n", "row 2: expected a number in column 1, found '3 kg'"),
    "a line of units": ("a,b,y\nmm,mm,\n" + rows(), "row 2: expected a number in column 1, found 'mm'"),
    "a percentage": ("a,b,y\n1,2,0\n1,5%,0\n", "row 3: expected a number in column 2, found '5%'"),
    "an underscore": ("a,b,y\n1_0,2,0\n", "row 2: expected a number in column 1, found '1_0'"),
    "a hole": ("a,b,y\n1,NA,0\n", "row 2: expected a number in column 2, found 'NA'"),
    "an error of a spreadsheet": ("a,b,y\n#N/A,2,0\n3,4,1\n", "row 2: expected a number in column 1, found '#N/A'"),
    "a second header": ("a,b,y\n1,2,0\na,b,y\n", "row 3: expected a number in column 1, found 'a'"),
    "the target first": ("label,a,b\n0,1.5,2\n1,2,3\n", "found 'b' there and 'label' in column 1; put the target last"),
    "the index last": ("a,b,y,id\n1,2,0,0\n2,3,1,1\n", "found 'id' there and 'y' in column 3"),
    "zeros": (b"a,b\0,y\n1,2,3\n", "expected comma-separated text, found a file that begins with 0x612c6200"),
}


@pytest.mark.parametrize("kind", REFUSED)
def test_what_is_no_table_of_numbers_is_refused_with_what_it_holds(tmp_path, kind):
    content, message = REFUSED[kind]
    path = write(tmp_path / "a.csv", content)
    with pytest.raises(ValueError, match=message) as caught:
        load(path)
    assert str(caught.value).startswith(path) and "\n" not in str(caught.value)


@pytest.mark.parametrize("missing", ["nan", "NA", "N/A", "?", "null", "None", "#N/A", "<NA>"])
@pytest.mark.parametrize("labels", [WORDS, LABELS], ids=["words", "numbers"])
def test_missing_labels_are_no_class(tmp_path, missing, labels):
    path = write(tmp_path / "a.csv", "a,b,y\n" + rows([*labels[:-1], missing]))
    with pytest.raises(ValueError, match=r"row 7: expected a (finite )?target, found") as caught:
        load(path)
    assert missing in str(caught.value)


def test_a_word_like_none_is_a_class(tmp_path):
    assert_is_read(load(write(tmp_path / "a.csv", rows(["none", "mild"] * 3))), ["none", "mild"] * 3)


@pytest.mark.parametrize("num_classes", [30, 20])
def test_a_class_for_each_row_is_refused(tmp_path, num_classes):
    path = write(tmp_path / "a.csv", "".join(f"{i / 7},{i % 3},{i % num_classes}\n" for i in range(30)))
    with pytest.raises(
        ValueError, match=f"expected classes of some rows each as targets, found {num_classes} in 30 rows"
    ):
        classification(load(path), standardize=False, test_fraction=0.2)


def test_a_word_among_numbers_to_predict_is_told_with_its_row(tmp_path):
    table = load(write(tmp_path / "a.csv", "a,b,z\n" + rows([1.5, 2.5, "low", 3, 4, 5])))
    with pytest.raises(ValueError, match="row 4: expected a number as target, found 'low'"):
        regression(table, standardize=False, standardize_target=False, test_fraction=0.2)


def test_a_warning_comes_once_for_all_times_that_a_file_is_read(tmp_path):
    path = write(tmp_path / "a.csv", INDEXED["pandas' index"])
    with pytest.warns(DataWarning):
        load(path)
    with warnings.catch_warnings():
        warnings.simplefilter("error")
        load(path)


def test_libsvm_text_is_read_without_an_ending_compressed_and_with_a_byte_order_mark(tmp_path):
    text = "+1 1:0.5 3:1\n-1 2:0.3\n"
    for name, content in {
        "a9a": text.encode(),
        "a9a.t": b"# test rows\n" + text.encode(),
        "a.svm.gz": gzip.compress(text.encode()),
        "marked.libsvm": text.encode("utf-8-sig"),
    }.items():
        table = load(write(tmp_path / name, content))
        np.testing.assert_array_equal(table.x, [[0.5, 0, 1], [0, 0.3, 0]])
        assert table.y.tolist() == [1, -1]


def test_a_file_of_an_unknown_kind_is_told_what_is_accepted(tmp_path):
    with pytest.raises(ValueError, match=r"is not known: expected .*[.]csv.*[.]parquet.*each also with [.]gz"):
        load(write(tmp_path / "notes.md", "# notes\n"))
