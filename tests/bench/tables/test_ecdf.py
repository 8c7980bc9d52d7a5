"""The share of targets met, counted by hand."""

import math
from types import SimpleNamespace

import pytest

from optbench.analyse.outcomes import Slice
from optbench.tables.ecdf import ecdf, notes

INF = math.inf
NAN = math.nan
STEP = (0, 10, 20, 50)


class TestEcdf:
    """From 1024 to 1 the ten targets are 512, 256, ..., 1."""

    @staticmethod
    def of(*parts, **view):
        columns, rows = ecdf(parts, Slice(**view))
        return {row["optimizer"]: [row[column] for column in columns[1:]] for row in rows}

    def test_counts_targets_and_seeds(self, handmade):
        """One seed meets 1 target by step 10, 8 by step 20 and all by step 50, the other 0, 3 and 3."""
        part = handmade("sgd", [[1024.0, 500.0, 3.0, 0.9], [1024.0, 600.0, 100.0, 100.0]], step=STEP)
        assert ecdf([part], Slice())[0] == ["optimizer", *(f"by_step_{step}" for step in (1, 3, 10, 30, 50))]
        assert self.of(part) == {"sgd": pytest.approx([0, 0, 1 / 20, 11 / 20, 13 / 20])}
        assert self.of(part, seeds=1) == {"sgd": pytest.approx([0, 0, 0.1, 0.8, 1])}
        assert self.of(part, at_step=20) == {"sgd": pytest.approx([0, 0, 1 / 20, 11 / 20])}

    def test_most_first_and_what_did_not_run_there_met_nothing(self, handmade, failed):
        half, whole = [1024.0, 1024.0, 1024.0, 30.0], [1024.0, 1024.0, 1024.0, 1.0]
        parts = [
            handmade("half", [half], step=STEP),
            handmade("half", [half], step=STEP, problem="hill"),
            handmade("whole", [whole], step=STEP),
            failed("lion"),
        ]
        # Down to 30 there are 512, 256, 128, 64 and 32.
        found = self.of(*parts)
        assert list(found)[:2] == ["half", "whole"]
        assert {name: shares[-1] for name, shares in found.items()} == {"half": 0.5, "whole": 0.5, "lion": 0}

    def test_the_last_target_is_the_problem_s_own(self, handmade):
        """Its share is that of the seeds which met it: one of two, the other has met nine of ten."""
        part = handmade("sgd", [[1000.0, 1000.0, 0.3], [1000.0, 1000.0, 0.30001]], targets={"train_loss": 0.3})
        assert self.of(part)["sgd"][-1] == pytest.approx(0.95)

    def test_is_of_the_gap_where_the_optimum_is_known(self, handmade):
        part = handmade("sgd", [[1034.0, 510.0, 13.0, 10.9]], step=STEP, optimum=10.0, targets={"train_loss": 11.0})
        assert self.of(part)["sgd"] == pytest.approx([0, 0, 0.1, 0.8, 1])

    def test_without_a_target_the_lowest_end_is_the_last(self, handmade):
        best = handmade("best", [[1024.0, 500.0, 3.0, 1.0]], step=STEP, targets={})
        other = handmade("other", [[1024.0, 600.0, 100.0, 100.0]], step=STEP, targets={"test_accuracy": 0.9})
        assert {name: shares[-1] for name, shares in self.of(best, other).items()} == {"best": 1, "other": 0.3}

    def test_below_zero(self, handmade):
        """The gap to the target is from 1 down to 2^-23, where rounding begins; one meets it, one comes halfway."""
        parts = [
            handmade("whole", [[0.0, 0.0, -1.0]], targets={"train_loss": -1.0}),
            handmade("half", [[0.0, 0.0, -1 + 2.0**-12]], targets={"train_loss": -1.0}),
        ]
        assert {name: shares[-1] for name, shares in self.of(*parts).items()} == {"whole": 1, "half": 0.5}

    @pytest.mark.parametrize(
        ("losses", "share"),
        [([0.5, 0.4, 0.4], 1), ([1.0, 1.0, 1.0], 1), ([0.5, 2.0, 2.0], 0), ([INF, 2.0, 2.0], 0)],
        ids=["below", "at", "left", "infinite"],
    )
    def test_a_target_that_the_start_meets(self, handmade, losses, share):
        assert self.of(handmade("sgd", [losses]))["sgd"] == [share] * 4

    def test_all_diverged(self, handmade):
        """On their way they met three targets of ten, which is no success."""
        lost = {"trial": {"status": "diverged"}}
        part = handmade("sgd", [[8.0, 4.0, NAN]] * 2, **lost)
        assert self.of(part)["sgd"][-1] == 0
        nowhere = handmade("sgd", [[8.0, 4.0, NAN]] * 2, targets={}, **lost)
        assert self.of(nowhere) == {}
        assert notes(SimpleNamespace(parts=[]), [], Slice()) == [
            "nothing to show: no problem has a target, and every trial diverged"
        ]

    def test_nothing(self, failed):
        assert self.of() == self.of(failed("sgd")) == {}
