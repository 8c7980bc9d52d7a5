"""How much the learning rate matters, on grids of powers of two: one step of a grid is one octave."""

import math

import pytest

from optbench.analyse.outcomes import Slice
from optbench.tables.sensitivity import COLUMNS, sensitivity

INF = math.inf
NAN = math.nan


def curves(ends, start=16.0):
    """One seed, and rates 1/4, 1/2, 1, ...; what ends above the start diverged."""
    return {2.0 ** (place - 2): [[start, start, end]] for place, end in enumerate(ends)}


def row(part, **view):
    (found,) = sensitivity([part], Slice(**view))[1]
    return found


def test_every_column_is_filled_or_left_out(handmade):
    columns, (found,) = sensitivity([handmade("sgd", [], tried=curves([4, 1, 4]))], Slice())
    assert columns == list(COLUMNS)
    assert found.keys() <= {*columns}


class TestWidth:
    @pytest.mark.parametrize(
        ("ends", "keeping"),
        [
            # 4 lies half of the way from 16 to 1, so a tenth is lost a fifth of an octave away.
            ([4, 1, 4], 0.4),
            # The whole way is lost in an octave: a tenth of one.
            ([16, 1, 16], 0.2),
            # Beside a diverged one nothing is known.
            ([4, 1, INF], 0.2),
            ([NAN, 1, 17], 0),
            # The range ends where the grid does.
            ([1, 4, 16], 0.2),
            ([1, 1, 1], 2),
            # Losing 1/20 of the way, then 1/2: a ninth of the second octave.
            ([16, 1, 16**0.05, 4], 0.1 + 1 + 1 / 9),
            # A second valley is another range.
            ([1, 16, 1.01], 0.1),
        ],
        ids=str,
    )
    def test_keeping_nine_tenths_of_the_way(self, handmade, ends, keeping):
        assert row(handmade("sgd", [], tried=curves(ends)))["octaves_keeping_90_percent"] == pytest.approx(keeping)

    @pytest.mark.parametrize(
        ("ends", "within"),
        [
            # In two octaves the loss grows 4 times, twice: each is 1.1 times the best after log_4 1.1.
            ([4, 1, 4], 2 * math.log(1.1, 4)),
            ([1.1, 1, 1.1], 2),
            ([1.05, 1, 1.2], 1 + math.log(1.1, 1.2)),
            ([INF, 1, INF], 0),
        ],
        ids=str,
    )
    def test_within_ten_percent(self, handmade, ends, within):
        assert row(handmade("sgd", [], tried=curves(ends)))["octaves_within_10_percent"] == pytest.approx(within)

    def test_below_zero_ten_percent_are_of_its_size(self, handmade):
        """From -10 up to 10 in an octave: -9 comes after a twentieth, a tenth of the way after a tenth."""
        found = row(handmade("sgd", [], tried=curves([10, -10, 10], start=10.0)))
        assert found["octaves_within_10_percent"] == pytest.approx(0.1)
        assert found["octaves_keeping_90_percent"] == pytest.approx(0.2)

    def test_is_of_the_gap_where_the_optimum_is_known(self, handmade):
        part = handmade("sgd", [], tried=curves([14, 11, 14], start=26.0), optimum=10.0)
        assert row(part)["octaves_within_10_percent"] == pytest.approx(2 * math.log(1.1, 4))

    def test_at_the_optimum_ends_where_rounding_does(self, handmade):
        """From 2^-23 of the start, which rounding is, to the start: ten percent more come after log2(1.1) / 23."""
        part = handmade("sgd", [], tried=curves([16, 0, 16]), optimum=0.0)
        assert row(part)["octaves_within_10_percent"] == pytest.approx(2 * math.log2(1.1) / 23)
        assert row(part)["octaves_keeping_90_percent"] == pytest.approx(0.2)

    def test_is_unknown_of_one_learning_rate(self, handmade):
        found = row(handmade("sgd", [], tried={0.5: [[16.0, 4.0, 1.0]]}))
        assert found["learning_rate"] == 0.5 and not found["at_edge"]
        assert found.get("octaves_within_10_percent") is found.get("octaves_keeping_90_percent") is None


