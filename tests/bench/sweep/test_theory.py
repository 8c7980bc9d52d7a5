"""Sweeps against mathematics: iterates, stability limits and fixed points that have closed forms."""

import jax
import jax.numpy as jnp
import numpy as np
import optax
import pytest

from optbench.optimizers import Optimizer, catalogue
from optbench.problems.problem import Problem

CURVATURES = np.array([1.0, 0.3, 0.01])
START = np.array([1.0, -2.0, 3.0])


def quadratic(curvatures=CURVATURES, start=START, center=0.0) -> Problem:
    """Show the coordinates as metrics, so that iterates can be compared and not the loss alone."""

    def loss(x, batch, key):
        return jnp.sum(curvatures * (x - center) ** 2) / 2

    def metrics(x, data):
        return {"loss": loss(x, data, None)} | {f"x{i}": x[i] for i in range(len(start))}

    return Problem(lambda key: jnp.asarray(start), loss, metrics, source="textbook")


def linear(slope=2.0, start=1.0) -> Problem:
    def metrics(x, data):
        return {"loss": slope * x[0], "x0": x[0]}

    return Problem(lambda key: jnp.full(1, start), lambda x, b, k: slope * x[0], metrics, source="textbook")


def iterates(curves, num=3):
    """Return [point, step, coordinate] of the only seed."""
    return np.stack([curves.metrics[f"train_x{i}"][0] for i in range(num)], axis=-1)


RATES = np.array([0.05, 0.5, 1.5])


def test_gradient_descent_follows_its_closed_form(train):
    curves = train(quadratic(), catalogue()["sgd"], {"learning_rate": RATES}, 40)
    steps = np.arange(41)[None, :, None]
    expected = (1 - RATES[:, None, None] * CURVATURES) ** steps * START
    np.testing.assert_allclose(iterates(curves), expected, rtol=1e-11, atol=1e-14)


@pytest.mark.parametrize("name", ["sgd_momentum", "sgd_nesterov"])
def test_momentum_follows_powers_of_its_matrix(train, name):
    momentum, nesterov = 0.8, name == "sgd_nesterov"
    curves = train(quadratic(), catalogue()[name], {"learning_rate": RATES, "momentum": momentum}, 40)
    for point, rate in enumerate(RATES):
        for coordinate, h in enumerate(CURVATURES):
            # (v, x) -> (b v + h x, x - rate u), where u is the new v, or h x + b (new v) with Nesterov's look-ahead.
            velocity = np.array([momentum, h])
            moved = momentum * velocity + np.array([0, h]) if nesterov else velocity
            matrix = np.stack([velocity, np.array([0, 1]) - rate * moved])
            begin = np.array([0, START[coordinate]])
            expected = [(np.linalg.matrix_power(matrix, t) @ begin)[1] for t in range(41)]
            np.testing.assert_allclose(iterates(curves)[point, :, coordinate], expected, rtol=1e-10, atol=1e-12)


LIMITS = {
    "sgd": lambda b, L: 2 / L,
    "sgd_momentum": lambda b, L: 2 * (1 + b) / L,
    "sgd_nesterov": lambda b, L: (2 + 2 * b) / ((1 + 2 * b) * L),
}


@pytest.mark.parametrize("name", LIMITS)
@pytest.mark.parametrize("top", [1.0, 4.0])
def test_divergence_is_labelled_above_the_stability_limit_and_not_below(train, name, top):
    from optbench.sweep.selection import diverged

    momentum = {} if name == "sgd" else {"momentum": 0.9}
    limit = LIMITS[name](0.9, top)
    problem = quadratic(np.array([top, top / 10, top / 10]))
    curves = train(problem, catalogue()[name], {"learning_rate": limit * np.array([0.99, 1.01])} | momentum, 3000)
    assert diverged(curves).tolist() == [[False, True]]


