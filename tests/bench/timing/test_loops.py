"""Loops that are timed train for real, and their states hold what they should."""

import jax
import jax.numpy as jnp
import numpy as np
import optax
import pytest

from optbench.optimizers import catalogue
from optbench.problems import factory
from optbench.problems.problem import Problem
from optbench.sweep import devices
from optbench.sweep.memory import num_elements, tree_bytes
from optbench.sweep.problem_data import prepare
from optbench.sweep.step import Recipe
from optbench.sweep.streams import batch_rows
from optbench.timing import loops
from optbench.timing.loops import TRIAL, gradient_loop, training_loop
from optbench.timing.timer import compile_loop

CURVATURE = np.array([1.0, 0.5, 0.1])
ROWS = np.random.default_rng(0).standard_normal((12, 3))
START = np.array([1.0, -2.0, 3.0])


@pytest.fixture(autouse=True)
def _float64():
    with devices.settings("float64", jax.devices("cpu")[0]), jax.numpy_rank_promotion("raise"):
        yield


def problem(loss, **fields):
    metrics = lambda x, data: {"loss": jnp.sum(x)}  # noqa: E731
    return Problem(init=lambda key: jnp.asarray(START), loss=loss, metrics=metrics, source="by hand", **fields)


def bowl():
    """f(x) = sum(h x^2)/2, whose gradient is h x."""
    return problem(lambda x, batch, key: jnp.sum(jnp.asarray(CURVATURE) * x**2) / 2)


def means():
    """Half the mean squared distance to the rows of a batch: the gradient is x minus their mean."""
    return problem(lambda x, rows, key: jnp.mean(jnp.sum((x[None] - rows) ** 2, axis=1)) / 2, train=ROWS)


def means_of_batches(size, steps):
    return ROWS[batch_rows([TRIAL], len(ROWS), size, 0, steps)[:, 0]].mean(axis=1)


def recipe_of(what, optimizer, batch_size="full", dtype="float64", **fields):
    prepared = prepare(what, dtype, jax.devices("cpu")[0])
    return Recipe(prepared, catalogue()[optimizer], batch_size, steps=1, record_every=1, **fields)


def compiled(what, optimizer, batch_size="full", device=None, **hyperparameters):
    loop = training_loop(recipe_of(what, optimizer, batch_size), hyperparameters)
    return compile_loop(loop, device or jax.devices("cpu")[0])


def after(timed, trips):
    """Copy what is left after some trips: the buffers themselves are used again."""
    timed.seconds(trips)
    return jax.tree.map(np.array, timed.carry)


