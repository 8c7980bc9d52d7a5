"""What optuna proposes."""

import math

import numpy as np
import pytest

from optbench.search.optuna import tpe
from optbench.search.space import Space, combine

pytest.importorskip("optuna")

RATES = {"learning_rate": (1e-4, 1e-2, 1.0)}


def rounds(axes, budget, score, together=8):
    """Let TPE propose points that are scored one by one, and return its rounds."""
    proposed = []

    def measure(points):
        proposed.append(points)
        return [score(point) for point in points]

    tpe(Space(combine(axes), budget, 0, "adam"), measure, together)
    return proposed


def test_good_points_are_looked_for_near_good_ones():
    """The best rate is 1e-3; above 1e-2 all diverge."""

    def score(point):
        rate = point["learning_rate"]
        return math.inf if rate > 1e-2 else (math.log10(rate) + 3) ** 2 - 5

    late = [abs(math.log10(point["learning_rate"]) + 3) for points in rounds(RATES, 40, score)[2:] for point in points]
    # At random one third of the range lies so near.
    assert np.mean(np.array(late) < 2 / 3) > 0.5


def test_a_single_value_is_no_choice():
    proposed = rounds({"learning_rate": (0.1,), "shift": (-1.0, 1.0)}, 4, lambda point: point["shift"], together=2)
    assert [len(points) for points in proposed] == [2, 2]
    assert {point["learning_rate"] for points in proposed for point in points} == {0.1}
    assert all(-1 <= point["shift"] <= 1 for points in proposed for point in points)
