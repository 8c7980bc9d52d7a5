"""Where the points of a grid ended, and the tuned optimizer."""

from math import inf, nan

import pytest

from optbench.analyse.outcomes import Slice
from optbench.analyse.points import Point, initial_value, points, tuned_end, tuned_steps

TRIED = {0.1: [[8.0, 4.0, 3.0]] * 2, 0.2: [[8.0, 4.0, 1.0]] * 2, 0.3: [[8.0, 2.0, 9.0]] * 2}


def test_the_best_of_what_shares_a_learning_rate(handmade):
    decays = {place: {"hyperparameters": {"learning_rate": 0.1, "weight_decay": place / 10}} for place in range(2)}
    part = handmade("sgd", [[8.0, 4.0, 1.0]], tried=TRIED, points=decays)
    assert points(part, "train_loss", ["learning_rate"], Slice()) == [
        Point((0.1,), 1.0, True),
        Point((0.3,), inf, False),
    ]
    both = points(part, "train_loss", ["learning_rate", "weight_decay"], Slice())
    assert [point.settings for point in both] == [(0.1, 0.0), (0.1, 0.1), (0.3, 0.0)]
    assert [point.value for point in both] == [3.0, 1.0, inf]


def test_of_accuracies_the_highest_is_best_and_what_diverged_is_no_number(handmade):
    found = {place: {"train_accuracy": [0.1, 0.5, end]} for place, end in enumerate((0.6, 0.9, 0.99))}
    part = handmade("sgd", [[8.0, 4.0, 1.0]], tried=TRIED, points=found)
    values = [point.value for point in points(part, "train_accuracy", ["learning_rate"], Slice())]
    assert values == [0.6, 0.9, inf]


def test_the_gap(handmade):
    part = handmade("sgd", [[8.0, 4.0, 2.0]], tried=TRIED, optimum=1.0)
    assert [point.value for point in points(part, "gap", ["learning_rate"], Slice())] == [2, 0, inf]
    assert initial_value(part, "gap", Slice()) == 7
    assert tuned_end(part, "gap", Slice()) == (1, 1, 1)


@pytest.mark.parametrize(("num", "expected"), [(1, 2.0), (2, inf)])
def test_where_most_seeds_diverged_the_end_is_infinite(handmade, num, expected):
    lost = {seed: {"status": "diverged"} for seed in range(num)}
    losses = [[8.0, nan, nan]] * num + [[8.0, 4.0, 2.0]] * (3 - num)
    part = handmade("sgd", losses, trials=lost)
    assert tuned_end(part, "train_loss", Slice())[0] == expected


def test_intervals_of_accuracies_are_in_order(handmade):
    seeds = {seed: {"test_accuracy": [0.1, 0.5, 0.6 + seed / 10]} for seed in range(3)}
    part = handmade("sgd", [[8.0, 4.0, 2.0]] * 3, trials=seeds)
    assert tuned_end(part, "test_accuracy", Slice()) == pytest.approx((0.7, 0.6, 0.8))


def test_steps_to_the_first_target(handmade):
    part = handmade("sgd", [[8.0, 4.0, 1.0]])
    assert tuned_steps(part, Slice()) == (20, 20, 20)
    assert tuned_steps(part, Slice(target=0.5)) == (inf, inf, inf)
    assert tuned_steps(handmade("adam", [[8.0, 4.0, 1.0]], targets={}), Slice()) is None