class TestTraining:
    @pytest.mark.parametrize(
        ("name", "parameters", "batch_size", "optimizer", "transformation"),
        [
            ("logistic_regression", {}, 32, "adamw", optax.adamw(0.01, weight_decay=0.0)),
            (
                "linear_regression",
                {"data": "synthetic", "rows": 20, "dim": 3},
                4,
                "lion",
                optax.lion(0.01, weight_decay=0.0),
            ),
            ("quadratic", {"dim": 4, "noise": 0.1}, 3, "adam", optax.adam(0.01)),
        ],
        ids=["minibatches", "rows", "stream"],
    )
    def test_is_a_plain_loop_of_optax(self, name, parameters, batch_size, optimizer, transformation):
        what, steps = factory(name)(**parameters), 5
        recipe = recipe_of(what, optimizer, batch_size)
        timed = compile_loop(training_loop(recipe, {"learning_rate": 0.01}), jax.devices("cpu")[0])

        @jax.jit
        def step(params, state, batch, key):
            value, gradient = jax.value_and_grad(what.loss)(params, batch, jax.random.wrap_key_data(key))
            updates, state = transformation.update(gradient, state, params)
            return optax.apply_updates(params, updates), state, value

        train, fed = recipe.prepared.train, recipe.prepared.inputs([TRIAL], batch_size, 0, steps)
        batches = [train] * steps if batch_size == "full" else [now[0] for now in fed]
        if batch_size != "full" and what.sample is None:
            batches = [jax.tree.map(lambda a, rows=rows: a[rows], train) for rows in batches]
        params = jax.tree.map(lambda a: a[0], recipe.prepared.init([TRIAL]))
        state, keys = transformation.init(params), recipe.prepared.keys([TRIAL], 0, steps)[:, 0]
        for batch, key in zip(batches, keys, strict=True):
            params, state, value = step(params, state, batch, key)

        trained, *_, loss = after(timed, steps)
        jax.tree.map(lambda a, b: np.testing.assert_allclose(a, b, rtol=1e-9, atol=1e-12), trained, params)
        assert loss == pytest.approx(float(value), rel=1e-9)

    @pytest.mark.parametrize("trips", [1, 2, 30])
    def test_descends_in_closed_form(self, trips):
        """x <- x - lr h x is x <- (1 - lr h) x; the loss is the one before the last update."""
        x, *_, loss = after(compiled(bowl(), "sgd", learning_rate=0.5), trips)
        np.testing.assert_allclose(x, (1 - 0.5 * CURVATURE) ** trips * START, rtol=1e-12)
        before = (1 - 0.5 * CURVATURE) ** (trips - 1) * START
        assert loss == pytest.approx(np.sum(CURVATURE * before**2) / 2, rel=1e-12)

    def test_every_call_starts_again(self):
        timed = compiled(means(), "adamw", 4, learning_rate=0.1)
        first, other, again = after(timed, 3), after(timed, 8), after(timed, 3)
        assert repr(first) == repr(again)
        assert repr(first) != repr(other)

    def test_batches_come_round_again(self, monkeypatch):
        monkeypatch.setattr(loops, "BATCHES", 3)
        x, expected = after(compiled(means(), "sgd", 4, learning_rate=0.5), 5)[0], START
        for mean in means_of_batches(4, 3)[[0, 1, 2, 0, 1]]:
            expected = expected - 0.5 * (expected - mean)
        np.testing.assert_allclose(x, expected, rtol=1e-12)

    @pytest.mark.parametrize("coupled", [False, True], ids=["decoupled", "coupled"])
    def test_momentum_decays_as_asked(self, coupled):
        rate, decay, x, trace = 0.1, 0.3, START, 0.0
        for _ in range(4):
            gradient = CURVATURE * x + coupled * decay * x
            trace = 0.9 * trace + gradient
            x = x - rate * trace - (not coupled) * rate * decay * x
        recipe = recipe_of(bowl(), "sgd_momentum", coupled=coupled)
        loop = training_loop(recipe, {"learning_rate": rate, "weight_decay": decay})
        np.testing.assert_allclose(after(compile_loop(loop, jax.devices("cpu")[0]), 4)[0], x, rtol=1e-12)

    def test_constraints_hold(self):
        """A problem's projection comes after each update, as in a sweep."""
        above = problem(lambda x, batch, key: jnp.sum(x), project=lambda x: jnp.maximum(x, 0.5))
        x, *_ = after(compiled(above, "sgd", learning_rate=1.0), 3)
        assert x.tolist() == [0.5, 0.5, 0.5]

    def test_many_steps_a_trip_train_the_same(self, elsewhere):
        there = compiled(means(), "adamw", 4, elsewhere, learning_rate=0.1)
        here = compiled(means(), "adamw", 4, learning_rate=0.1)
        assert (here.steps_per_trip, there.steps_per_trip) == (1, 16)
        for found, expected in zip(*map(jax.tree.leaves, (after(there, 5), after(here, 80))), strict=True):
            np.testing.assert_allclose(found, expected, rtol=1e-9)


