"""Points from budgets: grids, draws, Sobol sequences, what optuna asks for, and wider grids."""

import math

import numpy as np
import pytest

from optbench.request import RequestError
from optbench.search.space import ask, axes_of, combine, grid, random, sobol, widen

RATES = {"learning_rate": (1e-4, 1e-2, 1.0)}
MANY = RATES | {"momentum": (0.5, 0.9), "weight_decay": (0.0, 1e-3, 1e-1), "schedule": ("constant", "cosine")}
DRAWS = pytest.mark.parametrize("draw", [random, sobol])


def values(points, name):
    return [point[name] for point in points]


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
def test_grid(axes, budget, rates, count):
    points = grid(combine(axes), budget, "adam")
    assert sorted(set(values(points, "learning_rate"))) == pytest.approx(rates)
    assert len(points) == count
    assert {name: axes_of(points)[name] for name in axes if name != "learning_rate"} == {
        name: axes[name] for name in axes if name != "learning_rate"
    }


def test_grid_that_costs_more_than_there_is():
    with pytest.raises(RequestError, match=r"adam: its grid has 12 points, and --trials pay for 5; accepted: "):
        grid(combine(MANY), 5, "adam")


@DRAWS
@pytest.mark.parametrize("num_points", [2, 7, 64])
def test_draws_lie_within_the_axes(draw, num_points):
    points = draw(combine(MANY), num_points, 0, "adam")
    assert len(points) == num_points
    assert all(list(point) == list(MANY) for point in points)
    assert all(1e-4 <= rate <= 1 for rate in values(points, "learning_rate"))
    assert all(0.5 <= momentum <= 0.9 for momentum in values(points, "momentum"))
    assert all(decay == 0 or 1e-3 <= decay <= 1e-1 for decay in values(points, "weight_decay"))
    assert set(values(points, "schedule")) <= {"constant", "cosine"}
    assert all(value == float(f"{value:.6g}") for value in values(points, "learning_rate"))


@DRAWS
def test_draws_are_uniform_in_the_logarithm(draw):
    points = draw(combine(MANY), 512, 0, "adam")
    logs = np.log10(values(points, "learning_rate"))
    assert np.histogram(logs, bins=4, range=(-4, 0))[0] == pytest.approx([128] * 4, abs=40)
    # One value in three of that axis is 0.
    assert np.mean(np.array(values(points, "weight_decay")) == 0) == pytest.approx(1 / 3, abs=0.07)
    assert np.mean(np.array(values(points, "schedule")) == "cosine") == pytest.approx(1 / 2, abs=0.07)


@DRAWS
def test_draws_are_fixed_by_seed_and_optimizer(draw):
    one = draw(combine(MANY), 6, 0, "adam")
    assert draw(combine(MANY), 6, 0, "adam") == one
    assert draw(combine(MANY), 6, 1, "adam") != one
    assert draw(combine(MANY), 6, 0, "lion") != one


@DRAWS
def test_a_point_is_drawn_once(draw):
    axes = {"learning_rate": (0.1,), "weight_decay": (0.0,), "schedule": ("constant", "cosine")}
    assert draw(combine(axes), 50, 0, "adam") == combine(axes)


@DRAWS
def test_negative_numbers_are_drawn_evenly(draw):
    found = values(draw(combine({"learning_rate": (0.1,), "shift": (-1.0, 1.0)}), 256, 0, "adam"), "shift")
    assert np.histogram(found, bins=4, range=(-1, 1))[0] == pytest.approx([64] * 4, abs=25)


def test_sobol_leaves_no_gap():
    shares = (np.log10(values(sobol(combine(RATES), 16, 0, "adam"), "learning_rate")) + 4) / 4
    assert sorted((shares * 16).astype(int)) == list(range(16))


