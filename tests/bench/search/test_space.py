"""Points at random or of a Sobol sequence, within the space of the axes."""

import numpy as np
import pytest

from optbench.search.random import random
from optbench.search.sobol import sobol
from optbench.search.space import Space, combine

RATES = {"learning_rate": (1e-4, 1e-2, 1.0)}
MANY = RATES | {"momentum": (0.5, 0.9), "weight_decay": (0.0, 1e-3, 1e-1), "schedule": ("constant", "cosine")}
DRAWS = pytest.mark.parametrize("draw", [random, sobol])


def values(points, name):
    return [point[name] for point in points]


def space(axes, budget):
    return Space(combine(axes), budget, 0, "adam")


@DRAWS
@pytest.mark.parametrize("budget", [2, 7, 64])
def test_values_are_short_enough_to_be_typed_again(draw, budget):
    points = draw(space(MANY, budget))
    assert len(points) == budget
    assert all(value == float(f"{value:.6g}") for value in values(points, "learning_rate"))


@DRAWS
def test_points_are_uniform_in_the_logarithm(draw):
    points = draw(space(MANY, 512))
    logs = np.log10(values(points, "learning_rate"))
    assert np.histogram(logs, bins=4, range=(-4, 0))[0] == pytest.approx([128] * 4, abs=40)
    # One value in three of that axis is 0.
    assert np.mean(np.array(values(points, "weight_decay")) == 0) == pytest.approx(1 / 3, abs=0.07)
    assert np.mean(np.array(values(points, "schedule")) == "cosine") == pytest.approx(1 / 2, abs=0.07)


@DRAWS
def test_a_point_is_drawn_once(draw):
    axes = {"learning_rate": (0.1,), "weight_decay": (0.0,), "schedule": ("constant", "cosine")}
    assert draw(space(axes, 50)) == combine(axes)


@DRAWS
def test_negative_numbers_are_drawn_evenly(draw):
    shifts = values(draw(space({"learning_rate": (0.1,), "shift": (-1.0, 1.0)}, 256)), "shift")
    assert np.histogram(shifts, bins=4, range=(-1, 1))[0] == pytest.approx([64] * 4, abs=25)


def test_sobol_leaves_no_gap():
    shares = (np.log10(values(sobol(space(RATES, 16)), "learning_rate")) + 4) / 4
    assert sorted((shares * 16).astype(int)) == list(range(16))
