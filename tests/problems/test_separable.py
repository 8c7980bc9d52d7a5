"""Gradient descent on separable classes falls as 1/t, towards the direction of the largest margin."""

import jax
import jax.numpy as jnp
import numpy as np
import pytest
from scipy.optimize import minimize

from optbench.problems.convex.separable import largest_margin, separable

KEY = jax.random.key(0)


def signed_rows(problem):
    x, labels = problem.train
    return x * labels[:, None]


def test_a_largest_margin_by_hand():
    # Nearest to the origin in the convex hull of (1, 0) and (0, 1) is (1/2, 1/2); of (3, 4) and (6, 8) it is (3, 4).
    np.testing.assert_allclose(largest_margin(np.eye(2)), [0.5**0.5] * 2, rtol=1e-12)
    np.testing.assert_allclose(largest_margin(np.array([[3.0, 4.0], [6.0, 8.0]])), [0.6, 0.8], rtol=1e-12)


@pytest.mark.parametrize("margin", [0.01, 0.5])
def test_the_largest_margin_is_that_of_a_quadratic_program(margin):
    z = signed_rows(separable(rows=40, dim=4, margin=margin))
    direction = largest_margin(z)
    start = direction / (z @ direction).min() * 1.5
    found = minimize(
        lambda w: w @ w / 2, start, jac=lambda w: w, method="SLSQP", tol=1e-14,
        constraints={"type": "ineq", "fun": lambda w: z @ w - 1, "jac": lambda w: z},
    ).x  # fmt: skip
    np.testing.assert_allclose(direction, found / np.linalg.norm(found), atol=1e-6)


@pytest.mark.parametrize("margin", [0.01, 0.3, 2.0])
def test_the_margin_is_at_least_the_one_asked_for(margin):
    z = signed_rows(separable(margin=margin))
    assert (z @ largest_margin(z)).min() >= margin


@pytest.mark.parametrize("seed", [1, 3])
def test_gradient_descents_loss_falls_as_1_over_t_and_its_angle_as_1_over_log_t(seed):
    # Few rows, and none that is nearly as close as the closest: what these add dies out slowly.
    problem = separable(rows=5, dim=5, margin=0.5, seed=seed)
    z = signed_rows(problem)
    margin = (z @ largest_margin(z)).min()
    rate, t = 2.0, 2000 * np.arange(1, 11)
    with jax.enable_x64(True):
        rows = jax.tree.map(jnp.asarray, problem.train)

        def step(w, _):
            return w - rate * jax.grad(problem.loss)(w, rows, KEY), None

        def record(w, _):
            w = jax.lax.scan(step, w, None, 2000)[0]
            return w, problem.metrics(w, rows)

        run = jax.jit(lambda w: jax.lax.scan(record, w, None, 10)[1])
        measured = jax.tree.map(np.asarray, run(problem.init(KEY)))
    # w grows by log(t) / margin along the largest margin, and each step by the gradient: so the loss is
    # 1 / (margin^2 rate t), and what w has sideways, which settles, fades beside log(t) / margin
    np.testing.assert_allclose(measured["loss"] * t * rate * margin**2, 1, atol=0.003)
    np.testing.assert_allclose(measured["angle"] * np.log(t), measured["angle"][-1] * np.log(t[-1]), rtol=0.04)
    assert 0.05 < measured["angle"][-1] < measured["angle"][0] < 0.2


def test_the_angle_is_a_right_one_at_the_start_and_none_along_the_largest_margin():
    problem = separable(rows=40, dim=4)
    direction = jnp.asarray(largest_margin(signed_rows(problem)))
    with jax.enable_x64(True):
        angle = lambda w: float(problem.metrics(jnp.asarray(w), problem.train)["angle"])  # noqa: E731
        away = np.linalg.svd(np.asarray(direction)[None])[2][1]
        assert angle(np.zeros(4)) == np.pi / 2
        np.testing.assert_allclose(angle(3 * direction), 0, atol=1e-7)
        np.testing.assert_allclose(angle(direction + 1e-3 * away), 1e-3, rtol=1e-3)
        np.testing.assert_allclose(angle(direction - away), np.pi / 4, rtol=1e-6)
        np.testing.assert_allclose(angle(-direction), np.pi, rtol=1e-6)


def test_the_loss_falls_to_0_along_the_largest_margin_and_stays_finite():
    problem = separable()
    direction = jnp.asarray(largest_margin(signed_rows(problem)))
    losses = [float(problem.metrics(scale * direction, problem.train)["loss"]) for scale in (0.0, 1.0, 10.0, 1e8)]
    np.testing.assert_allclose(losses[0], np.log(2), rtol=1e-6)
    assert losses[0] > losses[1] > losses[2] > losses[3] == 0
