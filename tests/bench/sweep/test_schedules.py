"""Schedules as tables, written out by hand; `test_theory` trains with them."""

import numpy as np
import pytest

from optbench.sweep.schedules import SHAPES, multipliers


@pytest.mark.parametrize(
    ("name", "warmup", "steps", "expected"),
    [
        # A warmup of one step is at its top at once.
        ("constant", 0.25, 4, [1, 1, 1, 1]),
        ("linear", 0.2, 5, [1, 1, 0.75, 0.5, 0.25]),
        # Of nothing but a warmup.
        ("linear", 1.0, 4, [0.25, 0.5, 0.75, 1]),
        # A share of less than half a step is none.
        ("linear", 0.1, 4, [1, 0.75, 0.5, 0.25]),
        ("cosine", 0.5, 4, [0.5, 1, 1, 0.5]),
        ("wsd", 0.0, 20, [1] * 17 + [0.75, 0.5, 0.25]),
        ("linear", 0.0, 1, [1]),
        ("cosine", 1.0, 1, [1]),
    ],
)
def test_multipliers(name, warmup, steps, expected):
    np.testing.assert_allclose(multipliers(name, warmup, steps), expected, rtol=1e-12, atol=1e-15)


@pytest.mark.parametrize("steps", [1, 2, 3, 7, 100])
@pytest.mark.parametrize("name", SHAPES)
def test_every_step_has_one_and_moves_at_most_at_the_full_rate(name, steps):
    for warmup in (0.0, 0.05, 0.3, 1.0):
        table = multipliers(name, warmup, steps)
        assert table.shape == (steps,) and (table > 0).all() and (table <= 1).all()
