"""Which point is chosen, on curves written by hand."""

import numpy as np
import pytest

from optbench.sweep.curves import Curves
from optbench.sweep.selection import at_edge, best_point, diverged

INF, NAN = np.inf, np.nan


def ends(final, *, first=10.0, at=None, stopped=None):
    """Curves [seed, point, record] from 10 to given ends; `at` says where a loss was first not finite.

    `stopped` says after how many updates points were dropped.
    """
    final = np.asarray(final, float)
    none = np.zeros((*final.shape, 2))
    loss = np.stack([np.full(final.shape, first), final], axis=-1)
    where = np.full(final.shape, -1) if at is None else np.asarray(at)
    dropped = np.full(final.shape[1], -1) if stopped is None else np.asarray(stopped)
    return Curves(np.array([0, 5]), {"train_loss": loss}, none, none, none.astype(int), where, dropped)


@pytest.mark.parametrize(
    ("final", "best"),
    [
        ([[3.0, 1.0, 2.0]], 1),
        # Medians over three seeds: 2, 3 and 4.
        ([[1.0, 3.0, 4.0], [2.0, 3.0, 4.0], [9.0, 3.0, 0.0]], 0),
        # Medians over two seeds: 2, 1.5.
        ([[1.0, 1.5], [3.0, 1.5]], 1),
        # The first of equals.
        ([[2.0, 1.0, 1.0]], 1),
        # One of three seeds diverged: the median of (0, 0, inf) is 0, below 1. Two of three: infinite.
        ([[0.0, 1.0], [0.0, 1.0], [INF, 1.0]], 0),
        ([[0.0, 1.0], [NAN, 1.0], [INF, 1.0]], 1),
        # Above the start counts as diverged, so 10.5 is no better than infinity: the first of equals.
        ([[INF, 10.5]], 0),
        ([[NAN, NAN]], 0),
        ([[INF, 9.9]], 1),
    ],
    ids=str,
)
def test_best_point(final, best):
    assert best_point(ends(final)) == best


def test_a_point_that_was_not_finite_midway_does_not_win():
    assert best_point(ends([[0.0, 1.0]], at=[[3, -1]])) == 1


def test_diverged():
    curves = ends([[9.0, 10.0, 10.1, INF, NAN, 9.0]], at=[[-1, -1, -1, -1, -1, 3]])
    assert diverged(curves).tolist() == [[False, False, True, True, True, True]]


@pytest.mark.parametrize(
    ("final", "best"),
    [
        ([[NAN, 3.0, 2.0]], 2),
        # Even where all that ran to the end diverged.
        ([[NAN, INF, INF]], 1),
        ([[NAN, 10.5, INF]], 1),
    ],
    ids=str,
)
def test_a_dropped_point_does_not_win(final, best):
    assert best_point(ends(final, stopped=[2, -1, -1])) == best


def test_a_dropped_point_has_not_diverged_for_that():
    curves = ends([[NAN, NAN, NAN]], at=[[-1, 1, -1]], stopped=[2, 2, -1])
    assert diverged(curves).tolist() == [[False, True, True]]


def grid(**axes):
    """Points of one or two axes, the last one fastest."""
    points = [{}]
    for name, values in axes.items():
        points = [point | {name: value} for point in points for value in values]
    return points


@pytest.mark.parametrize(
    ("axes", "best", "edge"),
    [
        ({"learning_rate": [0.1, 0.2, 0.3]}, 0, ("learning_rate",)),
        ({"learning_rate": [0.1, 0.2, 0.3]}, 1, ()),
        ({"learning_rate": [0.1, 0.2, 0.3]}, 2, ("learning_rate",)),
        ({"learning_rate": [0.3, 0.1, 0.2]}, 2, ()),
        ({"learning_rate": [0.1]}, 0, ()),
        ({"learning_rate": [0.1, 0.2, 0.3], "weight_decay": [0.0]}, 1, ()),
        # Zero weight decay is an end with nothing beyond it, the largest is not.
        ({"learning_rate": [0.1, 0.2, 0.3], "weight_decay": [0.0, 0.1]}, 2, ()),
        ({"learning_rate": [0.1, 0.2, 0.3], "weight_decay": [0.0, 0.1]}, 3, ("weight_decay",)),
        # A schedule has no ends.
        ({"learning_rate": [0.1, 0.2, 0.3], "schedule": ["constant", "cosine"]}, 2, ()),
        ({"learning_rate": [0.1, 0.2, 0.3], "momentum": [0.5, 0.7, 0.9]}, 4, ()),
        ({"learning_rate": [0.1, 0.2, 0.3], "momentum": [0.5, 0.7, 0.9]}, 5, ("momentum",)),
        ({"learning_rate": [0.1, 0.2, 0.3], "momentum": [0.5, 0.7, 0.9]}, 8, ("learning_rate", "momentum")),
    ],
    ids=str,
)
def test_at_edge(axes, best, edge):
    assert at_edge(grid(**axes), best) == edge
