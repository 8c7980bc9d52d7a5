"""Online regression follows the exact recursion of its expected error, with the target at rest or on its way."""

import jax
import jax.numpy as jnp
import numpy as np
import pytest

from optbench.problems.convex.online_regression import expected_losses_of_sgd, online_regression

KEY = jax.random.key(0)


def simulate(problem, num_steps, learning_rate, batch_size, num_seeds):
    """Return the metric [seed, step] of plain gradient descent, from before the first step on."""

    def run(key):
        def step(w, index):
            batch = problem.sample(jax.random.fold_in(key, index), batch_size, index)
            loss = problem.metrics(w, ())["loss"]
            return w - learning_rate * jax.grad(problem.loss)(w, batch, key), loss

        return jax.lax.scan(step, problem.init(key), jnp.arange(num_steps + 1))[1]

    return np.asarray(jax.jit(jax.vmap(run))(jax.random.split(KEY, num_seeds)), np.float64)


@pytest.mark.parametrize(("batch_size", "drift"), [(1, 0.01), (4, 0.0)])
def test_the_recursion_is_the_mean_over_many_seeds(batch_size, drift):
    given = {"dim": 4, "condition": 10.0, "noise": 0.3, "drift": drift}
    losses = simulate(online_regression(**given), 60, 0.15, batch_size, 16_000)
    expected = expected_losses_of_sgd(60, 0.15, batch_size, **given)
    error = losses.std(axis=0) / len(losses) ** 0.5
    assert (np.abs(losses.mean(axis=0) - expected) <= 4.5 * error + 1e-5).all()
    assert (error < 0.01 * expected).all()


def test_one_step_on_one_feature_pair_by_hand():
    # dim 2, condition 1, so S = I, and |w*|^2 = 2: one step from 0 with batch 1 and rate r leaves E|w - w*|^2 =
    # 2 (1 - 2 r) + r^2 E[x'x (x'w*)^2] + 2 r^2 noise^2, where E[x'x (x'w*)^2] = (2 + dim) |w*|^2 = 8.
    rate, noise = 0.1, 0.5
    expected = (2 * (1 - 2 * rate) + 8 * rate**2 + 2 * rate**2 * noise**2) / 2 + noise**2 / 2
    found = expected_losses_of_sgd(1, rate, 1, dim=2, condition=1.0, noise=noise)
    np.testing.assert_allclose(found, [1 + noise**2 / 2, expected], rtol=1e-12)


def test_without_noise_the_error_falls_to_nothing_at_a_constant_rate():
    losses = expected_losses_of_sgd(4000, 0.2, 1, dim=4, condition=10.0, noise=0.0)
    assert losses[-1] < 1e-12
    np.testing.assert_allclose(losses[-1] / losses[-2], losses[-2] / losses[-3], rtol=1e-6)


def test_single_examples_bear_smaller_steps_than_the_hessian_does():
    # S = I in 20 dimensions: the whole Hessian bears 2, single examples 2 / (dim + 2)
    given = {"dim": 20, "condition": 1.0, "noise": 0.0}
    limit = 2 / 22
    assert expected_losses_of_sgd(200, 0.99 * limit, 1, **given)[-1] < 1
    assert expected_losses_of_sgd(200, 1.01 * limit, 1, **given)[-1] > 1
    assert expected_losses_of_sgd(200, 1.01 * limit, 100, **given)[-1] < 1e-6


def fitted(problem, step, num=4000):
    """Recover the target of a step by least squares, where there is no noise."""
    x, y = problem.sample(KEY, num, jnp.int32(step))
    return np.linalg.lstsq(np.asarray(x, np.float64), np.asarray(y, np.float64))[0]


def test_the_target_turns_at_the_stated_speed_and_comes_to_rest():
    problem = online_regression(dim=5, noise=0.0, drift=0.004)
    variance, rest = np.geomspace(1, 1 / 100, 5), problem.minimiser()
    for step, angle in [(0, 2.0), (250, 1.0), (499, 0.004), (500, 0.0), (700, 0.0)]:
        target = fitted(problem, step)
        np.testing.assert_allclose(variance @ target**2 / 2, 1, rtol=1e-4)
        np.testing.assert_allclose(variance @ (target * rest) / 2, np.cos(angle), atol=1e-4)


def test_tracking_lags_by_speed_over_rate_in_the_noise_free_mean():
    # One turning plane and S = I: behind a target that turns by a small angle v a step, the mean lags by v / rate.
    given = {"dim": 2, "condition": 1.0, "noise": 0.0, "drift": 0.001}
    losses = expected_losses_of_sgd(500, 0.1, 100_000, **given)
    np.testing.assert_allclose(losses[-1], (0.001 / 0.1) ** 2, rtol=0.02)


def test_tuned_gradient_descent_reaches_the_target_in_the_default_steps():
    for drift in [0.0, 0.001, 0.005]:
        problem = online_regression(drift=drift)
        losses = expected_losses_of_sgd(problem.steps, 0.3162, problem.batch_size, drift=drift)
        assert losses[-1] < problem.targets["train_loss"] < losses[0]
