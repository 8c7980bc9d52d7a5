"""What a terminal shows of a table: what fits, what is shared, problem by problem."""

import pytest

from optbench.present.numbers import interval_text, number_texts, significant
from optbench.present.plain import format_plain, wrapped
from optbench.present.table import Table

ROWS = [
    {"problem": problem, "optimizer": name, "loss": loss, "rate": 0.1, "a_longer_heading": 7, "word": "same"}
    for problem in ("bowl", "hill")
    for name, loss in (("adam", 0.25), ("sgd", 0.5))
]
TABLE = Table("t", ("optimizer", "problem", "loss", "rate", "a_longer_heading", "word"), ROWS, ("a note",))


def test_what_all_rows_share_stands_above_and_groups_stand_apart():
    assert format_plain(TABLE, 80).splitlines() == [
        "t",
        "",
        "in all rows: rate 0.1, a longer heading 7, word same",
        "",
        "problem  optimizer  loss",
        "-------  ---------  ----",
        "bowl     adam       0.25",
        "         sgd        0.50",
        "",
        "hill     adam       0.25",
        "         sgd        0.50",
        "",
        "a note",
    ]


def wide(important=()):
    columns = ("name", *(f"column_{letter}" for letter in "abcdef"))
    rows = [(f"row {number}", *(10.0 ** (number + index) for index in range(6))) for number in range(3)]
    return Table("t", columns, rows, important=important)


@pytest.mark.parametrize("width", range(16, 100, 7))
def test_no_line_is_longer_than_the_terminal(width):
    text = format_plain(wide(), width)
    assert max(map(len, text.splitlines())) <= max(width, 16)


def test_the_least_important_columns_are_left_out_and_named():
    text = format_plain(wide(("name", "column_f", "column_b")), 40)
    head = " ".join(text.splitlines()[2:4])
    assert "f" in head.split() and "b" in head.split() and "e" not in head.split()
    assert "not shown for want of width:" in text and "column_e" in text.partition("not shown")[2]
    # Without a limit all are there.
    assert "not shown" not in format_plain(wide(), None)


def test_prose_is_broken_before_columns_are_left_out():
    rows = [("a", "some words that go on and on for longer than a line may be", 1), ("b", "few words", 2)]
    text = format_plain(Table("", ("name", "meaning", "number"), rows), 40)
    assert "not shown" not in text and max(map(len, text.splitlines())) <= 40
    assert [line[6:32].strip() for line in text.splitlines()[2:5]] == [
        "some words that go on and",
        "on for longer than a line",
        "may be",
    ]


def test_headings_break_at_words_and_before_parameters():
    table = Table("", ("name", "quadratic[noise=0.1]"), (("a", 1), ("b", 2)))
    first, second, *_ = format_plain(table, 80).splitlines()
    assert (first.split(), second.split()) == (["name", "quadratic"], ["[noise=0.1]"])


def test_a_table_of_one_row_keeps_its_columns():
    assert format_plain(Table("", ("a", "b"), ((1, 2),)), 80).split() == ["a", "b", "-", "-", "1", "2"]


@pytest.mark.parametrize(
    ("values", "texts"),
    [
        # Alike: the same decimals, three digits of the largest.
        ([0.2708, 0.5, 0.26999], ["0.271", "0.500", "0.270"]),
        ([5.25, 0.831], ["5.25", "0.83"]),
        # Far apart: three digits each.
        ([0.001, 3.0, 0.60489], ["0.001", "3", "0.605"]),
        ([16896.0, 1.5], ["16896", "1.5"]),
        ([1.653e-8, 0.5], ["1.65e-8", "0.5"]),
        ([1.0, 2.0], ["1", "2"]),
        ([None, float("nan"), True, "x\ny"], ["-", "-", "yes", "x y"]),
    ],
    ids=str,
)
def test_numbers_of_a_column(values, texts):
    assert number_texts(values) == texts


@pytest.mark.parametrize(
    ("name", "text"), [("steps_to_target", "never"), ("train_loss", "diverged"), ("gap", "diverged"), ("ratio", "inf")]
)
def test_infinity_is_said_in_words(name, text):
    assert number_texts([float("inf")], name) == [text]


@pytest.mark.parametrize(
    ("values", "text"),
    [
        ((0.2298, 0.2184, 0.2343), "0.230 [0.218, 0.234]"),
        ((0.003811, 0.001342, 0.018754), "0.004 [0.001, 0.019]"),
        ((1.653e-8, 3.267e-9, 1.155e-7), "1.7e-8 [3.3e-9, 1.2e-7]"),
        ((51.2, 34.4, 88.8), "51 [34, 89]"),
        ((1.5, 1.0, float("inf")), "1.5 [1, inf]"),
        # Without an interval, or one of no width, the number alone.
        ((0.5, None, None), "text"),
        ((0.5, 0.5, 0.5), "text"),
    ],
    ids=str,
)
def test_intervals_show_two_digits_of_their_width(values, text):
    assert interval_text(*values, "text") == text


@pytest.mark.parametrize(
    ("value", "text"),
    [(0.0, "0"), (-0.0, "0"), (1234567.8, "1234568"), (1e7, "1e7"), (0.00012, "1.2e-4"), (-2.5, "-2.5")],
)
def test_significant_digits(value, text):
    assert significant(value) == text


def test_wrapped_lines_hang():
    assert wrapped("aa bb cc", 5) == "aa bb\n  cc"
    assert wrapped("aa bb cc", None) == "aa bb cc"
