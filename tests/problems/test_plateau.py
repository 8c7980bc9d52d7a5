"""The plateau is as flat, the cliff as steep and the floor as low as stated."""

import jax
import jax.numpy as jnp
import numpy as np
import pytest

from optbench.problems.landscapes.plateau import plateau

KEY = jax.random.key(0)


def sigmoid(a):
    return 1 / (1 + np.exp(-a))


def profile(scale, q):
    """Return f and df/dq by the formula of the docstring."""
    slope = sigmoid(scale * (1 - q)) * (1 + scale * (1 + q) * sigmoid(scale * (q - 1))) / (1 + q) ** 2
    return 1 - sigmoid(scale * (1 - q)) / (1 + q), slope


def along(problem, radii, dim):
    """Evaluate f and the length of its gradient at these distances from the centre, each in another direction."""
    centre = problem.minimiser()
    directions = np.random.RandomState(0).standard_normal((len(radii), dim))
    directions /= np.linalg.norm(directions, axis=1, keepdims=True)
    values, gradients = jax.jit(jax.vmap(lambda x: jax.value_and_grad(problem.loss)(x, (), KEY)))(
        jnp.asarray(centre[None, :] + np.asarray(radii)[:, None] * directions)
    )
    # towards the centre, everywhere
    np.testing.assert_allclose(
        gradients, np.linalg.norm(gradients, axis=1, keepdims=True) * directions, rtol=1e-7, atol=1e-14
    )
    return values, np.linalg.norm(gradients, axis=1)


@pytest.mark.parametrize("dim", [1, 3, 10])
@pytest.mark.parametrize("scale", [2.0, 12.0])
def test_values_and_slopes_depend_on_the_distance_alone(scale, dim):
    radii = np.linspace(0.05, 1.6, 40)
    with jax.enable_x64(True):
        values, slopes = along(plateau(dim=dim, scale=scale), radii, dim)
    value, slope = profile(scale, radii**2)
    np.testing.assert_allclose(values, value, rtol=1e-12)
    np.testing.assert_allclose(slopes, 2 * radii * slope, rtol=1e-9)
    assert (np.diff(value) > 0).all()


@pytest.mark.parametrize("scale", [0.5, 6.0, 12.0])
def test_the_floor_is_at_the_centre(scale):
    problem = plateau(scale=scale)
    with jax.enable_x64(True):
        x = jnp.asarray(problem.minimiser())
        np.testing.assert_allclose(problem.optimum(), sigmoid(-scale), rtol=1e-14)
        loss = lambda x: problem.loss(x, (), KEY)  # noqa: E731
        value, gradient, hessian = jax.jit(lambda x: (loss(x), jax.grad(loss)(x), jax.hessian(loss)(x)))(x)
    np.testing.assert_allclose(value, problem.optimum(), atol=1e-15)
    assert not np.asarray(gradient).any()
    # f = floor + slope q near the centre, so that every curvature is twice the slope in q
    np.testing.assert_allclose(np.linalg.eigvalsh(hessian), 2 * profile(scale, 0.0)[1], rtol=1e-9)


def test_the_gradient_at_the_start_falls_exponentially_with_scale_and_the_cliff_grows_steeper():
    """At radius 1.5, q - 1 = 1.25: each unit of scale costs a factor of exp(1.25), and gains (s + 1) / s."""
    scales = np.array([6.0, 8.0, 10.0, 12.0])
    with jax.enable_x64(True):
        at_start = np.array([along(plateau(scale=s), [1.5], 10)[1][0] for s in scales])
        cliff = np.array([along(plateau(scale=s), np.linspace(0.5, 1.2, 200), 10)[1].max() for s in scales])
    np.testing.assert_allclose(at_start, 3 * (1 / 3.25**2 + scales / 3.25) * np.exp(-1.25 * scales), rtol=2e-3)
    assert (np.diff(cliff) > 0.1).all()


def test_no_digit_of_the_gradient_is_lost_on_the_plateau_in_float32():
    problem = plateau(scale=12.0)
    x = problem.init(KEY)
    single = jax.grad(problem.loss)(x, (), KEY)
    with jax.enable_x64(True):
        double = jax.grad(problem.loss)(jnp.asarray(np.asarray(x, np.float64)), (), KEY)
    assert np.linalg.norm(double) < 1e-5
    np.testing.assert_allclose(single, double, rtol=1e-4, atol=1e-11)


def test_starts_lie_on_a_sphere_around_the_centre_as_the_origin_does():
    problem = plateau(dim=7, radius=2.0)
    starts = np.asarray(jax.jit(jax.vmap(problem.init))(jax.random.split(KEY, 300)))
    np.testing.assert_allclose(np.linalg.norm(starts - problem.minimiser(), axis=1), 2, rtol=1e-5)
    np.testing.assert_allclose(np.linalg.norm(problem.minimiser()), 2, rtol=1e-12)
    assert len(np.unique(starts[:, 0])) == 300


def test_steps_of_one_length_cross_and_gradient_steps_do_not():
    """Gradient steps long enough for the plateau leap off the cliff; steps of 0.01 a coordinate do neither."""
    problem = plateau(scale=12.0)

    def train(rate, update):
        def step(x, _):
            return x - rate * update(jax.grad(problem.loss)(x, (), KEY)), None

        return problem.loss(jax.lax.scan(step, problem.init(KEY), None, problem.steps)[0], (), KEY)

    assert train(0.01, jnp.sign) < problem.targets["train_loss"]
    rates = jnp.geomspace(1e-3, 1e5, 33)
    assert jax.jit(jax.vmap(lambda rate: train(rate, lambda g: g)))(rates).min() > 0.9
