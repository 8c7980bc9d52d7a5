"""Estimates and their intervals, by hand, by enumeration and by simulation."""

import itertools
import math

import numpy as np
import pytest

from optbench.analyse import statistics
from optbench.analyse.measures import (
    batch_scaling,
    expected_best,
    expected_best_interval,
    expected_running_time,
    geometric_mean,
    performance_profile,
    profile_score,
)
from optbench.analyse.statistics import (
    RESAMPLES,
    TAILS,
    interval_words,
    iqm,
    iqm_interval,
    mean_intervals,
    median,
    median_interval,
    median_intervals,
    median_rank_interval,
    medians,
    probability_of_improvement,
)

INF = math.inf


@pytest.mark.parametrize(
    ("values", "expected"),
    [
        ([5.0], (5, 5, 5)),
        ([2.0, 2.0, 2.0], (2, 2, 2)),
        # Of three drawn out of three, at least two are the smallest in 7 of 27 cases: more than 2.5 %.
        ([1.0, 2.0, 3.0], (2, 1, 3)),
        # Two of two: both are the smaller one in a quarter of cases.
        ([1.0, 3.0], (2, 1, 3)),
        ([1.0, 1.0, INF], (1, 1, INF)),
        ([1.0, INF, INF], (INF, 1, INF)),
        ([1.0, INF], (INF, 1, INF)),
        ([INF], (INF, INF, INF)),
        ([INF, INF, INF, INF], (INF, INF, INF)),
        # Infinite only where five of ten draws hit the one: in 0.2 % of cases.
        ([1.0] * 9 + [INF], (1, 1, 1)),
        ([1e308, 1.5e308], (1.25e308, 1e308, 1.5e308)),
    ],
    ids=str,
)
def test_median_interval(values, expected):
    assert median_interval(np.array(values)) == expected
    assert median_interval(np.array(values[::-1])) == expected


def test_nothing_has_no_median():
    assert all(math.isnan(value) for value in median_interval(np.array([])))
    assert math.isnan(median(np.array([])))


def test_interval_is_the_same_every_time():
    values = np.random.default_rng(1).standard_normal(10)
    assert median_interval(values) == median_interval(values.copy())


def test_interval_holds_the_median_and_lies_among_the_values():
    values = np.random.default_rng(2).lognormal(size=25)
    middle, low, high = median_interval(values)
    assert values.min() < low < middle < high < values.max()
    assert middle == np.median(values) == median(values)


def test_less_confidence_is_a_narrower_interval():
    values = np.random.default_rng(3).standard_normal(20)
    _, low, high = median_interval(values)
    _, lower, upper = median_interval(values, confidence=0.5)
    assert low < lower < upper < high


def test_scaling_scales():
    """A power of two scales every float exactly."""
    values = np.random.default_rng(4).lognormal(size=9)
    assert median_interval(4 * values) == tuple(4 * end for end in median_interval(values))


def test_input_is_left_alone():
    values = np.array([3.0, 1.0, 2.0])
    median_interval(values)
    median(values)
    assert values.tolist() == [3, 1, 2]


@pytest.mark.parametrize(
    ("values", "expected"),
    [([7], 7), ([1, 9], 5), ([3, 1, 2], 2), ([1, 2, INF], 2), ([1, INF, INF], INF), ([1] * 6 + [INF] * 4, 1)],
    ids=str,
)
def test_median(values, expected):
    assert median(np.array(values)) == expected


@pytest.mark.parametrize(
    ("num", "low", "high"),
    [
        # 2 / 2^6 = 3.1 % lie outside the smallest and the largest of six; of five 2 / 2^5 = 6.3 % do.
        (6, 1, 6),
        (7, 1, 7),
        (8, 1, 8),
        # One more on either side: 2 (1 + 9) / 2^9 = 3.9 %, of eight 2 (1 + 8) / 2^8 = 7.0 %.
        (9, 2, 8),
        (10, 2, 9),
        (20, 6, 15),
        (30, 10, 21),
    ],
)
def test_median_rank_interval(num, low, high):
    values = np.random.default_rng(num).permutation(np.arange(1.0, num + 1))
    assert median_rank_interval(values) == ((num + 1) / 2, low, high)


