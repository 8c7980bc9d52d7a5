"""The expected best of k configurations, against all subsets, and crossings made by hand."""

import math
from itertools import combinations

import numpy as np
import pytest

from optbench.analyse.outcomes import Slice
from optbench.tables.budget import budget, configurations, hidden_columns, overtaking

INF = math.inf
NAN = math.nan


def curves(ends, start=8.0):
    """One seed, and a point per end; what ends above the start diverged."""
    return {float(place + 1): [[start, start, end]] for place, end in enumerate(ends)}


def rows(*parts, **view):
    return {row["optimizer"]: row for row in budget(parts, Slice(**view))[1]}


class TestBestOfK:
    @pytest.mark.parametrize(
        ("ends", "diverged"),
        [([1, 2, 4, 8, 3, 5], []), ([5, 1, NAN, 2, 2, 9], [2, 5]), ([INF] * 6, range(6))],
        ids=["all-ended", "two-diverged", "all-diverged"],
    )
    def test_is_the_mean_over_all_subsets(self, handmade, ends, diverged):
        """What diverged counts as the start, 8."""
        found = rows(handmade("sgd", [], tried=curves(ends)))["sgd"]
        worst = [8 if place in diverged else end for place, end in enumerate(ends)]
        for k in (1, 4, 6):
            expected = np.mean([min(subset) for subset in combinations(worst, k)])
            assert found[f"best_of_{k}"] == pytest.approx(expected)
            assert found[f"best_of_{k}_low"] <= expected + 1e-9
            assert found[f"best_of_{k}_high"] >= expected - 1e-9

    def test_by_hand(self, handmade):
        """Of 0 and five 6: a random one is 5 on average, four of six hold the 0 in two of three cases."""
        found = rows(handmade("sgd", [], tried=curves([6, 6, 0, 6, 6, 6])))["sgd"]
        assert [found[f"best_of_{k}"] for k in (1, 4, 6)] == pytest.approx([5, 2, 0])
        assert found["num_points"] == 6

    def test_is_of_the_median_over_seeds(self, handmade):
        tried = {0.1: [[8.0, 8.0, end] for end in (1.0, 3.0, 7.0)]}
        found = rows(handmade("sgd", [], tried=tried))["sgd"]
        assert found["best_of_1"] == found["best_of_1_low"] == found["best_of_1_high"] == 3

    def test_is_the_gap_where_the_optimum_is_known(self, handmade):
        part = handmade("sgd", [], tried=curves([3, 4, NAN]), optimum=2.0)
        # 1, 2, and the start's 6.
        assert rows(part)["sgd"]["best_of_1"] == pytest.approx(3)
        assert configurations(part, Slice()).tolist() == [1, 2, 6]

    def test_what_a_search_stopped_counts_with_what_it_had(self, handmade):
        part = handmade(
            "sgd", [], tried={0.1: [[8.0, 6.0, NAN]], 0.2: [[8.0, 4.0, 2.0]]}, points={0: {"status": "stopped"}}
        )
        assert configurations(part, Slice()).tolist() == [6, 2]

    def test_more_than_were_tried_is_left_out(self, handmade):
        few, many = handmade("few", [], tried=curves([1, 2])), handmade("many", [], tried=curves([3] * 20))
        columns, _ = budget([few, many], Slice())
        assert [name for name in columns if name[-1].isdigit()] == [f"best_of_{k}" for k in range(1, 21)]
        people = [name for name in columns if name not in hidden_columns(columns)]
        assert [name for name in people if name[-1].isdigit()] == [f"best_of_{k}" for k in (1, 4, 16, 20)]
        found = rows(few, many)
        assert "best_of_4" not in found["few"] and found["many"]["best_of_20"] == 3

    def test_slices(self, handmade):
        tried = {0.1: [[8.0, 2.0, 1.0], [8.0, 4.0, 3.0]], 0.2: [[8.0, 6.0, 5.0], [8.0, 8.0, 7.0]]}
        part = handmade("sgd", [], tried=tried)
        assert [rows(part, **view)["sgd"]["best_of_1"] for view in ({}, {"seeds": 1}, {"at_step": 10})] == [4, 3, 5]


class TestOvertakes:
    """Of 0 and three 8 the expected best of 1, 2, 3 and 4 is 6, 4, 2 and 0."""

    def test_is_named_with_its_k(self, handmade):
        found = rows(
            handmade("late", [], tried=curves([8, 8, 0, 8])),
            handmade("early", [], tried=curves([3, 3, 3, 3])),
            handmade("middling", [], tried=curves([5, 5, 5, 5])),
        )
        assert {name: row["overtakes"] for name, row in found.items()} == {
            "late": "middling at 2, early at 3",
            "early": "",
            "middling": "",
        }
        assert list(found) == ["late", "early", "middling"]

    def test_not_beyond_what_both_tried(self, handmade):
        found = rows(handmade("late", [], tried=curves([8, 8, 0, 8])), handmade("early", [], tried=curves([3, 3])))
        assert found["late"]["overtakes"] == ""

    def test_not_on_another_problem_or_batch_size(self, handmade):
        found = rows(
            handmade("late", [], tried=curves([8, 8, 0, 8])),
            handmade("early", [], tried=curves([3, 3, 3, 3]), batch_size="full"),
            handmade("other", [], tried=curves([3, 3, 3, 3]), problem="hill"),
        )
        assert {row["overtakes"] for row in found.values()} == {""}

    def test_of_many_the_number_is_told(self, handmade):
        others = [handmade(f"o{place}", [], tried=curves([5, 5, 5, 5])) for place in range(5)]
        found = rows(handmade("late", [], tried=curves([8, 8, 0, 8])), *others)
        assert found["late"]["overtakes"] == "o0 at 2, o1 at 2, o2 at 2, 2 more"

    @pytest.mark.parametrize(
        ("first", "second", "place"),
        [
            ([6, 4, 2, 0], [3, 3, 3, 3], 2),
            ([6, 4, 2, 0], [5, 5, 5, 5], 1),
            # Ahead from the start, never ahead, level at the end.
            ([2, 2], [3, 1], None),
            ([6, 4], [3, 3], None),
            ([6, 3], [3, 3], None),
            # Ahead, behind again, ahead.
            ([6, 2, 4, 1], [3, 3, 3, 3], 3),
            ([3, 3], [3, 3], None),
            # Rounding is no lead.
            ([6, 3 * (1 - 1e-15)], [3, 3], None),
            ([-1, -4], [-2, -3], 1),
        ],
        ids=str,
    )
    def test_place(self, first, second, place):
        assert overtaking(np.array(first, float), np.array(second, float)) == place

    def test_is_within_a_percent_of_many(self, handmade):
        """Of one 0 among 2000 the best of k is 8 (1 - k / 2000): below 3 from k = 1251 on."""
        late = handmade("late", [], tried=curves([0] + [8] * 1999))
        early = handmade("early", [], tried=curves([3] * 2000))
        name, _, k = rows(late, early)["late"]["overtakes"].rpartition(" at ")
        assert (name, int(k)) == ("early", pytest.approx(1251, rel=0.01))


def test_failed_cells_have_no_row(handmade):
    failed = handmade("sgd", [], select=[], outcome="failed", message="boom")
    columns, found = budget([failed], Slice())
    assert (columns[:4], found) == (["problem", "optimizer", "batch_size", "num_points"], [])
