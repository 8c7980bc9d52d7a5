"""Expected running times that can be counted by hand."""

import math

from optbench.analyse.outcomes import Slice
from optbench.tables.ert import ert, unsolved

INF = math.inf
#: Records of a cell, as in `cell`.
STEP = (0, 10, 20, 50)


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
        assert unsolved(rows) == ["no optimizer reached train_loss <= 1 on bowl"]

    def test_no_target(self, cell, failed):
        for rows in (self.of(cell("sgd", 10, targets={})), self.of(failed("sgd")), self.of()):
            assert rows == []
            assert unsolved(rows) == ["no problem here has a target; --target 0.1 sets one for the train loss"]

    def test_slices(self, cell):
        part = cell("sgd", 10, 20, INF)
        steps = [self.of(part, **view)[0]["ert_steps"] for view in ({"at_step": 20}, {"at_step": 10}, {"seeds": 1})]
        # By step 10, only one of three met it, and the others spent 10 each.
        assert steps == [25, 30, 10]
        assert [self.of(part, target=target)[0]["ert_steps"] for target in (9.0, 0.5)] == [0, INF]

    def test_without_report_seeds(self, handmade, reach):
        part = handmade("sgd", [], tried={0.1: [reach(INF)] * 2, 0.2: [reach(10), reach(20)]}, step=STEP)
        assert self.of(part)[0]["ert_steps"] == 15