@pytest.mark.parametrize("num", [1, 2, 5])
def test_few_values_have_no_interval(num):
    assert median_rank_interval(np.arange(1.0, num + 1)) == ((num + 1) / 2, -INF, INF)


def test_an_infinite_value_stays_at_its_end():
    assert median_rank_interval(np.array([INF, 2, 3, 4, 5, 6, 1])) == (4, 1, INF)


@pytest.mark.parametrize("num", [6, 7, 8, 9, 10, 11, 12, 15, 20, 25, 50, 100])
def test_rank_interval_covers_and_a_narrower_one_does_not(num):
    """The median lies between two ranks as often as a fair coin falls that often: an exact sum."""

    def coverage(low, high):
        return sum(math.comb(num, below) for below in range(low, high)) / 2**num

    _, low, high = map(int, median_rank_interval(np.arange(1, num + 1)))
    assert low + high == num + 1
    assert coverage(low, high) >= 0.95 > coverage(low + 1, high - 1)


def test_rank_interval_of_another_confidence():
    """Of four, the median lies between the second and the third in 6 of 16 cases, and outside all in 2 of 16."""
    assert median_rank_interval(np.arange(1, 5), confidence=0.375) == (2.5, 2, 3)
    assert median_rank_interval(np.arange(1, 5), confidence=0.5) == (2.5, 1, 4)


@pytest.mark.parametrize(
    ("ratios", "score"),
    [
        ([1], 1),
        ([2.5], 0.5),
        ([4], 0),
        ([40], 0),
        ([INF], 0),
        ([1, 2.5, INF], 0.5),
        ([1.75, 3.25], 0.5),
        ([1, 1, 1, INF], 0.75),
    ],
    ids=str,
)
def test_profile_score(ratios, score):
    assert profile_score(np.array(ratios, float)) == pytest.approx(score, abs=1e-12)


def test_profile_score_is_the_area_under_the_profile():
    """Summed over a fine grid of times in place of the closed form."""
    ratios = np.array([1.0, 1.2, 2.9, 3.5, 7.0, INF])
    times = (np.arange(300_000) + 0.5) / 100_000 + 1
    area = np.mean([np.mean(ratio <= times) for ratio in ratios])
    assert profile_score(ratios) == pytest.approx(area, abs=1e-5)


def test_profile_score_up_to_another_ratio():
    assert profile_score(np.array([2.0, 6.0]), largest=6) == pytest.approx(0.4)


@pytest.mark.parametrize("num", [10, 20])
def test_interval_covers_what_it_says(num):
    random = np.random.default_rng(0)
    ends = (median_interval(random.standard_normal(num))[1:] for _ in range(2000))
    assert 0.93 <= np.mean([low <= 0 <= high for low, high in ends]) <= 0.97


def test_opposite_infinities_come_to_zero():
    assert median_interval(np.array([-INF, INF])) == (0, -INF, INF)


def test_iqm_cuts_a_quarter_at_each_end():
    assert iqm(np.array([1, 2, 3, 4, 100])) == 3
    assert iqm(np.array([[1.0, 2, 3], [5, 4, 100]])).tolist() == [2, pytest.approx(109 / 3)]
    assert iqm(np.arange(8)) == 3.5


def test_iqm_interval_resamples_within_problems():
    """Problems that differ by far more than their seeds: what is drawn keeps the balance of the two."""
    low, high = np.full(10, 0.0), np.full(10, 1.0)
    assert iqm_interval([low, high]) == (0.5, 0.5, 0.5)
    middle, first, last = iqm_interval([np.arange(10.0)])
    assert first < middle == 4.5 < last


def test_iqm_interval_covers_what_it_says():
    random = np.random.default_rng(0)
    ends = (iqm_interval(list(random.standard_normal((3, 10))))[1:] for _ in range(400))
    assert 0.92 <= np.mean([low <= 0 <= high for low, high in ends]) <= 0.98