class TestGradient:
    @pytest.mark.parametrize("trips", [1, 4])
    def test_is_of_the_last_batch_at_fixed_parameters(self, trips):
        loop = gradient_loop(prepare(means(), "float64", jax.devices("cpu")[0]), 4)
        value, gradient = after(compile_loop(loop, jax.devices("cpu")[0]), trips)
        rows = ROWS[batch_rows([TRIAL], len(ROWS), 4, 0, trips)[-1, 0]]
        np.testing.assert_allclose(gradient, START - rows.mean(axis=0), rtol=1e-12)
        assert value == pytest.approx(np.mean(np.sum((START - rows) ** 2, axis=1)) / 2, rel=1e-12)

    def test_of_the_whole_set(self):
        loop = gradient_loop(prepare(means(), "float64", jax.devices("cpu")[0]), "full")
        _, gradient = after(compile_loop(loop, jax.devices("cpu")[0]), 2)
        np.testing.assert_allclose(gradient, START - ROWS.mean(axis=0), rtol=1e-12)

    def test_costs_less_than_plain_descent_and_that_less_than_adam(self):
        gradient = gradient_loop(prepare(means(), "float64", jax.devices("cpu")[0]), 4).flops
        sgd, adamw = (
            training_loop(recipe_of(means(), name, 4), {"learning_rate": 0.1}).flops for name in ("sgd", "adamw")
        )
        assert 0 < gradient < sgd < adamw
        assert compiled(means(), "sgd", 4, learning_rate=0.1).flops_per_step == sgd


MATRIX = (256, 512)


@pytest.fixture(scope="module")
def matrix():
    """Prepare a problem whose parameters are one float32 matrix."""
    square = lambda x: jnp.sum(x**2)  # noqa: E731
    what = Problem(
        init=lambda key: jnp.ones(MATRIX),
        loss=lambda x, batch, key: square(x),
        metrics=lambda x, data: {"loss": square(x)},
        source="by hand",
    )
    with devices.settings("float32", jax.devices("cpu")[0]):
        yield prepare(what, "float32", jax.devices("cpu")[0])


def state_of(matrix, optimizer):
    with devices.settings("float32", jax.devices("cpu")[0]):
        recipe = Recipe(matrix, catalogue()[optimizer], "full", steps=1, record_every=1)
        _, state, *_ = training_loop(recipe, {"learning_rate": 0.1}).start
        return state


@pytest.mark.parametrize(
    ("optimizer", "each"),
    [
        ("sgd", 0),
        ("sgd_momentum", 1),
        ("lion", 1),
        ("adagrad", 1),
        ("rmsprop", 1),
        ("adam", 2),
        ("adamw", 2),
        ("amsgrad", 3),
        ("ademamix", 3),
        ("adan", 4),
    ],
)
def test_state_elements_per_parameter(matrix, optimizer, each):
    arrays = [leaf for leaf in jax.tree.leaves(state_of(matrix, optimizer)) if leaf.ndim]
    assert num_elements(arrays) == each * 256 * 512
    assert tree_bytes(arrays) == each * 4 * 256 * 512


def test_state_of_adafactor_is_a_row_and_a_column(matrix):
    """And a counter, and one element in place of the matrix that it factors: 770 in all."""
    shapes = sorted(leaf.shape for leaf in jax.tree.leaves(state_of(matrix, "adafactor")))
    assert shapes == [(), (1,), (256,), (512,)]
    assert num_elements(state_of(matrix, "adafactor")) == 770


def test_a_trial_that_begins_again_is_where_it_was_after_as_many_steps():
    """Of sgd at 0.5 on the bowl a coordinate is multiplied by 1 - h / 2 a step; two steps after three are two."""
    loop = training_loop(recipe_of(bowl(), "sgd"), {"learning_rate": 0.5}, restart=3)
    assert loop.period == 3
    timed = compile_loop(loop, jax.devices("cpu")[0])
    params, *_ = after(timed, 5)
    np.testing.assert_allclose(params, START * (1 - CURVATURE / 2) ** 2)
    np.testing.assert_allclose(after(timed, 3)[0], START * (1 - CURVATURE / 2) ** 3)
