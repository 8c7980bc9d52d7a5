"""What tuning buys: the point that is nearest to the defaults against the best one."""

import math

import pytest

from optbench.analyse.outcomes import Slice, outcomes
from optbench.tables.defaults import COLUMNS, defaults, nearest_point

INF = math.inf
NAN = math.nan


def curves(ends, start=16.0):
    """One seed, and a learning rate 1, 2, 3, ... per end; what ends above the start diverged."""
    return {float(place + 1): [[start, start, end]] for place, end in enumerate(ends)}


#: The defaults of an optimizer whose learning rate is 1, or 2.
ONE, TWO = {"learning_rate": 1.0}, {"learning_rate": 2.0}


def row(part, **view):
    _, found = defaults([part], Slice(**view))
    assert [one["problem"] for one in found] == ["all", "bowl"]
    return found[1]


class TestNearestPoint:
    @pytest.mark.parametrize(
        ("default", "nearest"),
        [
            (1.0, 1),
            (1.4, 1),
            (1.42, 2),
            (2.8, 2),
            (2.9, 4),
            # Half a step of the grid beyond its ends, a factor of 1.414, and no further.
            (0.708, 1),
            (0.706, None),
            (5.65, 4),
            (5.67, None),
        ],
    )
    def test_is_the_nearest_in_the_logarithm(self, handmade, default, nearest):
        tried = {rate: [[16.0, 16.0, rate]] for rate in (1.0, 2.0, 4.0)}
        found = row(handmade("sgd", [], tried=tried, defaults={"learning_rate": default}))
        assert (found["default_learning_rate"], found["nearest_learning_rate"]) == (default, nearest)
        assert found["nearest"] == nearest
        if nearest is None:
            assert (found["ratio"], found["kept"], found["tuned"]) == (None, None, 1)

    @pytest.mark.parametrize(("default", "nearest"), [(1.0, 1), (1.01, None), (None, None)])
    def test_a_single_rate_has_no_step_and_an_older_run_no_default(self, handmade, default, nearest):
        known = {} if default is None else {"learning_rate": default}
        found = row(handmade("sgd", [], tried=curves([4.0]), defaults=known))
        assert (found["default_learning_rate"], found["nearest_learning_rate"]) == (default, nearest)

    def test_has_the_least_weight_decay_the_nearest_of_others_and_no_schedule(self, handmade):
        chosen = [
            {"learning_rate": rate, "weight_decay": decay, "b1": b1, "b2": b2, "schedule": schedule}
            for rate in (0.1, 0.2)
            for decay in (0.5, 0.01)
            for b1 in (0.99, 0.8, 0.9)
            for b2 in (0.99, 0.8, 0.9)
            for schedule in ("cosine", "constant")
        ]
        points = {
            place: {"schedule": point.pop("schedule"), "hyperparameters": point} for place, point in enumerate(chosen)
        }
        part = handmade("sgd", [], tried=curves([4.0] * len(chosen)), points=points)
        found = outcomes(part, "select", Slice())
        nearest = nearest_point(found, {"learning_rate": 0.18, "b1": 0.97, "weight_decay": 0.5})
        expected = {"learning_rate": 0.2, "weight_decay": 0.01, "b1": 0.99, "b2": 0.9, "schedule": "constant"}
        assert {name: values[nearest] for name, values in found.settings.items()} == expected


