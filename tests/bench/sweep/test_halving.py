"""Points that are dropped on the way: which, when, and that the others are as if nothing had been dropped."""

from functools import partial

import numpy as np
import pytest

from optbench import problems
from optbench.optimizers import catalogue
from optbench.sweep.halving import num_parts, prospects, rungs, sweep_halving

#: Drops the worse half of the points after an eighth and after half of the steps.
SHARES = (1 / 8, 1 / 2)
halve = partial(sweep_halving, shares=SHARES)

TRIALS = ("0/select/0", "0/select/1", "0/select/2")
BOWL = {"dim": 5, "condition": 10.0}
IRIS = {"data": "iris", "width": 4}

#: name -> problem, its parameters, optimizer, batch size.
CASES = {
    "full-batches": ("quadratic", BOWL, "adam", "full"),
    "stream": ("quadratic", BOWL | {"noise": 0.1}, "adam", 4),
    "minibatches": ("mlp", IRIS, "adamw", 8),
    "evaluation-params": ("mlp", IRIS, "schedule_free_adamw", 8),
    "random-keys": ("quadratic", BOWL, "noisy_sgd", "full"),
    "line-search": ("quadratic", BOWL, "lbfgs", "full"),
}


def grid(optimizer, num):
    return {"learning_rate": np.geomspace(*catalogue()[optimizer].learning_rates, num)}


def both(train, case, num_points, steps=64, parts=4, **options):
    """Sweep with and without dropping points."""
    family, parameters, optimizer, batch_size = CASES[case]
    what = problems.factory(family)(**parameters), catalogue()[optimizer], grid(optimizer, num_points), steps
    asked = {"batch_size": batch_size, "record_every": 4, "trials": TRIALS} | options
    return train(*what, **asked), train(*what, parts=parts, how=halve, **asked)


assert_close = partial(np.testing.assert_allclose, rtol=1e-9, atol=1e-15)


def assert_living_equal(halved, full):
    """Hold that what was not dropped has the curves of the full sweep.

    Up to rounding: how many trials are computed together decides the order of some sums.
    """
    alive = halved.stopped_at < 0
    for name in full.metrics:
        assert_close(halved.metrics[name][:, alive], full.metrics[name][:, alive])
    assert_close(halved.step_loss[:, alive], full.step_loss[:, alive])
    assert_close(halved.batch_loss[:, alive], full.batch_loss[:, alive])
    for name in ("gradient_evaluations", "diverged_at"):
        np.testing.assert_array_equal(getattr(halved, name)[:, alive], getattr(full, name)[:, alive])


@pytest.mark.parametrize(
    ("case", "num_points"), [*((case, 13) for case in CASES), ("full-batches", 8), ("stream", 3), ("random-keys", 1)]
)
def test_what_is_not_dropped_is_as_without_dropping(train, case, num_points):
    full, halved = both(train, case, num_points)
    assert_living_equal(halved, full)
    # Halves, the odd one kept: 13, 7, 4.
    at = halved.stopped_at
    first, second = num_points // 2, -(-num_points // 2) // 2
    assert [(at == 8).sum(), (at == 32).sum()] == [first, second]
    assert halved.trial_steps == 3 * (8 * first + 32 * second + 64 * (num_points - first - second))
    assert full.trial_steps == 3 * 64 * num_points and (full.stopped_at == -1).all()


def test_what_is_dropped_ends_there(train):
    full, halved = both(train, "full-batches", 8)
    for point, at in enumerate(halved.stopped_at):
        if at < 0:
            continue
        seen, done = halved.step <= at, np.arange(64) < at
        loss = halved.metrics["train_loss"][:, point]
        np.testing.assert_allclose(loss[:, seen], full.metrics["train_loss"][:, point][:, seen], rtol=1e-9)
        assert np.isnan(loss[:, ~seen]).all() and np.isnan(halved.batch_loss[:, point][:, ~seen]).all()
        assert (np.isfinite(halved.step_loss[:, point]) == done).all()
        assert (halved.gradient_evaluations[:, point] == np.minimum(halved.step, at)).all()


