"""Random points, as seed and optimizer determine them."""

from optbench.search.space import Point, Space, points_at
from optbench.search.strategy import Strategy


def random(space: Space) -> tuple[Point, ...]:
    """Draw points within the axes: numbers log-uniformly between the ends of their axis, text from its values."""
    axes = space.axes
    return points_at(axes, space.generator().random((space.budget, len(axes))))


STRATEGY = Strategy("drawn at random within the ranges", random)
