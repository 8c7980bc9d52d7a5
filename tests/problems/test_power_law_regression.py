"""The loss of gradient descent falls with the exponent that spectrum and signal name."""

import jax
import jax.numpy as jnp
import numpy as np
import pytest

from optbench.problems.convex.power_law_regression import power_law_regression

KEY = jax.random.key(0)


def descend(problem, num_steps, rate=1.0):
    """Return the loss before each step of gradient descent."""

    def step(w, _):
        loss, gradient = jax.value_and_grad(problem.loss)(w, (), KEY)
        return w - rate * gradient, loss

    return np.asarray(jax.jit(lambda w: jax.lax.scan(step, w, None, num_steps)[1])(problem.init(KEY)), np.float64)


@pytest.mark.parametrize(("spectrum", "signal"), [(1.5, 2.0), (1.5, 3.0), (2.0, 2.0)])
def test_the_exponent_is_signal_minus_1_over_spectrum(spectrum, signal):
    # So many features that those which 1000 steps don't reach hold next to nothing of the loss.
    with jax.enable_x64(True):
        losses = descend(power_law_regression(dim=20_000, spectrum=spectrum, signal=signal, rotated=False), 1001)
    t = np.unique(np.geomspace(100, 1000, 30).astype(int))
    slope = np.polyfit(np.log(t), np.log(losses[t]), 1)[0]
    assert abs(slope + (signal - 1) / spectrum) < 0.02


@pytest.mark.parametrize("rotated", [True, False])
def test_gradient_descent_shrinks_each_eigenvectors_share_at_its_own_rate(rotated):
    with jax.enable_x64(True):
        losses = descend(power_law_regression(dim=6, spectrum=1.2, signal=1.7, rotated=rotated), 50, rate=0.8)
    i, t = np.arange(1.0, 7)[None], np.arange(50)[:, None]
    expected = np.sum(i**-1.7 * (1 - 0.8 * i**-1.2) ** (2 * t), axis=1) / np.sum(i**-1.7)
    np.testing.assert_allclose(losses, expected, rtol=1e-10)


def test_a_stream_has_the_gradient_of_the_expected_loss_and_no_noise_at_the_minimiser():
    with jax.enable_x64(True):
        problem, whole = power_law_regression(dim=4, streaming=True), power_law_regression(dim=4)
        batch = problem.sample(KEY, 50_000, 0)
        gradient = jax.grad(problem.loss)(problem.init(KEY), batch, KEY)
        exact = jax.grad(whole.loss)(problem.init(KEY), (), KEY)
        np.testing.assert_allclose(gradient, exact, atol=0.02 * np.linalg.norm(exact))
        assert problem.loss(jnp.asarray(problem.minimiser()), batch, KEY) < 1e-28
        assert jnp.linalg.norm(jax.grad(problem.loss)(jnp.asarray(problem.minimiser()), batch, KEY)) < 1e-14


def test_momentum_reaches_every_rungs_target_and_gradient_descent_not_that_of_the_hard_one():
    problem = power_law_regression(signal=1.3)
    assert descend(problem, 501, rate=1.99)[-1] > problem.targets["train_loss"]

    def step(state, _):
        w, velocity = state
        velocity = 0.9 * velocity + jax.grad(problem.loss)(w, (), KEY)
        return (w - 3 * velocity, velocity), None

    start = problem.init(KEY)
    end = jax.lax.scan(step, (start, 0 * start), None, problem.steps)[0][0]
    assert problem.loss(end, (), KEY) < problem.targets["train_loss"]
