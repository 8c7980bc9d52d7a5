import csv
import io
import json
import math
import subprocess
import sys

import numpy as np
import pytest

from optbench.present.formats import FORMATS, format_table, write_table
from optbench.present.table import Table, select

NASTY = "a|b<script>_x&\\"

TABLE = Table(
    title="Convergence",
    columns=("optimizer", "train_loss", "train_loss_low", "train_loss_high", "learning_rate", "at_edge", "gap"),
    rows=(
        {
            "optimizer": "adam",
            "train_loss": 0.123456789,
            "train_loss_low": 0.1201,
            "train_loss_high": 0.13099,
            "learning_rate": 1e-3,
            "at_edge": True,
            "gap": math.inf,
        },
        ("sgd", 2.0, math.nan, None, 10, False, math.nan),
    ),
    notes=("medians over 10 seeds",),
)


def one_cell(value):
    return Table("", ("x",), ((value,),))


def test_plain():
    assert format_table(TABLE) == "\n".join(
        [
            "Convergence",
            "",
            "optimizer  train loss            learning  at         gap",
            "                                     rate  edge",
            "---------  --------------------  --------  ----  --------",
            "adam       0.123 [0.120, 0.131]     0.001  yes   diverged",
            "sgd        2.00                        10               -",
            "",
            "medians over 10 seeds",
        ]
    )


def test_github():
    lines = format_table(TABLE, "github").splitlines()
    assert lines[0] == "Convergence"
    assert lines[2].split("|")[1].strip() == "optimizer"
    assert lines[3].split("|")[3].endswith(":")
    assert lines[-1] == "medians over 10 seeds"


@pytest.mark.parametrize(
    ("value", "shown"),
    [
        (math.nan, "-"),
        (-math.inf, "-inf"),
        (True, "yes"),
        (12345.678, "12346"),
        (1.234e9, "1.23e9"),
        (1.5e-5, "1.5e-5"),
        (0.25, "0.25"),
        (100000, "100000"),
        ("two\nlines\x1b[31m", "two lines [31m"),
        ([1, 0.25], "1, 0.25"),
        (np.float32(0.5), "0.5"),
        (np.int64(3), "3"),
        (np.bool_(True), "yes"),
    ],
    ids=repr,
)
def test_cells_for_people(value, shown):
    assert format_table(one_cell(value)).splitlines()[-1].strip() == shown


def test_columns_that_hold_nothing_are_for_machines_alone():
    table = Table("", ("a", "b", "c"), ((1, None, ""), (2, None, "")))
    assert format_table(table).split() == ["a", "-", "1", "2"]
    assert format_table(table, "csv").splitlines()[0] == "a,b,c"


def test_json_is_strict_and_exact():
    rows = json.loads(format_table(TABLE, "json"), parse_constant=pytest.fail)
    assert rows[0]["train_loss"] == 0.123456789
    assert rows[0]["gap"] is None
    assert rows[1] == {
        "optimizer": "sgd",
        "train_loss": 2.0,
        "train_loss_low": None,
        "train_loss_high": None,
        "learning_rate": 10,
        "at_edge": False,
        "gap": None,
    }


def test_json_reaches_into_curves():
    text = format_table(one_cell(np.array([1.0, np.nan])), "json")
    assert json.loads(text) == [{"x": [1.0, None]}]


def test_csv_is_exact():
    rows = list(csv.DictReader(io.StringIO(format_table(TABLE, "csv"))))
    assert float(rows[0]["train_loss"]) == 0.123456789
    assert rows[0]["at_edge"] == "true"
    assert rows[1]["train_loss_high"] == ""
    assert "Convergence" not in format_table(TABLE, "csv")


def test_names_do_not_break_markdown():
    table = Table(NASTY, ("x", NASTY), ((NASTY, 1),), (NASTY,))
    lines = format_table(table, "github").splitlines()
    assert lines[-3].replace("\\\\", "").replace("\\|", "").count("|") == 3
    assert "<" not in "".join(lines)


def test_names_do_not_break_html():
    text = format_table(Table(NASTY, (NASTY,), ((NASTY,),), (NASTY,)), "html")
    assert "<script" not in text
    assert text.count("a|b&lt;script&gt;_x&amp;\\") == 4


def test_names_do_not_break_latex():
    text = format_table(one_cell("sgd_momentum & 5%"), "latex")
    assert r"sgd\_momentum \& 5\%" in text
    assert r"\toprule" in text


@pytest.mark.parametrize("format", FORMATS)
@pytest.mark.parametrize("columns", [(), ("a", "b")], ids=len)
def test_empty_tables_render(format, columns):
    assert isinstance(format_table(Table("", columns, ()), format), str)


def test_missing_keys_are_gaps():
    assert json.loads(format_table(Table("", ("a", "b"), ({"a": 1},)), "json")) == [{"a": 1, "b": None}]


