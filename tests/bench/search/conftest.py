"""What every search strategy promises: one test for those here and for new ones."""

from importlib.util import find_spec
from itertools import pairwise

import pytest

from optbench.search.space import Space, axes_of, combine

AXES = {
    "learning_rate": (1e-4, 1e-2, 1.0),
    "momentum": (0.5, 0.9),
    "weight_decay": (0.0, 1e-3, 1e-1),
    "schedule": ("constant", "cosine"),
}
#: Two learning rates with every combination of the others, and as many points for those that need no grid.
BUDGET = 2 * 2 * 3 * 2


def _rounds(strategy, space, score=lambda point: point["learning_rate"]):
    """Return the points that a strategy trains, round by round; one that designs has a single round."""
    designed = strategy.design(space)
    if strategy.propose is None:
        return [designed]
    assert axes_of(designed) == space.axes, "a strategy that proposes leaves the ranges as they are"
    proposed = []

    def measure(points):
        proposed.append(points)
        return [score(point) for point in points]

    strategy.propose(space, measure)
    return proposed


def _keeps_its_promises(strategy):
    if strategy.package is not None and find_spec(strategy.package) is None:
        pytest.skip(f"needs {strategy.package}")
    space = Space(combine(AXES), BUDGET, 0, "adam")
    rounds = _rounds(strategy, space)
    points = [point for points in rounds for point in points]
    assert len(points) == BUDGET
    for point in points:
        assert list(point) == list(AXES)
        for name, values in AXES.items():
            inside = point[name] in values or (
                not isinstance(values[0], str) and min(filter(None, values)) <= point[name] <= max(values)
            )
            assert inside, f"{name} = {point[name]} lies outside of {values}"
    assert _rounds(strategy, space) == rounds, "the same seed and optimizer choose the same"
    draws = _rounds(strategy, space._replace(seed=1)) != rounds
    assert (_rounds(strategy, space._replace(label="lion")) != rounds) == draws, "by seed and optimizer, or by neither"
    if strategy.propose is not None:
        assert max(map(len, rounds)) <= strategy.together
    if strategy.keeps_grid:
        assert sorted(map(str, combine(axes_of(points)))) == sorted(map(str, points)) and not draws
    assert strategy.trains or (strategy.package is None and strategy.together == 1)
    assert all(low < high for low, high in pairwise((0.0, *strategy.rungs, 1.0)))
    assert strategy.meaning and strategy.meaning[-1] != "."


@pytest.fixture
def rounds():
    """rounds(strategy, space, score) -> the points that it trains, round by round."""
    return _rounds


@pytest.fixture
def keeps_its_promises():
    """keeps_its_promises(strategy) fails where a strategy breaks one of the rules that all keep."""
    return _keeps_its_promises
