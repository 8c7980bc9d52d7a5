"""Batch size buys steps on the noisy quadratic until curvature is what limits them, as the closed form says."""

import jax
import jax.numpy as jnp
import numpy as np
import pytest

from optbench.problems.convex.noisy_quadratic import expected_loss_of_sgd, noisy_quadratic

KEY = jax.random.key(0)


def test_the_spectrum_is_a_power_law_and_the_start_at_1():
    problem = noisy_quadratic(dim=4, power=2)
    with jax.enable_x64(True):
        hessian = jax.hessian(lambda x: problem.metrics(x, ())["loss"])(jnp.zeros(4))
        np.testing.assert_allclose(hessian, np.diag([1, 1 / 4, 1 / 9, 1 / 16]), rtol=1e-12)
        np.testing.assert_allclose(problem.metrics(problem.init(KEY), ())["loss"], 1, rtol=1e-12)


@pytest.mark.parametrize("covariance", ["hessian", "isotropic"])
def test_the_noise_has_the_stated_covariance(covariance):
    problem = noisy_quadratic(dim=3, noise=2.0, covariance=covariance)
    drawn = problem.sample(KEY, 20_000, 0)
    gradients = jax.vmap(lambda row: jax.grad(problem.loss)(jnp.ones(3), row[None], KEY))(drawn)
    expected = 4 * np.array([1, 1 / 2, 1 / 3]) if covariance == "hessian" else np.full(3, 4 * (11 / 6) / 3)
    # 20,000 draws know a variance to 1 %
    np.testing.assert_allclose(np.cov(gradients.T), np.diag(expected), atol=0.04 * 4)
    exact = jax.grad(lambda x: problem.metrics(x, ())["loss"])(jnp.ones(3))
    np.testing.assert_allclose(gradients.mean(axis=0), exact, atol=0.05)


@pytest.mark.parametrize("covariance", ["hessian", "isotropic"])
@pytest.mark.parametrize("learning_rate", [0.3, 1.0, 1.9])
def test_the_closed_form_is_the_recursion_of_the_second_moments(learning_rate, covariance):
    problem = noisy_quadratic(dim=5, power=1.5, noise=0.7, covariance=covariance, seed=3)
    h = np.arange(1, 6) ** -1.5
    noise = 0.7**2 * (h if covariance == "hessian" else np.full(5, h.mean())) / 8
    second, losses = problem.minimiser() ** 2, []
    for _ in range(30):
        losses.append(h @ second / 2)
        second = (1 - learning_rate * h) ** 2 * second + learning_rate**2 * noise
    given = {"dim": 5, "power": 1.5, "noise": 0.7, "covariance": covariance, "seed": 3}
    np.testing.assert_allclose(expected_loss_of_sgd(np.arange(30), learning_rate, 8, **given), losses, rtol=1e-12)


def test_a_step_of_0_changes_nothing():
    assert (np.abs(expected_loss_of_sgd(np.arange(3), 0.0, 1) - 1) < 1e-12).all()


def steps_to_target(batch_size, target):
    """Take the fewest steps over a fine grid of learning rates."""
    steps = np.unique(np.geomspace(1, 200_000, 800).astype(int))
    reached = [
        steps[losses <= target]
        for rate in np.geomspace(1e-3, 1.9, 60)
        for losses in [expected_loss_of_sgd(steps, rate, batch_size, noise=1.0)]
    ]
    return min(found[0] for found in reached if len(found))


def test_doubling_a_small_batch_halves_the_steps_and_doubling_a_large_one_saves_nothing():
    target = noisy_quadratic().targets["train_loss"]
    assert 1.85 < steps_to_target(1, target) / steps_to_target(2, target) < 2.1
    assert steps_to_target(4096, target) < 1.05 * steps_to_target(8192, target)
