"""All search strategies: what each promises, the points that they choose, and what belongs into a key."""

import pytest

from optbench import search
from optbench.search.space import Space, combine
from optbench.search.strategy import Strategy

SPACE = Space(
    combine({"learning_rate": (1e-3, 1e-1), "weight_decay": (0.0, 1e-2), "schedule": ("constant", "cosine")}),
    *(12, 3, "adam"),
)


@pytest.mark.parametrize("name", search.strategies())
def test_a_strategy_keeps_its_promises(name, keeps_its_promises):
    keeps_its_promises(search.strategies()[name])


def test_strategies_are_ordered_by_what_they_need():
    assert list(search.strategies()) == ["grid", "random", "sobol", "halving", "optuna"]


GRID = [
    *((0.001, 0.0, "constant"), (0.001, 0.0, "cosine"), (0.001, 0.01, "constant"), (0.001, 0.01, "cosine")),
    *((0.01, 0.0, "constant"), (0.01, 0.0, "cosine"), (0.01, 0.01, "constant"), (0.01, 0.01, "cosine")),
    *((0.1, 0.0, "constant"), (0.1, 0.0, "cosine"), (0.1, 0.01, "constant"), (0.1, 0.01, "cosine")),
]
#: Strategy -> its points, of six at the most where it draws them, as they have been since there are strategies.
POINTS = {
    "grid": GRID,
    "halving": GRID,
    "random": [
        *((0.0022655, 0.01, "constant"), (0.00253956, 0.0, "cosine"), (0.00349819, 0.01, "cosine")),
        *((0.00619483, 0.0, "cosine"), (0.0271731, 0.0, "cosine"), (0.092326, 0.0, "cosine")),
    ],
    "sobol": [
        *((0.00128593, 0.01, "cosine"), (0.00242539, 0.0, "cosine"), (0.00645806, 0.0, "constant")),
        *((0.0135921, 0.01, "constant"), (0.0227557, 0.0, "constant"), (0.0365138, 0.01, "cosine")),
    ],
}
#: Optuna's, in two rounds, where the score is the sum of both numbers.
PROPOSED = [
    [
        *((0.0049363, 0.0, "constant"), (0.021328, 0.0, "constant"), (0.0534231, 0.0, "constant")),
        *((0.0739998, 0.0, "cosine"), (0.00260701, 0.0, "constant"), (0.00147205, 0.01, "constant")),
        *((0.00132793, 0.0, "constant"), (0.00651865, 0.01, "cosine")),
    ],
    [
        *((0.0204238, 0.0, "cosine"), (0.0224392, 0.01, "cosine"), (0.00707195, 0.0, "cosine")),
        (0.00116144, 0.01, "constant"),
    ],
]


@pytest.mark.parametrize("name", POINTS)
def test_points_are_what_they_have_always_been(name, rounds):
    space = SPACE._replace(budget=len(POINTS[name]))
    ((*points,),) = rounds(search.strategy(name), space)
    assert [tuple(point.values()) for point in points] == POINTS[name]


def test_proposals_are_what_they_have_always_been(rounds):
    optuna = pytest.importorskip("optuna")
    if not optuna.__version__.startswith("5."):
        pytest.skip("another optuna draws other numbers")
    proposed = rounds(search.strategy("optuna"), SPACE, lambda point: point["learning_rate"] + point["weight_decay"])
    assert [[tuple(point.values()) for point in points] for points in proposed] == PROPOSED


def test_a_cell_without_a_strategy_trains_its_points_as_they_are():
    assert search.strategy("").design(SPACE) == SPACE.points
    assert not search.strategy("").trains


def test_helpers_are_no_strategies():
    assert all(isinstance(entry, Strategy) for entry in search.strategies().values())
    assert not {"space", "widen", "strategy"} & search.strategies().keys()
    with pytest.raises(KeyError):
        search.strategy("space")