def test_a_trial_that_overflows_says_when_and_touches_no_neighbour(train):
    rates = {"learning_rate": np.array([0.5, 1e30, 0.7])}
    curves = train(quadratic(), catalogue()["sgd"], rates, 30, dtype="float32")
    # 1e30 -> x of 1e30 -> a loss of 1e60, beyond float32's 3.4e38, after one update.
    assert curves.diverged_at.tolist() == [[-1, 1, -1]]
    assert np.isfinite(curves.metrics["train_loss"][0, 1, 0])
    assert np.isnan(curves.metrics["train_loss"][0, 1, 1:]).all()
    calm = train(quadratic(), catalogue()["sgd"], {"learning_rate": np.array([0.5, 0.6, 0.7])}, 30, dtype="float32")
    for point in (0, 2):
        np.testing.assert_array_equal(curves.metrics["train_loss"][0, point], calm.metrics["train_loss"][0, point])


def test_adam_on_a_constant_gradient_moves_exactly_the_learning_rate(train):
    rates = np.array([1e-3, 0.1])
    curves = train(linear(), catalogue()["adam"], {"learning_rate": rates, "eps": 0.0}, 50)
    expected = 1.0 - rates[:, None] * np.arange(51)
    np.testing.assert_allclose(curves.metrics["train_x0"][0], expected, rtol=1e-12, atol=1e-13)


def test_adamw_on_a_constant_gradient_follows_its_ramp(train):
    rate, decay = 0.1, np.array([0.5, 2.0])
    grid = {"learning_rate": rate, "weight_decay": decay, "eps": 0.0}
    curves = train(linear(), catalogue()["adamw"], grid, 50)
    ramp = (1 - rate * decay[:, None]) ** np.arange(51) * (1 + 1 / decay[:, None]) - 1 / decay[:, None]
    np.testing.assert_allclose(curves.metrics["train_x0"][0], ramp, rtol=1e-11, atol=1e-13)


def test_coupled_and_decoupled_decay_reach_their_own_fixed_points(train):
    # f = (x - 1)^2 / 2, weight decay 1/2, Adam with eps 1.
    problem = quadratic(np.ones(1), np.zeros(1), center=1.0)
    grid = {"learning_rate": 0.05, "weight_decay": 0.5, "eps": 1.0, "b2": 0.9}
    ends = {
        coupled: train(problem, catalogue()["adam"], grid, 4000, coupled=coupled).metrics["train_x0"][0, 0, -1]
        for coupled in (False, True)
    }
    # Coupled: the gradient of f + x^2/4 is zero, x - 1 + x/2 = 0.
    assert ends[True] == pytest.approx(2 / 3, abs=1e-9)
    # Decoupled: (1 - x) / ((1 - x) + 1) = x/2, so x = 2 - sqrt(2).
    assert ends[False] == pytest.approx(2 - 2**0.5, abs=1e-9)


#: (schedule, warmup) -> what the learning rate is multiplied by at each of 10 steps, by hand: the first update of a
#: warmup of two moves with half the rate; the cosines are those of 0, 18, ... 162 and of 0, 22.5, ... 157.5 degrees.
MULTIPLIERS = {
    ("constant", 0.0): [1] * 10,
    ("linear", 0.0): [1, 0.9, 0.8, 0.7, 0.6, 0.5, 0.4, 0.3, 0.2, 0.1],
    ("cosine", 0.0): [
        1,
        0.97552826,
        0.9045085,
        0.79389263,
        0.6545085,
        0.5,
        0.3454915,
        0.20610737,
        0.0954915,
        0.02447174,
    ],
    ("wsd", 0.0): [1, 1, 1, 1, 1, 1, 1, 1, 1, 0.5],
    ("constant", 0.2): [0.5, 1, 1, 1, 1, 1, 1, 1, 1, 1],
    ("linear", 0.2): [0.5, 1, 1, 0.875, 0.75, 0.625, 0.5, 0.375, 0.25, 0.125],
    ("cosine", 0.2): [0.5, 1, 1, 0.96193977, 0.85355339, 0.69134172, 0.5, 0.30865828, 0.14644661, 0.03806023],
    ("wsd", 0.2): [0.5, 1, 1, 1, 1, 1, 1, 1, 1, 0.625],
}


