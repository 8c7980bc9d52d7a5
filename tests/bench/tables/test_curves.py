"""Every record of trials written by hand."""

import math

import pytest

from optbench.analyse.outcomes import Slice
from optbench.tables.curves import COUNTED, curves
from optbench.tables.trials import trials

NAN = math.nan


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