def test_select_orders_and_chooses():
    table = Table("", ("name", "loss"), (("a", 2.0), ("b", None), ("c", 1.0), ("d", math.nan), ("e", math.inf)))
    assert [row["name"] for row in select(table, sort="loss").rows] == ["c", "a", "e", "b", "d"]
    assert [row["name"] for row in select(table, ["name"], "-loss").to_records()] == ["e", "a", "c", "b", "d"]
    assert select(table, ["name"]).to_records()[0] == {"name": "a"}


def test_select_orders_mixed_columns():
    table = Table("", ("batch_size",), (("full",), (128,), (32,)))
    assert [row["batch_size"] for row in select(table, sort="batch_size").to_records()] == [32, 128, "full"]


@pytest.mark.parametrize("given", [{"columns": ["los"]}, {"sort": "-los"}], ids=str)
def test_unknown_column_names_the_nearest(given):
    with pytest.raises(ValueError, match="unknown column 'los'; did you mean 'loss'") as caught:
        select(Table("", ("name", "loss"), ()), **given)
    assert "\n" not in str(caught.value)


def test_unknown_format_names_the_accepted():
    with pytest.raises(ValueError, match="accepted: plain, github"):
        format_table(TABLE, "markdwon")


def written(table, format):
    stream = io.StringIO()
    write_table(table, format, stream)
    return stream.getvalue()


@pytest.mark.parametrize("format", FORMATS)
@pytest.mark.parametrize(
    "table", [TABLE, Table("", (), ()), Table("", ("a",), ()), one_cell(None), one_cell('a,\n"')], ids=str
)
def test_what_is_written_is_the_text_and_a_newline(table, format):
    assert written(table, format) == format_table(table, format) + "\n"


def test_json_is_a_line_per_row():
    assert format_table(Table("", ("a",), ()), "json") == "[]"
    assert format_table(Table("", ("a",), ((1,), (2.5,))), "json") == '[\n{"a": 1},\n{"a": 2.5}\n]'


def test_write_unknown_format_names_the_accepted():
    with pytest.raises(ValueError, match="accepted: plain, github"):
        written(TABLE, "markdwon")


class Counted:
    """Rows that are made one by one, and say how many were."""

    def __init__(self):
        self.made = 0

    def __iter__(self):
        for number in range(3):
            self.made += 1
            yield {"a": number, "b": -number}


@pytest.mark.parametrize("format", ["csv", "json"])
def test_rows_are_written_one_by_one(format):
    rows, seen = Counted(), []

    class Stream(io.StringIO):
        def write(self, text):
            seen.append(rows.made)
            return super().write(text)

    stream = Stream()
    write_table(select(Table("", ("a", "b"), rows), ["b"]), format, stream)
    assert {1, 2, 3} <= set(seen)
    assert stream.getvalue().splitlines()[-2 if format == "json" else -1] in ("-2", '{"b": -2}')


def test_rows_made_anew_can_be_sorted_and_shown_in_every_format():
    table = Table("", ("a", "b"), Counted())
    assert [row["a"] for row in select(table, sort="b").rows] == [2, 1, 0]
    held = Table("", ("a", "b"), tuple(Counted()))
    for format in FORMATS:
        assert format_table(table, format) == format_table(held, format)
    assert table.to_arrow() == held.to_arrow()


def test_conversions():
    table = Table("", ("batch_size", "loss"), ((32, 1.5), ("full", None)))
    assert table.to_pandas()["loss"].iloc[0] == 1.5
    assert table.to_arrow().to_pylist() == [{"batch_size": "32", "loss": 1.5}, {"batch_size": "full", "loss": None}]


def test_import_is_light():
    code = "import sys, optbench.present.table; print([m for m in ('jax', 'numpy', 'tabulate') if m in sys.modules])"
    assert subprocess.run([sys.executable, "-c", code], capture_output=True, text=True).stdout.strip() == "[]"


def test_machines_get_columns_that_people_are_spared():
    table = Table("", ("a", "b"), [{"a": 1, "b": 2}], unshown=("b",))
    assert "b" not in format_table(table) and "2" not in format_table(table, "github")
    assert format_table(table, "csv") == "a,b\n1,2"
    assert "2" in format_table(select(table, ["a", "b"]))


def test_many_rows_are_laid_out_like_few(monkeypatch):
    """What lays out long tables writes what tabulate writes."""
    rows = [(f"name {n}" + "x" * (n % 5), 10.0 ** (n % 7 - 3), None if n % 3 else -n, n % 2 == 0) for n in range(40)]
    made = Table("t", ("a_long_header_of_text", "number", "integer", "flag"), rows)
    expected = format_table(made)
    monkeypatch.setattr("optbench.present.plain.MANY_ROWS", 3)
    assert format_table(made) == expected