@pytest.mark.parametrize(("name", "warmup"), MULTIPLIERS)
def test_a_schedule_multiplies_the_learning_rate_step_by_step(train, name, warmup):
    steps = 10
    both = (("constant", 0.0), (name, warmup))
    curves = train(
        quadratic(), catalogue()["sgd"], {"learning_rate": [0.5, 0.5]}, steps, schedules=both, schedule=[0, 1]
    )
    factors = 1 - 0.5 * np.array(MULTIPLIERS[name, warmup])[:, None] * CURVATURES
    expected = np.concatenate([np.ones((1, 3)), np.cumprod(factors, axis=0)]) * START
    np.testing.assert_allclose(iterates(curves)[1], expected, rtol=1e-6)
    constant = (1 - 0.5 * CURVATURES) ** np.arange(11)[:, None] * START
    np.testing.assert_allclose(iterates(curves)[0], constant, rtol=1e-12)


def test_a_schedule_multiplies_every_learning_rate(train):
    """Of parameters without a matrix muon moves none by its first rate, and all by nadamw's."""
    rates = {"learning_rate": [0.5, 0.1], "adam_learning_rate": [0.1, 0.1]}
    apart = train(quadratic(), catalogue()["muon"], rates, 5, schedules=(("linear", 0.0),))
    alone = train(quadratic(), catalogue()["nadamw"], {"learning_rate": [0.1]}, 5, schedules=(("linear", 0.0),))
    for point in (0, 1):
        np.testing.assert_allclose(iterates(apart)[point], iterates(alone)[0], rtol=1e-9)


#: Optimizers that have no update at learning rate zero, and why.
NO_ZERO = {
    "madgrad": "adds eps to the learning rate, and moves",
    "dadapt_adamw": "divides the sum of its steps by their size: 0/0",
    "prodigy": "divides the sum of its steps by their size: 0/0",
}


@pytest.mark.parametrize("name", sorted(catalogue()))
def test_learning_rate_zero_leaves_the_loss_constant(train, name):
    curves = train(quadratic(), catalogue()[name], {"learning_rate": [0.0]}, 5)
    loss = curves.metrics["train_loss"][0, 0]
    constant = bool(np.abs(loss - loss[0]).max() <= 4e-16 * loss[0])
    assert constant == (name not in NO_ZERO)


def test_gradient_noise_averages_out_with_the_batch_size(train):
    from optbench import problems

    noisy = problems.factory("quadratic")(dim=1, condition=1.0, noise=1.0, rotated=False)
    trials = tuple(f"0/select/{seed}" for seed in range(2000))
    rate, steps = 0.5, 30
    for batch_size in (1, 16):
        curves = train(
            noisy,
            catalogue()["sgd"],
            {"learning_rate": rate},
            steps,
            batch_size=batch_size,
            record_every=steps,
            trials=trials,
        )
        # Stationary SGD on x^2/2 with gradient noise s^2/B: E[x^2] = rate s^2 / (B (2 - rate)).
        stationary = rate / (batch_size * (2 - rate)) / 2
        assert curves.metrics["train_loss"][:, 0, -1].mean() == pytest.approx(stationary, rel=0.15)


def test_a_problem_of_constants_only_still_has_them_lifted(train):
    big = np.random.default_rng(0).standard_normal((50, 50))

    def loss(x, batch, key):
        return jnp.sum((big @ x) ** 2)

    problem = Problem(lambda key: jnp.ones(50), loss, lambda x, d: {"loss": loss(x, d, None)}, source="test")
    from optbench.sweep import devices
    from optbench.sweep.problem_data import prepare
    from optbench.sweep.step import Recipe, program

    with devices.settings("float32", jax.devices()[0]):
        prepared = prepare(problem, "float32", jax.devices()[0])
        written = program(Recipe(prepared, Optimizer(optax.sgd, (1, 2), "test"), "full", 3, 3))
    assert sum(np.size(constant) for constant in written.constants) >= big.size
