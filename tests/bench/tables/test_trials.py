"""Lists of cells written by hand: every trial, and every record of each."""

import math

import pytest

from optbench.analyse.outcomes import Slice
from optbench.tables.curves import COUNTED, curves
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


class TestCurves:
    def test_are_cut_at_a_step(self, handmade):
        part = handmade("sgd", [[8.0, 5.0, 1.0]])
        rows = curves([part], Slice(at_step=12))[1]
        assert [found["step"] for found in rows] == [0, 10] * 2
        assert len(rows) == 4

    def test_are_read_anew_each_time(self, handmade):
        _, rows = curves([handmade("sgd", [[8.0, 5.0, 1.0]])], Slice())
        assert list(rows) == list(rows)
        assert len(list(rows)) == len(rows) == 6

    def test_of_different_metrics_stand_in_one_table(self, handmade):
        parts = [
            handmade("a", [[8.0, 5.0, 1.0]], select=[], trial={"train_margin": [1.0, 2.0, NAN]}),
            handmade("b", [[8.0, 5.0, 1.0]], select=[], trial={"test_loss": [3.0, 2.0, 1.0]}),
        ]
        columns, rows = curves(parts, Slice())
        assert columns[8:] == [*COUNTED, "train_loss", "train_margin", "test_loss"]
        assert [(one.get("train_margin"), one.get("test_loss")) for one in rows][1:5] == [
            (2, None),
            (pytest.approx(NAN, nan_ok=True), None),
            (None, 3),
            (None, 2),
        ]

    def test_leave_the_loss_of_every_step_out(self, handmade):
        columns, rows = curves([handmade("a", [[8.0, 5.0, 1.0]], trial={"step_loss": [8.0] * 20})], Slice())
        assert "step_loss" not in {*columns, *(name for one in rows for name in one)}

    @pytest.mark.parametrize("batch", [1, 2, 100])
    def test_come_in_order_however_many_are_read_together(self, handmade, monkeypatch, batch):
        monkeypatch.setattr("optbench.store.trials.BATCH_TRIALS", batch)
        part = handmade("sgd", [[8.0, 5.0, loss] for loss in (1.0, 2.0, 3.0)])
        assert [one["train_loss"] for one in curves([part], Slice())[1]][2::3] == [9, 1, 2, 3]
        assert [one["train_loss"] for one in trials([part], Slice())[1]] == [9, 1, 2, 3]


def test_curves_hold_every_metric(handmade):
    part = handmade(
        "sgd", [[8.0, 5.0, 1.0]], select=[], trial={"test_loss": [7.0, 6.0, 5.0], "train_margin": [1.0, 2.0, 3.0]}
    )
    columns, rows = curves([part], Slice())
    assert {"step", "examples", "gradient_evaluations", "train_loss", "test_loss", "train_margin"} <= set(columns)
    read = [(one["step"], one["examples"], one["train_loss"], one["test_loss"], one["train_margin"]) for one in rows]
    assert read == [(0, 0, 8, 7, 1), (10, 40, 5, 6, 2), (20, 80, 1, 5, 3)]
