"""A series as a line of text."""

import numpy as np
import pytest

from optbench.history.sparkline import sparkline


@pytest.mark.parametrize(
    ("values", "line"),
    [
        ([1.0, 2.0, 4.0, 8.0, 16.0, 32.0, 64.0, 128.0], "▁▂▃▄▅▆▇█"),
        ([1.0, 1.0], "▅▅"),
        ([1.0, np.inf, np.nan, 4.0], "▁× █"),
        ([0.0, 1.0, 4.0], "▁▁█"),
        ([np.inf], "×"),
        ([], ""),
    ],
)
def test_bars_are_heights_in_the_logarithm(values, line):
    assert sparkline(np.array(values)) == line


def test_the_newest_are_shown():
    line = sparkline(np.array([1.0] * 40 + [2.0]))
    assert len(line) == 30 and line[-1] == "█" and set(line[:-1]) == {"▁"}