class TestBest:
    @pytest.mark.parametrize(
        ("ends", "rate", "edge"),
        [
            ([4, 1, 4], 0.5, []),
            ([1, 4, 8], 0.25, ["learning_rate"]),
            ([8, 4, 1], 1, ["learning_rate"]),
            ([INF, 8, INF], 0.5, []),
        ],
        ids=str,
    )
    def test_learning_rate(self, handmade, ends, rate, edge):
        found = row(handmade("sgd", [], tried=curves(ends)))
        assert (found["learning_rate"], found["at_edge"]) == (rate, edge)

    def test_is_the_one_that_the_run_chose_of_those_at_the_optimum(self, handmade):
        part = handmade("sgd", [], tried=curves([2.0000002, 2, 4]), optimum=2.0)
        assert row(part)["learning_rate"] == 0.5

    def test_is_by_the_median_over_seeds(self, handmade):
        tried = {0.1: [[8.0, 8.0, end] for end in (1.0, 7.0, 7.0)], 0.2: [[8.0, 8.0, end] for end in (4.0, 4.0, 9.0)]}
        found = row(handmade("sgd", [], tried=tried))
        assert found["learning_rate"] == 0.2
        assert found["diverged_fraction"] == pytest.approx(1 / 6)

    def test_takes_the_best_of_the_other_settings(self, handmade):
        """Two points share the rate 0.1: of 4 and 1 the better counts."""
        tried = {0.1: [[8.0, 8.0, 4.0]], 0.2: [[8.0, 8.0, 2.0]], 0.3: [[8.0, 8.0, 1.0]]}
        points = {2: {"hyperparameters": {"learning_rate": 0.1, "weight_decay": 0.5}}}
        assert row(handmade("sgd", [], tried=tried, points=points))["learning_rate"] == 0.1

    @pytest.mark.parametrize("ends", [[INF, NAN, 17], [16, 16, 16]], ids=["diverged", "no-better-than-the-start"])
    def test_is_unknown_where_nothing_got_anywhere(self, handmade, ends):
        part = handmade("sgd", [], tried=curves(ends))
        found = row(part)
        assert found["diverged_fraction"] == (ends[0] == INF)
        assert not found["at_edge"]
        assert {name for name in COLUMNS if found.get(name) is not None} == {
            *("problem", "optimizer", "batch_size", "diverged_fraction", "at_edge")
        }

    def test_what_a_search_stopped_counts_with_what_it_had(self, handmade):
        tried = {0.25: [[16.0, 4.0, NAN]], 0.5: [[16.0, 2.0, 1.0]], 1.0: [[16.0, 4.0, NAN]]}
        found = row(handmade("sgd", [], tried=tried, points={point: {"status": "stopped"} for point in (0, 2)}))
        assert (found["learning_rate"], found["diverged_fraction"]) == (0.5, 0)
        assert found["octaves_keeping_90_percent"] == pytest.approx(0.4)

    def test_learning_rate_zero_has_no_octave(self, handmade):
        tried = {0.0: [[16.0, 16.0, 16.0]]} | curves([4, 1, 4])
        assert row(handmade("sgd", [], tried=tried))["octaves_keeping_90_percent"] == pytest.approx(0.4)
        assert sensitivity([handmade("sgd", [], tried={0.0: [[16.0] * 3]})], Slice())[1] == []


class TestElsewhere:
    """At batch size 4 the rate 1/2 is best; at 8 the rate 1 is, where 1/2 goes three quarters of the way."""

    @pytest.fixture
    def parts(self, handmade):
        return [
            handmade("sgd", [], tried=curves([4, 1, 8])),
            handmade("sgd", [], tried=curves([4, 2, 1]), batch_size=8),
            handmade("sgd", [], tried=curves([1, 4, INF]), problem="hill"),
            handmade("adam", [], tried=curves([1, 4, 4]), problem="hill"),
        ]

    def test_other_batch_sizes_and_problems(self, parts):
        at_4, at_8, hill, adam = sensitivity(parts, Slice())[1]
        assert at_4["kept_at_other_batch_sizes"] == pytest.approx(0.75)
        assert at_8["kept_at_other_batch_sizes"] == pytest.approx(0.25)
        # Where it diverges, nothing is kept.
        assert (at_4["kept_on_other_problems"], at_8["kept_on_other_problems"]) == (pytest.approx(0.5), 0)
        # The median of half the way at both batch sizes.
        assert hill["kept_on_other_problems"] == pytest.approx(0.5)
        assert hill.get("kept_at_other_batch_sizes") is adam.get("kept_on_other_problems") is None

    def test_between_the_grid_points_there(self, handmade):
        """0.5 lies in the middle between 0.25 and 1, in octaves; there 0 and a half of the way are lost."""
        other = {0.25: [[16.0, 16.0, 1.0]], 1.0: [[16.0, 16.0, 4.0]]}
        parts = [
            handmade("sgd", [], tried=curves([4, 1, 8])),
            handmade("sgd", [], tried=other, batch_size=8),
        ]
        assert sensitivity(parts, Slice())[1][0]["kept_at_other_batch_sizes"] == pytest.approx(0.75)

    @pytest.mark.parametrize(
        "other",
        [{2.0: [[16.0, 16.0, 1.0]], 4.0: [[16.0, 16.0, 4.0]]}, curves([INF, INF, INF])],
        ids=["outside-the-grid-there", "nothing-to-keep-there"],
    )
    def test_is_unknown(self, handmade, other):
        parts = [handmade("sgd", [], tried=curves([4, 1, 8])), handmade("sgd", [], tried=other, batch_size="full")]
        assert sensitivity(parts, Slice())[1][0]["kept_at_other_batch_sizes"] is None


def test_failed_cells_have_no_row(handmade):
    failed = handmade("sgd", [], select=[], outcome="failed", message="boom")
    assert sensitivity([failed], Slice()) == ([*COLUMNS], [])


def test_slices(handmade):
    tried = {0.25: [[16.0, 1.0, 8.0], [16.0, 16.0, 16.0]], 0.5: [[16.0, 4.0, 1.0], [16.0, 16.0, 1.0]]}
    part = handmade("sgd", [], tried=tried)
    assert row(part)["learning_rate"] == 0.5
    assert row(part, at_step=10, seeds=1)["learning_rate"] == 0.25
    assert row(part, at_step=0).get("learning_rate") is None
