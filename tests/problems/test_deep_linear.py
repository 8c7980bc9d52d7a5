"""Deep linear networks follow the curves that are known in closed form."""

import functools

import jax
import numpy as np
import pytest
from scipy.integrate import solve_ivp

from optbench.problems.landscapes.deep_linear import deep_linear

KEY = jax.random.key(0)


def product(layers):
    return functools.reduce(lambda below, layer: layer @ below, layers)


def modes(problem, layers):
    """Read the product's entries along the singular vectors of the target, and those off them."""
    left, _, right = np.linalg.svd(product(problem.minimiser()))
    turned = left.T @ product(layers) @ right.T
    on = turned.diagonal()
    return on, turned - np.eye(len(on)) * on[:, None]


def descend(problem, start, rate, steps, every):
    """Descend, and read modes before each `every`-th step: (modes[record, mode], final layers)."""

    def step(layers, _):
        gradient = jax.grad(problem.loss)(layers, (), KEY)
        return jax.tree.map(lambda w, g: w - rate * g, layers, gradient), None

    def record(layers, _):
        return jax.lax.scan(step, layers, None, every)[0], modes(problem, layers)[0]

    end, curves = jax.jit(lambda start: jax.lax.scan(record, start, None, steps // every))(start)
    return np.asarray(curves), end


def logistic(time, s, start):
    return s * np.exp(2 * s * time) / (np.exp(2 * s * time) - 1 + s / start)


def test_modes_of_two_layers_follow_the_logistic_curve():
    problem = deep_linear(depth=2, dim=4, condition=8.0, init_scale=0.1, init="aligned")
    with jax.enable_x64(True):
        curves, _ = descend(problem, problem.init(KEY), rate=2e-3, steps=10000, every=100)
    times = 0.2 * np.arange(100)[:, None]
    singular = np.array([1, 0.5, 0.25, 0.125])
    expected = logistic(times, singular, 0.01)
    np.testing.assert_allclose(curves, expected, atol=4e-3)
    # the curves are followed to their end and not near 0 alone: all but the smallest are learned
    assert (expected[-1][:3] > 0.95 * singular[:3]).all()


def test_larger_singular_values_are_learned_first():
    problem = deep_linear(depth=2, dim=4, condition=8.0, init_scale=0.1, init="aligned")
    singular = np.array([1, 0.5, 0.25, 0.125])
    with jax.enable_x64(True):
        curves, _ = descend(problem, problem.init(KEY), rate=1e-2, steps=3000, every=1)
    half = 1e-2 * np.argmax(curves > singular / 2, axis=0)
    # where the logistic curve is at s/2: e^(2 s t) = s/u0 - 1
    np.testing.assert_allclose(half, np.log(singular / 0.01 - 1) / (2 * singular), rtol=0.01)
    assert (np.diff(half) > 1).all()


@pytest.mark.parametrize("depth", [1, 4])
def test_modes_of_any_depth_follow_their_own_equation(depth):
    problem = deep_linear(depth=depth, dim=3, condition=4.0, init_scale=0.5, init="aligned")
    singular = np.array([1, 0.5, 0.25])
    with jax.enable_x64(True):
        curves, end = descend(problem, problem.init(KEY), rate=2e-3, steps=4000, every=100)
        assert np.abs(modes(problem, end)[1]).max() < 1e-9
    times = 0.2 * np.arange(40)
    flow = solve_ivp(
        lambda _, u: depth * u ** (2 - 2 / depth) * (singular - u),
        (0, 8),
        np.full(3, 0.5**depth),
        t_eval=times,
        rtol=1e-9,
        atol=1e-12,
    )
    np.testing.assert_allclose(curves, flow.y.T, atol=4e-3)
    assert np.ptp(curves[:, 0]) > 0.4


@pytest.mark.parametrize("init", ["orthogonal", "gaussian", "aligned"])
def test_the_start_has_the_stated_scale_and_orientation(init):
    problem = deep_linear(depth=3, dim=5, init_scale=0.5, init=init)
    with jax.enable_x64(True):
        init_some = jax.jit(jax.vmap(problem.init))
        starts = np.stack(jax.tree.map(np.asarray, init_some(jax.random.split(KEY, 8))), axis=1)
        target = np.linalg.det(product(problem.minimiser()))
        assert all(np.linalg.det(product(layers)) * target > 0 for layers in starts)
        grams = starts.mT @ starts
        if init == "gaussian":
            np.testing.assert_allclose(grams.mean(axis=(0, 1)), 0.25 * np.eye(5), atol=0.15)
        else:
            np.testing.assert_allclose(grams, np.broadcast_to(0.25 * np.eye(5), grams.shape), atol=1e-12)
        on, off = modes(problem, starts[0])
        aligned = np.abs(on - 0.125).max() < 1e-12 and np.abs(off).max() < 1e-12
        assert aligned == (init == "aligned")


def test_a_start_of_the_other_orientation_ends_on_a_saddle():
    problem = deep_linear(depth=2, dim=1, condition=1.0, init_scale=0.5, init="orthogonal")
    right = problem.init(KEY)
    wrong = [-right[0], right[1]]
    ends = [descend(problem, start, rate=0.1, steps=100, every=100)[1] for start in (right, wrong)]
    losses = [float(problem.loss(end, (), KEY)) for end in ends]
    # the one singular value, 1, is learned or stays at 0
    np.testing.assert_allclose(losses, [0, 0.5], atol=1e-6)


def test_gradient_descent_reaches_the_target_in_the_default_steps_and_not_where_it_is_deep():
    def left(depth):
        problem = deep_linear(depth=depth)
        end = descend(problem, problem.init(KEY), rate=0.05, steps=problem.steps, every=problem.steps)[1]
        return jax.jit(problem.loss)(end, (), KEY) / problem.targets["train_loss"]

    assert left(2) < 1 < left(8)