@pytest.mark.parametrize(
    ("first", "second", "expected"),
    [
        # Of nine pairs the first is lower in six, and equal in one.
        ([[1.0, 2, 5]], [[2.0, 3, 4]], (5 + 0.5) / 9),
        ([[1.0, 1.0]], [[2.0, 2.0]], 1),
        ([[1.0], [3.0]], [[2.0], [2.0]], 0.5),
        ([[INF, 1.0]], [[INF, INF]], 0.75),
    ],
    ids=["ties-count-half", "always", "over-problems", "diverged"],
)
def test_probability_of_improvement(first, second, expected):
    a, b = ([np.array(one) for one in side] for side in (first, second))
    middle, low, high = probability_of_improvement(a, b)
    assert middle == pytest.approx(expected)
    assert low <= middle <= high


class TestExpectedBest:
    @pytest.fixture
    def values(self):
        return np.random.default_rng(0).lognormal(size=12)

    @pytest.mark.parametrize("k", range(1, 13))
    def test_is_the_mean_over_all_subsets(self, values, k):
        exact = np.mean([min(subset) for subset in itertools.combinations(values, k)])
        assert expected_best(values, [k])[0] == pytest.approx(exact, rel=1e-12)

    def test_goes_from_the_mean_to_the_lowest(self, values):
        first, last = expected_best(values, [1, 12])
        assert (first, last) == (pytest.approx(values.mean()), values.min())

    def test_lies_within_its_interval(self, values):
        ks = [1, 2, 5, 12]
        low, high = expected_best_interval(values, ks)
        assert np.all(low <= expected_best(values, ks)) and np.all(expected_best(values, ks) <= high)

    @pytest.mark.parametrize("k", [0, 13])
    def test_refuses_more_than_there_are(self, values, k):
        with pytest.raises(ValueError, match="accepted: from 1 to 12"):
            expected_best(values, [k])


@pytest.mark.parametrize(
    ("steps", "spent", "expected"),
    [([10, 20, INF], 50, (10 + 20 + 50) / 2), ([10, 30], 50, 20), ([INF, INF], 50, INF), ([0, INF], 50, 50)],
    ids=str,
)
def test_expected_running_time(steps, spent, expected):
    assert expected_running_time(np.array(steps, float), np.full(len(steps), float(spent))) == expected


def test_performance_profile():
    """Three problems, two optimizers: ratios 1, 3, inf and 2, 1, inf."""
    times = np.array([[10, 20], [30, 10], [INF, INF]])
    shares = performance_profile(times, np.array([1.0, 2.0, 3.0]))
    assert (3 * shares).tolist() == [[1, 1], [1, 2], [2, 2]]


def test_geometric_mean():
    assert geometric_mean(np.array([2.0, 0.5])) == pytest.approx(1)
    assert geometric_mean(np.array([1.0, 10.0, 100.0])) == pytest.approx(10)
    assert math.isnan(geometric_mean(np.array([])))


class TestBatchScaling:
    SIZES = np.array([8.0, 32.0, 128.0, 512.0])

    def test_finds_what_made_the_steps(self):
        assert batch_scaling(self.SIZES, 100 + 6400 / self.SIZES) == pytest.approx([100, 6400])

    def test_takes_many_at_once(self):
        steps = np.stack([100 + 6400 / self.SIZES, 7 + 80 / self.SIZES])
        assert batch_scaling(self.SIZES, steps) == pytest.approx(np.array([[100, 6400], [7, 80]]))

    def test_is_never_negative(self):
        faster_than_linear, slower_with_size = 1e4 / self.SIZES**1.2, np.array([100.0, 110, 120, 130])
        assert batch_scaling(self.SIZES, faster_than_linear)[0] == 0
        assert batch_scaling(self.SIZES, slower_with_size)[1] == 0


def test_many_medians_as_each_alone():
    values = np.random.default_rng(3).lognormal(size=(20, 10))
    values[::3, :2], values[::4, 5:] = np.inf, 1.0
    values[1, :5], values[1, 5:] = -np.inf, np.inf
    assert medians(values).tolist() == [median(one) for one in values]
    assert [tuple(one) for one in median_intervals(values).tolist()] == [median_interval(one) for one in values]
    assert median_intervals(values)[1].tolist() == [0, -np.inf, np.inf]