class TestRow:
    def test_by_hand(self, handmade):
        """From 16 the tuned one comes down to 1, and the nearest to 4: half of the way."""
        found = row(handmade("sgd", [], tried=curves([8, 4, 1]), defaults=TWO))
        assert (found["nearest_learning_rate"], found["tuned_learning_rate"]) == (2, 3)
        assert (found["nearest"], found["tuned"], found["ratio"]) == (4, 1, 4)
        assert found["kept"] == pytest.approx(0.5)
        assert found.keys() == {*COLUMNS}

    def test_is_of_medians_with_intervals(self, handmade):
        tried = {0.1: [[8.0, 8.0, end] for end in (1.0, 2.0, 4.0)], 0.2: [[8.0, 8.0, end] for end in (1.0, 1.0, 9.0)]}
        found = row(handmade("sgd", [], tried=tried, defaults={"learning_rate": 0.1}))
        assert [found[f"nearest{end}"] for end in ("", "_low", "_high")] == [2, 1, 4]
        assert [found[f"tuned{end}"] for end in ("", "_low", "_high")] == [1, 1, INF]

    @pytest.mark.parametrize(
        ("ends", "ratio", "kept"),
        [
            ([4, NAN, 1], INF, 0),
            ([NAN, NAN, NAN], 1, 0),
            ([4, 1, 4], 1, 1),
            ([16, 16, 16], 1, 0),
            ([4, 1, 0], INF, None),
            ([4, 0, 0], 1, 1),
            # Half of the way from 16 to -8; how many times as much -8 is of 4, nobody can say.
            ([8, 4, -8], None, 0.5),
        ],
        ids=[
            "nearest-diverged",
            "all-diverged",
            "same-point",
            "no-gain",
            "tuned-at-zero",
            "both-at-zero",
            "below-zero",
        ],
    )
    def test_ratio_and_kept(self, handmade, ends, ratio, kept):
        found = row(handmade("sgd", [], tried=curves(ends), defaults=TWO))
        assert found["ratio"] == ratio
        # To float32's rounding, 23 halvings from 16, it is 4 halvings to 1.
        assert found["kept"] == pytest.approx(4 / 23 if kept is None else kept)

    def test_is_the_gap_where_the_optimum_is_known(self, handmade):
        found = row(handmade("sgd", [], tried=curves([18, 14, 11], start=26.0), optimum=10.0, defaults=TWO))
        assert (found["nearest"], found["tuned"], found["ratio"]) == (4, 1, 4)
        assert found["kept"] == pytest.approx(0.5)

    def test_tuned_is_the_run_s_best_point_at_any_step(self, handmade):
        """At step 10 the one that won in the end is behind the nearest."""
        part = handmade("sgd", [], tried={1.0: [[16.0, 4.0, 4.0]], 2.0: [[16.0, 16.0, 1.0]]}, defaults=ONE)
        found = row(part, at_step=10)
        assert (found["nearest"], found["tuned"], found["tuned_learning_rate"]) == (4, 16, 2)
        assert found["ratio"] == 0.25

    def test_what_a_search_stopped_counts_with_what_it_had_and_is_not_the_best(self, handmade):
        tried = {1.0: [[16.0, 1.0, NAN]], 2.0: [[16.0, 8.0, 2.0]]}
        found = row(handmade("sgd", [], tried=tried, points={0: {"status": "stopped"}}, defaults=ONE))
        assert (found["nearest"], found["tuned_learning_rate"], found["tuned"]) == (1, 2, 2)

    def test_seeds(self, handmade):
        tried = {1.0: [[16.0, 16.0, 4.0], [16.0, 16.0, 8.0]]}
        assert row(handmade("sgd", [], tried=tried, defaults=ONE), seeds=1)["nearest"] == 4


def test_all_problems_come_first(handmade):
    """Ratios 4, 16 and 1 have the median 4; half, none and all of the way is kept."""
    parts = [
        handmade("sgd", [], tried=curves([4, 1]), defaults=ONE),
        handmade("sgd", [], tried=curves([16, 1]), defaults=ONE, problem="hill"),
        handmade("sgd", [], tried=curves([1, 2]), defaults=ONE, problem="pit"),
        handmade("adam", [], tried=curves([1, 2]), defaults=ONE),
        handmade("lion", [], select=[], outcome="failed", message="boom"),
    ]
    _, rows = defaults(parts, Slice())
    assert [(row["problem"], row["optimizer"]) for row in rows] == [
        *(("all", "adam"), ("all", "sgd")),
        *(("bowl", "adam"), ("bowl", "sgd"), ("hill", "sgd"), ("pit", "sgd")),
    ]
    assert (rows[1]["ratio"], rows[1]["kept"]) == (4, pytest.approx(0.5))


def test_all_problems_leave_out_ratios_that_there_are_not(handmade):
    parts = [
        handmade("sgd", [], tried=curves([8, 4, -8]), defaults=TWO),
        handmade("sgd", [], tried=curves([4, 1]), defaults=ONE, problem="hill"),
    ]
    assert defaults(parts, Slice())[1][0]["ratio"] == 4
    assert defaults(parts[:1], Slice())[1][0]["ratio"] is None


def test_what_has_no_default_in_its_grid_comes_last(handmade):
    parts = [handmade("sgd", [], tried=curves([4, 1])), handmade("adam", [], tried=curves([4, 1]), defaults=ONE)]
    _, rows = defaults(parts, Slice())
    assert [(row["problem"], row["optimizer"]) for row in rows] == [
        *(("all", "adam"), ("all", "sgd"), ("bowl", "adam"), ("bowl", "sgd")),
    ]
    assert [row["kept"] for row in rows] == [pytest.approx(0.5), None, pytest.approx(0.5), None]


def test_nothing(handmade):
    failed = handmade("sgd", [], select=[], outcome="failed", message="boom")
    assert defaults([failed], Slice()) == defaults([], Slice()) == ([*COLUMNS], [])
