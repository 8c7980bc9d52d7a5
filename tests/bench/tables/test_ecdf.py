"""What was solved, and when: running times, shares and profiles that can be counted by hand."""

import math
from types import SimpleNamespace

import pytest

from optbench.analyse.outcomes import Slice
from optbench.tables import ecdf as ecdf_table
from optbench.tables import profile as profile_table
from optbench.tables.ecdf import ecdf
from optbench.tables.ert import ert, unsolved
from optbench.tables.profile import profile

INF = math.inf
NAN = math.nan
STEP = (0, 10, 20, 50)


def reach(at):
    """Reach the target, 1, at a step."""
    return [8.0 if step < at else 1.0 for step in STEP]


@pytest.fixture
def cell(handmade):
    """Write a cell that meets the target after so many steps, one number per report seed."""
    return lambda name, *steps, **fields: handmade(name, [reach(at) for at in steps], step=STEP, **fields)


@pytest.fixture
def failed(handmade):
    return lambda name: handmade(name, [], select=[], outcome="failed", message="boom")


class TestErt:
    def of(self, *parts, seconds=(), **view):
        return ert(parts, dict(seconds), Slice(**view))[1]

    def test_a_seed_that_missed_spent_all(self, cell):
        """(10 + 20 + 50) / 2 steps of 4 examples and half a second."""
        (row,) = self.of(cell("sgd", 10, 20, INF), seconds={("bowl", "sgd", 4): 0.5}.items())
        assert (row["ert_steps"], row["ert_examples"], row["ert_seconds"]) == (40, 160, 20)
        assert (row["num_solved"], row["num_seeds"], row["target"]) == (2, 3, "train_loss <= 1")

    def test_quickest_first_within_each_target(self, cell):
        parts = [cell("slow", 50), cell("never", INF), cell("quick", 10), cell("slow", 20, problem="hill")]
        assert [(row["problem"], row["optimizer"], row["ert_steps"]) for row in self.of(*parts)] == [
            ("bowl", "quick", 10),
            ("bowl", "slow", 50),
            ("bowl", "never", INF),
            ("hill", "slow", 20),
        ]
        assert {row["ert_seconds"] for row in self.of(*parts)} == {None}

    def test_each_target_has_a_row(self, cell):
        measured = {"test_accuracy": [0.1, 0.5, 0.9, 0.9]}
        targets = {"train_loss": 1.0, "test_accuracy": 0.9}
        rows = self.of(cell("sgd", 10, targets=targets, trial=measured))
        assert [(row["target"], row["ert_steps"]) for row in rows] == [
            ("train_loss <= 1", 10),
            ("test_accuracy >= 0.9", 20),
        ]

    def test_nobody_reached_it(self, cell, failed):
        rows = self.of(cell("sgd", INF), cell("adam", INF, INF), failed("lion"))
        assert [row["ert_steps"] for row in rows] == [INF, INF]
        assert unsolved(rows) == ["nobody reached train_loss <= 1 on bowl"]

    def test_no_target(self, cell, failed):
        for rows in (self.of(cell("sgd", 10, targets={})), self.of(failed("sgd")), self.of()):
            assert rows == []
            assert unsolved(rows) == ["no problem has a target; --target 0.1 sets one, in train loss"]

    def test_slices(self, cell):
        part = cell("sgd", 10, 20, INF)
        steps = [self.of(part, **view)[0]["ert_steps"] for view in ({"at_step": 20}, {"at_step": 10}, {"seeds": 1})]
        # By step 10, only one of three met it, and the others spent 10 each.
        assert steps == [25, 30, 10]
        assert [self.of(part, target=target)[0]["ert_steps"] for target in (9.0, 0.5)] == [0, INF]

    def test_without_report_seeds(self, handmade):
        part = handmade("sgd", [], tried={0.1: [reach(INF)] * 2, 0.2: [reach(10), reach(20)]}, step=STEP)
        assert self.of(part)[0]["ert_steps"] == 15


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

    @pytest.mark.parametrize(("start", "share"), [(0.5, 1), (1.0, 1), (INF, 0)], ids=["below", "at", "infinite"])
    def test_a_target_that_the_start_meets(self, handmade, start, share):
        assert self.of(handmade("sgd", [[start, 2.0, 2.0]]))["sgd"] == [share] * 4

    def test_all_diverged(self, handmade):
        lost = {"trial": {"status": "diverged"}}
        part = handmade("sgd", [[8.0, 4.0, NAN]] * 2, **lost)
        assert self.of(part)["sgd"][-1] == 0.3
        nowhere = handmade("sgd", [[8.0, 4.0, NAN]] * 2, targets={}, **lost)
        assert self.of(nowhere) == {}
        assert ecdf_table.notes(SimpleNamespace(parts=[]), [], Slice()) == [
            "no problem has a target or a trial that didn't diverge"
        ]

    def test_nothing(self, failed):
        assert self.of() == self.of(failed("sgd")) == {}