def medians_of_resamples(values):
    """Draw as many resamples as a bootstrap, and sort their medians."""
    random, num = np.random.default_rng(0), len(values)
    return np.sort(np.median(values[random.integers(num, size=(RESAMPLES, num))], axis=1))


@pytest.mark.parametrize("num", [1, 2, 5, 6, 7, 10])
def test_ends_are_those_of_all_resamples(num):
    values = np.sort(np.random.default_rng(num).lognormal(size=num))
    drawn, tail = medians_of_resamples(values), int(0.8 * 0.025 * RESAMPLES + 1e-9)
    assert median_interval(values)[1:] == pytest.approx((drawn[tail], drawn[-1 - tail]))


@pytest.mark.parametrize("cut", [-1, 0, 1])
@pytest.mark.parametrize("num", [6, 9])
def test_an_end_is_the_resample_right_after_those_that_are_cut_off(num, cut):
    """Where the resamples of one median are cut off to the last one, or but for one, or with one of the next."""
    values = np.sort(np.random.default_rng(num).lognormal(size=num))
    drawn = medians_of_resamples(values)
    for side in (drawn, drawn[::-1]):
        tail = int(np.argmax(side != side[0])) + cut
        ends = median_interval(values, 1 - 2 * (tail + 0.5) / (TAILS * RESAMPLES))[1:]
        assert ends == pytest.approx((drawn[tail], drawn[-1 - tail]))


@pytest.mark.parametrize(
    ("num", "words"),
    [
        *((1, "95 % bootstrap intervals"), (2, "the range of 2 seeds"), (5, "the range of 5 seeds")),
        *((6, "95 % bootstrap intervals"), (10, "95 % bootstrap intervals")),
    ],
)
def test_an_interval_of_few_values_is_called_their_range(num, words):
    assert interval_words(num) == words


def test_one_seed_fewer_is_drawn_of_a_problem():
    """Two of the scores 0, 3 and 3 have the mean 0 in a ninth of cases, 1.5 in four ninths and 3 in four ninths.

    All three would have a mean of 1 where 1.5 is, a single one the mean 0.
    """
    assert iqm_interval([np.array([0.0, 3, 3])], confidence=0.6) == (2, 1.5, 3)
    # Of a single seed there is none to leave out.
    assert iqm_interval([np.array([5.0])]) == (5, 5, 5)


@pytest.mark.parametrize("by_first", [True, False], ids=["first", "second"])
def test_one_seed_fewer_is_drawn_of_each_side(by_first):
    """Of three seeds one decides: it is drawn not at all in 4 of 9 cases, once in 4, twice in 1; of three never in 8 of
    27, once in 12 and twice in 6."""
    sides = ([0.0, 2, 2], [1.0, 1]) if by_first else ([1.0, 1], [0.0, 0, 2])
    middle, *ends = probability_of_improvement(*([np.array(side)] for side in sides), confidence=0.6)
    assert (middle, ends) == (pytest.approx(1 / 3), [0, 0.5])


@pytest.mark.parametrize(("confidence", "ends"), [(0.5, (25, 74)), (0.25, (37, 62)), (1.0, (0, 99))])
def test_as_much_is_cut_off_below_as_above(confidence, ends):
    assert statistics._ends(np.random.default_rng(0).permutation(np.arange(100.0)), confidence) == ends


def test_every_side_of_every_problem_is_resampled_by_itself(monkeypatch):
    counts, streams = statistics._counts, []
    monkeypatch.setattr(statistics, "_counts", lambda num, stream: streams.append(stream) or counts(num, stream))
    sides = [np.arange(3.0)] * 4
    probability_of_improvement(sides, sides)
    assert len({*streams}) == len(streams) == 8


def test_intervals_of_means_hold_the_truth_about_as_often_as_they_say():
    samples = np.random.default_rng(0).normal(3.0, 1.0, size=(400, 10))
    means = mean_intervals(samples)
    assert means[:, 0] == pytest.approx(samples.mean(axis=1))
    assert 0.88 < np.mean((means[:, 1] <= 3.0) & (means[:, 2] >= 3.0)) < 0.99


def test_of_few_means_the_range_is_returned():
    assert mean_intervals(np.array([[1.0, 2.0, 6.0]])).tolist() == [[3.0, 1.0, 6.0]]
