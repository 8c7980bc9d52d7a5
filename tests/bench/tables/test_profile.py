"""Performance profiles that can be counted by hand."""

import math
from types import SimpleNamespace

import pytest

from optbench.analyse.outcomes import Slice
from optbench.tables.profile import notes, profile

INF = math.inf


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
            notes(SimpleNamespace(parts=parts), [], Slice())[-1]
            == "no optimizer reached the target on r at batch size 4"
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
        for parts in ([cell("a", 10, targets={})], [failed("b")], []):
            assert profile(parts, Slice())[1] == []
            assert notes(SimpleNamespace(parts=parts), [], Slice()) == [
                "no problem here has a target; --target 0.1 sets one for the train loss"
            ]
