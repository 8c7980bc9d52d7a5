"""How long a target takes, from timings and curves written by hand."""

import math

import pytest

from optbench.analyse.outcomes import Slice
from optbench.tables.time_to_target import time_to_target

INF = math.inf
#: At steps 0, 10 and 20, where 1 is the target.
SOON, LATE, NEVER = [3.0, 1.0, 0.5], [3.0, 2.0, 1.0], [3.0, 2.5, 2.0]


def split(found):
    """Part the scores from the rows of problems: ({optimizer: score}, rows)."""
    _, rows = found
    scores = {row["optimizer"]: row["score"] for row in rows if row["problem"] == "all"}
    return scores, rows[len(scores) :]


@pytest.fixture
def timed(timing):
    """Make what timing a cell gave: timed(optimizer, seconds of a step)."""
    return lambda optimizer, step=1.0, **fields: timing(optimizer=optimizer, step_seconds=[step] * 6, **fields)


class TestTimeToTarget:
    def test_steps_times_seconds(self, handmade, timed):
        """10 steps of 0.5 s are twice as long as 20 of 1/8 s, and score (4 - 2) / 3."""
        parts = [handmade("soon", [SOON]), handmade("late", [LATE]), handmade("never", [NEVER])]
        timings = [timed("soon", 0.5), timed("late", 0.125), timed("never", 0.01)]
        names, rows = time_to_target(parts, timings, Slice())
        assert names == [
            *("problem", "optimizer", "batch_size", "steps_to_target", "step_seconds", "time_to_target"),
            *("ratio", "score"),
        ]
        assert [tuple(row.get(name) for name in names) for row in rows] == [
            ("all", "late", None, None, None, None, None, 1.0),
            ("all", "soon", None, None, None, None, None, pytest.approx(2 / 3)),
            ("all", "never", None, None, None, None, None, 0.0),
            ("bowl", "late", 4, 20.0, 0.125, 2.5, 1.0, None),
            ("bowl", "soon", 4, 10.0, 0.5, 5.0, 2.0, None),
            ("bowl", "never", 4, INF, 0.01, INF, INF, None),
        ]

    def test_most_seeds_must_get_there(self, handmade, timed):
        parts = [handmade("most", [SOON, SOON, NEVER]), handmade("few", [SOON, NEVER, NEVER])]
        _, rows = split(time_to_target(parts, [timed("most", 1.0), timed("few", 1.0)], Slice()))
        assert {row["optimizer"]: row["time_to_target"] for row in rows} == {"most": 10.0, "few": INF}

    def test_the_fastest_batch_size_counts(self, handmade, timed):
        parts = [handmade("a", [SOON]), handmade("a", [SOON], batch_size=8), handmade("b", [SOON], batch_size=8)]
        timings = [timed("a", 1.0), timed("a", 4.0, batch_size=8), timed("b", 2.0, batch_size=8)]
        scores, rows = split(time_to_target(parts, timings, Slice()))
        assert scores == {"a": 1.0, "b": pytest.approx(2 / 3)}
        found = [(row["optimizer"], row["batch_size"], row["time_to_target"], row["ratio"]) for row in rows]
        assert found == [("a", 4, 10.0, 1.0), ("b", 8, 20.0, 2.0), ("a", 8, 40.0, 4.0)]

    def test_scores_are_means_over_problems(self, handmade, timed):
        """b is fastest on one, 2.5 times as slow on the other: (1 + 0.5) / 2; a wasn't asked for the second."""
        parts = [handmade("a", [SOON]), handmade("b", [SOON])]
        parts += [handmade("b", [SOON], problem="hill")]
        timings = [timed("a", 1.0), timed("b", 2.5), timed("b", 1.0, problem="hill")]
        scores, rows = split(time_to_target(parts, timings, Slice()))
        assert scores == {"b": 0.75, "a": 0.5}
        assert [(row["problem"], row["ratio"]) for row in rows] == [("bowl", 1.0), ("bowl", 2.5), ("hill", 1.0)]

    def test_where_nobody_gets_there_nobody_scores(self, handmade, timed):
        parts = [handmade("a", [NEVER]), handmade("b", [NEVER])]
        scores, rows = split(time_to_target(parts, [timed("a", 1.0), timed("b", 2.0)], Slice()))
        assert scores == {"a": 0.0, "b": 0.0}
        assert {row["ratio"] for row in rows} == {INF}

    def test_problems_without_a_target_are_left_out(self, handmade, timed):
        parts = [handmade("a", [SOON]), handmade("a", [SOON], problem="hill", targets={})]
        timings = [timed("a", 1.0), timed("a", 1.0, problem="hill")]
        scores, rows = split(time_to_target(parts, timings, Slice()))
        assert scores == {"a": 1.0}
        assert [row["problem"] for row in rows] == ["bowl"]
        # One that is given is every problem's.
        _, rows = split(time_to_target(parts, timings, Slice(target=0.5)))
        assert [(row["problem"], row["steps_to_target"]) for row in rows] == [("bowl", 20.0), ("hill", 20.0)]

    def test_what_is_not_timed_is_left_out(self, handmade, timed):
        parts = [handmade("a", [SOON]), handmade("b", [SOON]), handmade("c", [SOON])]
        scores, rows = split(
            time_to_target(parts, [timed("a", 1.0), timed("b", outcome="failed", message="boom")], Slice())
        )
        assert scores == {"a": 1.0}
        assert [row["optimizer"] for row in rows] == ["a"]
        assert time_to_target(parts, [], Slice())[1] == []

    @pytest.mark.parametrize("view", [Slice(), Slice(target=2.0)], ids=["own-target", "given-target"])
    def test_a_failed_cell_has_missed(self, handmade, timed, view):
        """Its training ran out of memory, say, and the one trial that is timed did not."""
        parts = [handmade("a", [SOON]), handmade("b", [], outcome="failed", message="boom", targets=None)]
        scores, rows = split(time_to_target(parts, [timed("a", 1.0), timed("b", 1.0)], view))
        assert scores == {"a": 1.0, "b": 0.0}
        assert [row["time_to_target"] for row in rows] == [10.0, INF]

    def test_looks_no_further_than_asked(self, handmade, timed):
        parts = [handmade("late", [LATE])]
        _, rows = split(time_to_target(parts, [timed("late", 1.0)], Slice(at_step=10)))
        assert rows[0]["time_to_target"] == INF
