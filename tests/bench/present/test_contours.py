"""Level lines: closed round a minimum, through the points where the function has the level, and none beyond it."""

import numpy as np
import pytest

from optbench.present.charts.contours import contours

ENDS = (-2.0, 2.0)


def grid(function, num=81):
    x, y = np.meshgrid(np.linspace(*ENDS, num), np.linspace(*ENDS, num))
    return function(x, y)


def test_a_bowl_has_circles():
    lines = contours(grid(lambda x, y: x**2 + y**2), [0.25, 1.0], ENDS, ENDS)
    assert [line.level for line in lines] == [0, 1]
    for line, radius in zip(lines, (0.5, 1.0), strict=True):
        assert np.hypot(line.x, line.y) == pytest.approx(radius, abs=2e-3)
        assert (line.x[0], line.y[0]) == (line.x[-1], line.y[-1])
        # Once round, in small steps.
        turns = np.diff(np.unwrap(np.arctan2(line.y, line.x)))
        assert abs(turns.sum()) == pytest.approx(2 * np.pi) and np.abs(turns).max() < 0.3


def test_a_slope_has_one_open_line_from_edge_to_edge():
    (line,) = contours(grid(lambda x, y: x + 2 * y), [0.5], ENDS, ENDS)
    assert np.array(line.x) + 2 * np.array(line.y) == pytest.approx(0.5)
    assert sorted((line.x[0], line.x[-1])) == pytest.approx([-2, 2])


def test_both_sides_of_a_saddle_are_lines_of_their_own():
    lines = contours(grid(lambda x, y: x * y), [0.5], ENDS, ENDS)
    assert len(lines) == 2 and {np.sign(line.x[0]) for line in lines} == {-1, 1}


def test_a_level_that_is_nowhere_and_cells_without_numbers_have_no_line():
    values = grid(lambda x, y: x**2 + y**2)
    assert contours(values, [-1.0, 99.0], ENDS, ENDS) == []
    assert contours(np.full((4, 4), np.nan), [0.0], ENDS, ENDS) == []
