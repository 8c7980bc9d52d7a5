"""A grid: every value of each axis with every other, and as many learning rates as the budget pays for."""

import math

from optbench import search
from optbench.errors import RequestError
from optbench.search.space import Point, Space, combine
from optbench.search.strategy import Strategy


def grid(space: Space) -> tuple[Point, ...]:
    """Give the learning rate as many geometric values between its ends as the budget allows, unless they are fixed.

    Raises RequestError where the other axes alone, or all with fixed learning rates, have more points than that.
    """
    if space.fixed_rates:
        _check_budget(len(space.points), space)
        return tuple(space.points)
    axes = space.axes
    others = math.prod(len(values) for name, values in axes.items() if name != "learning_rate")
    _check_budget(others, space)
    return combine(axes | {"learning_rate": _rates(axes["learning_rate"], space.budget // others)})


def _rates(rates: tuple[float, ...], count: int) -> tuple[float, ...]:
    low, high = min((rate for rate in rates if rate > 0), default=0.0), rates[-1]
    if low >= high:
        return rates
    # Late: the words of a suite take half a second to import, and the help of `optbench tune` needs none.
    from optbench.request.grammar import geometric

    # One value of a range is best taken from its middle.
    return tuple(geometric(low, high, count) if count > 1 else geometric(low, high, 3)[1:2])


def _check_budget(num_points: int, space: Space) -> None:
    """Raise RequestError where a grid has more points than there are to be."""
    if num_points > space.budget:
        *others, last = (name for name, strategy in search.strategies().items() if not strategy.keeps_grid)
        raise RequestError(
            f"{space.label}: its grid has {num_points} points, and --trials pay for {space.budget}; accepted: more "
            f"trials, fewer values, or --search {', '.join(others)} or {last}"
        )


STRATEGY = Strategy("every combination of values, learning rates evenly over their range", grid, keeps_grid=True)