WIDER = {
    "above": (RATES, {"learning_rate": 1.0}, {"learning_rate": (1e-4, 1e-2, 1.0, 1e2, 1e4)}),
    "below": (RATES, {"learning_rate": 1e-4}, {"learning_rate": (1e-8, 1e-6, 1e-4, 1e-2, 1.0)}),
    "inside": (RATES, {"learning_rate": 1e-2}, None),
    "half-as-many": (
        {"learning_rate": (1.0, 2.0, 4.0, 8.0, 16.0, 32.0)},
        {"learning_rate": 32.0},
        {"learning_rate": (1.0, 2.0, 4.0, 8.0, 16.0, 32.0, 64.0, 128.0, 256.0)},
    ),
    "beside-zero": (
        {"weight_decay": (0.0, 1e-3, 1e-2)},
        {"weight_decay": 1e-2},
        {"weight_decay": (0.0, 1e-3, 1e-2, 1e-1, 1.0)},
    ),
    "zero": ({"weight_decay": (0.0, 1e-3)}, {"weight_decay": 0.0}, None),
    "zero-and-one": ({"weight_decay": (0.0, 1e-3)}, {"weight_decay": 1e-3}, {"weight_decay": (0.0, 1e-3, 1e-2, 1e-1)}),
    "alone": ({"learning_rate": (0.1,)}, {"learning_rate": 0.1}, None),
    # A momentum has an end of its own.
    "bounded": ({"momentum": (0.5, 0.9)}, {"momentum": 0.9}, None),
    "text": ({"schedule": ("constant", "cosine")}, {"schedule": "cosine"}, None),
    "two": (
        {"learning_rate": (0.1, 1.0), "schedule": ("constant", "cosine")},
        {"learning_rate": 0.1, "schedule": "cosine"},
        {"learning_rate": (0.001, 0.01, 0.1, 1.0), "schedule": ("constant", "cosine")},
    ),
}


@pytest.mark.parametrize(("axes", "winner", "wider"), WIDER.values(), ids=WIDER)
def test_widen(axes, winner, wider):
    points = widen(combine(axes), winner)
    assert (points and axes_of(points)) == wider
    assert points is None or len(points) == math.prod(map(len, axes_of(points).values()))


def test_widened_twice_is_spaced_as_before():
    rates = (0.001, 0.00316227766017, 0.01)
    once = widen(combine({"learning_rate": rates}), {"learning_rate": 0.01})
    twice = widen(once, {"learning_rate": 0.1})
    assert values(twice, "learning_rate") == pytest.approx(np.geomspace(1e-3, 1, 7), rel=1e-11)


class TestAsk:
    @pytest.fixture(autouse=True)
    def _optuna(self):
        pytest.importorskip("optuna")

    def asked(self, axes, num_points, score, width=8, seed=0):
        rounds = []

        def measure(chosen):
            rounds.append(chosen)
            return np.array([score(point) for point in chosen])

        ask(combine(axes), num_points, width, seed, "adam", measure)
        return rounds

    def test_asks_for_as_many_as_there_are(self):
        rounds = self.asked(MANY, 19, lambda point: point["learning_rate"])
        assert list(map(len, rounds)) == [8, 8, 3]
        for point in (point for chosen in rounds for point in chosen):
            assert list(point) == list(MANY)
            assert 1e-4 <= point["learning_rate"] <= 1 and 0.5 <= point["momentum"] <= 0.9
            assert point["weight_decay"] == 0 or 1e-3 <= point["weight_decay"] <= 1e-1
            assert point["schedule"] in ("constant", "cosine")

    def test_finds_what_is_good(self):
        """The best rate is 1e-3; above 1e-2 all diverge."""

        def score(point):
            rate = point["learning_rate"]
            return math.inf if rate > 1e-2 else (math.log10(rate) + 3) ** 2 - 5

        rounds = self.asked(RATES, 40, score)
        late = [abs(math.log10(point["learning_rate"]) + 3) for chosen in rounds[2:] for point in chosen]
        # At random one third of the range lies so near.
        assert np.mean(np.array(late) < 2 / 3) > 0.5

    def test_the_same_seed_asks_the_same(self):
        score = lambda point: point["learning_rate"]  # noqa: E731
        first, second, other = (self.asked(MANY, 12, score, seed=seed) for seed in (0, 0, 1))
        assert first == second != other

    def test_a_single_value_is_no_choice(self):
        rounds = self.asked({"learning_rate": (0.1,), "shift": (-1.0, 1.0)}, 4, lambda point: point["shift"], width=2)
        assert {point["learning_rate"] for chosen in rounds for point in chosen} == {0.1}
        assert all(-1 <= point["shift"] <= 1 for chosen in rounds for point in chosen)