@pytest.mark.parametrize("parts", [1, 2, 16])
def test_parts_of_any_width_give_the_same(train, parts):
    """As where memory allows for fewer points at a time."""
    full, halved = both(train, "random-keys", 13, parts=parts)
    assert_living_equal(halved, full)
    assert (halved.stopped_at == both(train, "random-keys", 13)[1].stopped_at).all()


def test_gradient_descent_keeps_the_rates_that_contract_most(train):
    """On x^2 (1 + 1) / 2 the error shrinks by |1 - rate| a step: the order is the same at every record."""
    rates = np.array([0.01, 0.9, 0.1, 0.5, 1.95, 0.7, 3.0, 0.3])
    problem = problems.factory("quadratic")(dim=2, condition=1.0)
    curvature = 1.0
    assert (abs(1 - curvature * rates[:4]) < 1).all()
    options = {"record_every": 1, "trials": TRIALS[:1], "how": halve, "parts": 4}
    curves = train(problem, catalogue()["sgd"], {"learning_rate": rates}, 8, **options)
    # 0.9, 0.7, 0.5 and 0.3 outlive step 1; 0.9 and 0.7 step 4.
    assert curves.stopped_at.tolist() == [1, -1, 1, 4, 1, -1, 1, 4]


def test_nothing_is_dropped_where_there_is_one_record(train):
    full, halved = both(train, "minibatches", 5, record_every=100, parts=1)
    assert (halved.stopped_at == -1).all()
    assert_living_equal(halved, full)


def test_all_may_diverge(train):
    problem = problems.factory("quadratic")(**BOWL)
    options = {"record_every": 1, "trials": TRIALS, "how": halve, "parts": 4, "dtype": "float32"}
    curves = train(problem, catalogue()["sgd"], {"learning_rate": [1e30] * 8}, 16, **options)
    # The first of equals stay.
    assert curves.stopped_at.tolist() == [-1, -1, 8, 8, 2, 2, 2, 2]
    assert (curves.diverged_at >= 0).all()


@pytest.mark.parametrize(
    ("step", "records"),
    [
        (range(101), [12, 50]),
        (range(0, 201, 4), [6, 25]),
        ([0, 1, 2], [1]),
        ([0, 50, 100, 110], [1]),
        ([0, 100], []),
        ([0, 1], []),
    ],
    ids=str,
)
def test_rungs(step, records):
    assert rungs(np.array(step), SHARES) == records


def test_parts_are_as_many_as_halvings_make_of_one():
    class Recipe:
        steps, record_every = 100, 10

    assert num_parts(Recipe, SHARES) == 4  # pyright: ignore[reportArgumentType]
    Recipe.record_every = 100
    assert num_parts(Recipe, SHARES) == 1  # pyright: ignore[reportArgumentType]


STEP = np.array([0, 10, 20, 40, 80])


def curves(*points):
    """Losses [seen, seed, point] of one seed."""
    return np.array(points, float).T[:, None, :]


@pytest.mark.parametrize(
    ("points", "scores"),
    [
        # 4 / t for the one, constant for the other: half way in the logarithm from 20 to 80 is 40.
        ([[9, 0.4, 0.2], [9, 0.3, 0.3]], np.log([0.1, 0.3])),
        # Without a record between start and now, and with losses below zero: as they are.
        ([[9, 0.4], [9, 0.3]], [0.4, 0.3]),
        ([[9, 0.4, 0.2], [9, -0.3, -0.3]], [0.2, -0.3]),
        ([[9, 0.4, np.inf], [9, np.nan, np.nan], [9, np.inf, 0.3]], [np.inf, np.inf, np.log(0.3)]),
    ],
    ids=["powers", "early", "negative", "diverged"],
)
def test_prospects(points, scores):
    np.testing.assert_allclose(prospects(STEP, curves(*points)), scores, rtol=1e-12)


def test_prospects_of_a_loss_of_zero_are_best():
    low, high = prospects(STEP, curves([9, 1e-30, 0.0], [9, 1e-3, 1e-9]))
    assert np.isfinite(low) and low < high


def test_prospects_are_of_the_median_seed():
    losses = np.array([[[9.0], [9], [9]], [[4], [2], [np.inf]], [[2], [1], [np.inf]]])
    assert prospects(STEP, losses) == pytest.approx(np.log(1.0))
