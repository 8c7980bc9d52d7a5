"""Wider grids."""

import math

import numpy as np
import pytest

from optbench.search.space import axes_of, combine
from optbench.search.widen import widen

RATES = {"learning_rate": (1e-4, 1e-2, 1.0)}
WIDER = {
    "above": (RATES, {"learning_rate": 1.0}, {"learning_rate": (1e-4, 1e-2, 1.0, 1e2, 1e4)}),
    "below": (RATES, {"learning_rate": 1e-4}, {"learning_rate": (1e-8, 1e-6, 1e-4, 1e-2, 1.0)}),
    "inside": (RATES, {"learning_rate": 1e-2}, None),
    "half-as-many": (
        {"learning_rate": (1.0, 2.0, 4.0, 8.0, 16.0, 32.0)},
        {"learning_rate": 32.0},
        {"learning_rate": (1.0, 2.0, 4.0, 8.0, 16.0, 32.0, 64.0, 128.0, 256.0)},
    ),
    "beside-zero": (
        {"weight_decay": (0.0, 1e-3, 1e-2)},
        {"weight_decay": 1e-2},
        {"weight_decay": (0.0, 1e-3, 1e-2, 1e-1, 1.0)},
    ),
    "zero": ({"weight_decay": (0.0, 1e-3)}, {"weight_decay": 0.0}, None),
    "zero-and-one": ({"weight_decay": (0.0, 1e-3)}, {"weight_decay": 1e-3}, {"weight_decay": (0.0, 1e-3, 1e-2, 1e-1)}),
    "alone": ({"learning_rate": (0.1,)}, {"learning_rate": 0.1}, None),
    # A momentum has an end of its own.
    "bounded": ({"momentum": (0.5, 0.9)}, {"momentum": 0.9}, None),
    "text": ({"schedule": ("constant", "cosine")}, {"schedule": "cosine"}, None),
    "two": (
        {"learning_rate": (0.1, 1.0), "schedule": ("constant", "cosine")},
        {"learning_rate": 0.1, "schedule": "cosine"},
        {"learning_rate": (0.001, 0.01, 0.1, 1.0), "schedule": ("constant", "cosine")},
    ),
}


@pytest.mark.parametrize(("axes", "winner", "wider"), WIDER.values(), ids=WIDER)
def test_widen(axes, winner, wider):
    points = widen(combine(axes), winner)
    assert (points and axes_of(points)) == wider
    assert points is None or len(points) == math.prod(map(len, axes_of(points).values()))


def test_widened_twice_is_spaced_as_before():
    rates = (0.001, 0.00316227766017, 0.01)
    once = widen(combine({"learning_rate": rates}), {"learning_rate": 0.01})
    twice = widen(once, {"learning_rate": 0.1})
    assert [point["learning_rate"] for point in twice] == pytest.approx(np.geomspace(1e-3, 1, 7), rel=1e-11)
