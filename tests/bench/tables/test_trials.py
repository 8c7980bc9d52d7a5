"""Every trial of cells written by hand."""

import math

import pytest

from optbench.analyse.outcomes import Slice
from optbench.tables.curves import curves
from optbench.tables.trials import trials

NAN = math.nan


def test_other_hyperparameters_stand_after_weight_decay(handmade):
    tuned = {"hyperparameters": {"learning_rate": 0.1, "weight_decay": 0.0, "momentum": 0.9, "b1": 0.8}}
    parts = [handmade("a", [[8.0, 5.0, 1.0]], select=[], trial=tuned), handmade("b", [[8.0, 5.0, 2.0]], select=[])]
    for table in (trials, curves):
        columns, rows = table(parts, Slice())
        assert columns[5:10] == ["learning_rate", "weight_decay", "b1", "momentum", "schedule"]
        assert {(one["b1"], one["momentum"]) for one in rows} == {(0.8, 0.9), (None, None)}


def test_only_failed_cells(handmade):
    failed = handmade("a", [], select=[], outcome="failed", message="boom", report_seeds=5)
    for table in (trials, curves):
        columns, rows = table([failed], Slice())
        assert columns
        assert len(rows) == len(list(rows)) == 0


def test_nothing():
    for table in (trials, curves):
        columns, rows = table([], Slice())
        assert columns
        assert len(rows) == len(list(rows)) == 0


class TestTrials:
    @pytest.mark.parametrize(("at", "loss"), [(None, 1), (0, 8), (9, 8), (12, 5), (20, 1), (999, 1)])
    def test_look_at_the_last_record_or_before(self, handmade, at, loss):
        part = handmade("sgd", [[8.0, 5.0, 1.0]])
        assert [found["train_loss"] for found in trials([part], Slice(at_step=at))[1]] == [9, loss]

    def test_each_has_its_own_records(self, handmade):
        """As in parts that were put together by hand: other steps, another metric, none at all."""
        short = {"step": [0, 30], "train_loss": [7.0, 6.0], "test_accuracy": [0.1, 0.2]}
        none = {"step": None, "train_loss": None}
        part = handmade("sgd", [[8.0, 5.0, 1.0]] * 3, select=[], trials={1: short, 2: none})
        read = [
            [(one["train_loss"], one["test_accuracy"]) for one in trials([part], Slice(at))[1]] for at in (None, 20)
        ]
        assert read == [[(1, None), (6, 0.2), (None, None)], [(1, None), (7, 0.1), (None, None)]]

    def test_one_row_per_trial(self, handmade):
        bad = {"status": "diverged", "diverged_at": 15, "train_accuracy": [0.1, 0.2, NAN]}
        columns, (selected, reported) = trials([handmade("sgd", [[8.0, 5.0, NAN]], trial=bad)], Slice())
        fixed = ["phase", "problem", "optimizer", "batch_size", "seed", "learning_rate", "weight_decay", "schedule"]
        assert columns[:8] == fixed
        assert (selected["phase"], selected["status"], selected["train_loss"]) == ("select", "ok", 9)
        assert (reported["phase"], reported["status"], reported["diverged_at"]) == ("report", "diverged", 15)
        assert math.isnan(reported["train_loss"]) and math.isnan(reported["train_accuracy"])
        assert (reported["batch_size"], reported["learning_rate"], reported["schedule"]) == (4, 0.1, "constant")
        assert reported["test_loss"] is None

    def test_failed_trials_keep_their_message(self, handmade):
        lost = {"status": "error", "message": "boom", "step": None, "train_loss": None, "batch_loss": None}
        part = handmade("sgd", [[8.0, 5.0, 1.0]], select=[], trial=lost, outcome="failed")
        (found,) = trials([part], Slice())[1]
        assert (found["status"], found["message"], found["train_loss"]) == ("error", "boom", None)
        assert list(curves([part], Slice())[1]) == []
