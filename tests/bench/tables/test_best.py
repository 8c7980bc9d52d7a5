"""The best settings of each optimizer, which can be typed again."""

import shlex
from types import SimpleNamespace

import pytest

from optbench.analyse.outcomes import Slice
from optbench.request import parse_spec, parse_values
from optbench.tables.best import best, notes


def sizes(handmade):
    return [
        handmade("a", [[8.0, 5.0, 2.0]], batch_size=8, examples_per_step=8),
        handmade("a", [[8.0, 5.0, 1.0]], batch_size="full", examples_per_step=64),
        handmade("b", [[8.0, 5.0, 3.0]], batch_size=8, examples_per_step=8),
    ]


def rows_of(parts):
    return [(row["optimizer"], row["batch_size"], row["train_loss"]) for row in best(parts, Slice())[1]]


def test_batch_sizes_that_saw_different_numbers_of_examples_have_a_row_each(handmade):
    parts = sizes(handmade)
    assert rows_of(parts) == [("a", 8, 2), ("b", 8, 3), ("a", "full", 1)]
    assert notes(SimpleNamespace(parts=parts), (), Slice()) == [
        "each batch size has its own row, because they saw different numbers of examples"
    ]


def test_of_batch_sizes_that_saw_as_many_examples_the_best_has_a_row(handmade):
    """160 in 20 steps of 8 and 164 in 2 of 82, which is 2.5 % more."""
    parts = [
        handmade("a", [[8.0, 5.0, 2.0]], batch_size=8, examples_per_step=8),
        handmade("a", [[8.0, 5.0, 1.0]], batch_size=82, examples_per_step=82, step=(0, 1, 2)),
        handmade("b", [[8.0, 5.0, 3.0]], batch_size=8, examples_per_step=8),
    ]
    assert rows_of(parts) == [("a", 82, 1), ("b", 8, 3)]
    assert notes(SimpleNamespace(parts=parts), (), Slice()) == [
        "one row an optimizer, at its best batch size: all of them saw the same number of examples"
    ]
    assert notes(SimpleNamespace(parts=parts[:1]), (), Slice()) == []


@pytest.mark.parametrize(
    ("optimizer", "tuned", "expected"),
    [
        ("sgd", {"learning_rate": 0.1}, {"learning_rate": (0.1,), "weight_decay": (0.0,)}),
        (
            "adam[nesterov=true]",
            {"learning_rate": 1e-5, "weight_decay": 0.01, "b1": 0.8},
            {"nesterov": (True,), "learning_rate": (1e-5,), "weight_decay": (0.01,), "b1": (0.8,)},
        ),
    ],
    ids=["plain", "static-and-tuned"],
)
def test_settings_can_be_typed_again(handmade, optimizer, tuned, expected):
    _, (found,) = best([handmade(optimizer, [[8.0, 5.0, 1.0]], best=tuned)], Slice())
    words = shlex.split(found["settings"])
    assert words[::2] == ["-o", "--batch-size"]
    assert parse_spec(words[1]).name == optimizer.partition("[")[0]
    assert parse_spec(words[1]).parameters == expected
    assert parse_values(words[3]) == (4,)


def test_schedule_is_quoted_for_the_shell(handmade):
    """A shell takes brackets for a pattern."""
    tuned = {"learning_rate": 0.1, "schedule": "cosine[warmup=0.1]"}
    _, (found,) = best([handmade("sgd", [[8.0, 5.0, 1.0]], best=tuned)], Slice())
    assert "--schedule 'cosine[warmup=0.1]'" in found["settings"]


def test_a_failed_cell_has_no_settings(handmade):
    _, (found,) = best([handmade("sgd", [], outcome="failed", message="boom", report_seeds=1)], Slice())
    assert not found["settings"]


def test_only_failed_cells_and_none(handmade):
    failed = handmade("a", [], select=[], outcome="failed", message="boom", report_seeds=5)
    for parts in ([failed], []):
        columns, rows = best(parts, Slice())
        assert columns and len(rows) == len(parts)


def test_metrics_of_a_problem_s_own_are_no_settings(handmade):
    part = handmade("sgd", [[8.0, 5.0, 1.0]], trial={"train_modes": [0.0, 1.0, 2.0]})
    assert "modes" not in best([part], Slice())[1][0]["settings"]
