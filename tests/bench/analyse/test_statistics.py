"""Medians and their intervals, by hand."""

import math

import numpy as np
import pytest

from bench.analyse.statistics import median, median_interval

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
