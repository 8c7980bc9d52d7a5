"""Grids from budgets."""

import pytest

from optbench.errors import RequestError
from optbench.search.grid import grid
from optbench.search.space import Space, axes_of, combine

RATES = {"learning_rate": (1e-4, 1e-2, 1.0)}
MANY = RATES | {"momentum": (0.5, 0.9), "weight_decay": (0.0, 1e-3, 1e-1), "schedule": ("constant", "cosine")}


@pytest.mark.parametrize(
    ("axes", "budget", "rates", "count"),
    [
        (RATES, 5, [1e-4, 1e-3, 1e-2, 1e-1, 1.0], 5),
        (RATES | {"weight_decay": (0.0, 0.1)}, 7, [1e-4, 1e-2, 1.0], 6),
        # One value of a range is best taken from its middle.
        (RATES | {"weight_decay": (0.0, 0.1)}, 3, [1e-2], 2),
        ({"learning_rate": (0.3,)}, 4, [0.3], 1),
        ({"learning_rate": (0.0, 0.3)}, 4, [0.0, 0.3], 2),
    ],
    ids=str,
)
def test_learning_rates_take_what_the_other_axes_leave_of_the_budget(axes, budget, rates, count):
    points = grid(Space(combine(axes), budget, 0, "adam"))
    assert axes_of(points)["learning_rate"] == pytest.approx(rates)
    assert len(points) == count
    assert axes_of(points) == axes | {"learning_rate": axes_of(points)["learning_rate"]}


def test_learning_rates_that_are_listed_stay():
    # No whole grid: two optimizers of one name may have had rates of their own.
    points = (*combine(RATES), {"learning_rate": 0.3})
    assert grid(Space(points, 9, 0, "adam", fixed_rates=True)) == points


REFUSAL = (
    r"^adam: its grid has {} points, and --trials pay for 5; accepted: more trials, fewer values, or --search random, "
    r"sobol or optuna$"
)


@pytest.mark.parametrize(("fixed", "count"), [(False, 12), (True, 36)])
def test_a_grid_that_costs_more_than_there_is_is_refused(fixed, count):
    with pytest.raises(RequestError, match=REFUSAL.format(count)):
        grid(Space(combine(MANY), 5, 0, "adam", fixed))