class TestProfile:
    """On p a takes 10 steps and b 20; on q a takes 50 and b 10."""

    @pytest.fixture
    def parts(self, cell):
        return [
            cell("a", 10, problem="p"),
            cell("b", 20, problem="p"),
            cell("a", 50, problem="q"),
            cell("b", 10, problem="q"),
        ]

    @staticmethod
    def of(parts, **view):
        return {row["optimizer"]: row for row in profile(parts, Slice(**view))[1]}

    def test_by_hand(self, parts):
        """Ratios 1 and 5 for a, 2 and 1 for b; scores (1 + 0) / 2 and (2/3 + 1) / 2."""
        found = self.of(parts)
        factors = ("1", "1.5", "2", "4", "8", "16")
        assert {name: [row[f"within_{factor}"] for factor in factors] for name, row in found.items()} == {
            "b": [0.5, 0.5, 1, 1, 1, 1],
            "a": [0.5, 0.5, 0.5, 0.5, 1, 1],
        }
        assert list(found) == ["b", "a"]
        assert [row["score"] for row in found.values()] == pytest.approx([5 / 6, 1 / 2])
        assert [(row["solved"], row["num_problems"]) for row in found.values()] == [(1, 2), (1, 2)]

    def test_what_nobody_reached_counts_and_is_named(self, parts, cell):
        parts = [*parts, cell("a", INF, problem="r"), cell("b", INF, problem="r")]
        assert self.of(parts)["b"]["within_2"] == self.of(parts)["b"]["solved"] == pytest.approx(2 / 3)
        assert (
            profile_table.notes(SimpleNamespace(parts=parts), [], Slice())[-1]
            == "nobody reached the target on r at batch size 4"
        )

    def test_what_was_not_run_or_failed_somewhere_is_not_solved_there(self, parts, cell, failed):
        found = self.of([*parts, cell("c", 10, problem="p"), failed("d")])
        assert (found["c"]["solved"], found["c"]["score"]) == (0.5, 0.5)
        assert (found["d"]["solved"], found["d"]["score"]) == (0, 0)

    def test_each_batch_size_counts(self, cell):
        found = self.of([cell("a", 10), cell("a", 20, batch_size="full"), cell("b", 20)])
        assert (found["a"]["within_1"], found["b"]["within_1"], found["b"]["within_2"]) == (1, 0, 0.5)

    def test_is_of_the_median_seed(self, cell):
        assert self.of([cell("a", 10, INF, INF), cell("b", 50)])["a"]["solved"] == 0
        assert self.of([cell("a", 10, INF, INF), cell("b", 50)], seeds=1)["a"]["solved"] == 1

    def test_a_target_met_at_the_start_takes_one_step(self, cell):
        assert self.of([cell("a", 0), cell("b", 0)])["a"]["within_1"] == 1

    def test_slices(self, parts):
        assert self.of(parts, at_step=20)["a"]["solved"] == 0.5
        assert self.of(parts, target=0.5)["a"]["solved"] == 0

    def test_no_target(self, cell, failed):
        for parts in ([cell("a", 10, targets={})], [failed("a")], []):
            assert profile(parts, Slice())[1] == []
            assert profile_table.notes(SimpleNamespace(parts=parts), [], Slice()) == [
                "no problem has a target; --target 0.1 sets one, in train loss"
            ]
