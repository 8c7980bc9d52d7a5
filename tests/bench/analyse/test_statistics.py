"""Medians and their intervals, by hand."""

import math

import numpy as np
import pytest

from bench.analyse.statistics import median, median_interval, median_rank_interval, profile_score

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
