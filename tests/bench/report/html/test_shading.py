"""How near the best each number is."""

import math

import pytest

from optbench.report.html.shading import near


def ratios(values, column="train_loss", **others):
    rows = [
        {column: value} | {name: given[place] for name, given in others.items()} for place, value in enumerate(values)
    ]
    return [None if one is None else one.ratio for one in near(rows, column)]


def test_ratios_are_to_the_best_of_the_same_problem():
    assert ratios([1.0, 2.0, 30.0, 10.0], problem=["a", "a", "b", "b"]) == [1.0, 2.0, 3.0, 1.0]


def test_twice_the_best_is_half_as_strong():
    found = [one.strength for one in near([{"gap": 1.0}, {"gap": 2.0}, {"gap": 4.0}], "gap") if one]
    assert found == pytest.approx([1, 1 / 2, 1 / 3])


def test_of_a_share_the_rest_counts():
    assert ratios([0.9, 0.8], "test_accuracy") == pytest.approx([1.0, 2.0])


def test_what_has_no_ratio_is_not_shaded():
    assert ratios([1.0, math.inf, math.nan, None, True]) == [1.0, None, None, None, None]
    assert ratios([0.0, 0.0, 1.0]) == [1.0, 1.0, None]
    assert ratios([-1.0, 2.0]) == [None, None]
    assert ratios([1.0, 2.0], "learning_rate") == [None, None]
    assert ratios([1.0, 2.0], problem=["a", "b"]) == [None, None]
