"""The network's derivatives are exact, and the known solution solves the equation."""

import jax
import jax.numpy as jnp
import numpy as np
import pytest
from jax.flatten_util import ravel_pytree
from scipy.optimize import minimize

from optbench.problems.networks._dense import apply_layers, draw_layers
from optbench.problems.networks.pinn import derivatives, exact, pinn, source_term

KEY = jax.random.key(0)


def constant_network(problem, value):
    """Set all to 0 but the last bias, so that the network is the same everywhere."""
    params = jax.tree.map(jnp.zeros_like, problem.init(KEY))
    params[-1]["bias"] = params[-1]["bias"] + value
    return params


@pytest.mark.parametrize("frequency", [1, 2, 5])
def test_the_known_solution_has_no_residual_and_vanishes_at_both_ends(frequency):
    with jax.enable_x64(True):
        x, step = np.linspace(0.1, 0.9, 7), 1e-4
        around = [exact(x + shift, frequency) for shift in (-step, 0, step)]
        curvature = (around[0] - 2 * around[1] + around[2]) / step**2
        np.testing.assert_allclose(-curvature, source_term(x, frequency), rtol=1e-4, atol=1e-2)
        np.testing.assert_allclose(exact(np.array([0.0, 1.0]), frequency), 0, atol=1e-12)


@pytest.mark.parametrize("depth", [1, 3])
def test_derivatives_through_the_layers_are_those_of_autodiff(depth):
    with jax.enable_x64(True):
        layers = draw_layers(KEY, [1, *[7] * depth, 1])
        layers = jax.tree.map(lambda leaf: leaf + 0.1, layers)
        x = jnp.linspace(0, 1, 5)

        def network(at):
            return apply_layers(layers, at[None, None])[0, 0]

        expected = [jax.vmap(f)(x) for f in (network, jax.grad(network), jax.grad(jax.grad(network)))]
        for got, want in zip(derivatives(layers, x[:, None]), expected, strict=True):
            np.testing.assert_allclose(got[:, 0], want, rtol=1e-10, atol=1e-12)


def test_zero_has_loss_and_error_of_1():
    for boundary in ("soft", "hard"):
        problem = pinn(boundary=boundary)
        metrics = jax.jit(problem.metrics)(constant_network(problem, 0.0), ())
        assert metrics == {"loss": pytest.approx(1, rel=1e-6), "error": pytest.approx(1, rel=1e-6)}


def test_a_constant_pays_at_a_soft_boundary_alone():
    problem = pinn(boundary_weight=3.0)
    # no curvature, so that the residual is f; and 3 x 2^2 at both ends
    assert jax.jit(problem.metrics)(constant_network(problem, 2.0), ())["loss"] == pytest.approx(1 + 12, rel=1e-6)


def test_a_hard_boundary_makes_a_parabola_of_a_constant():
    problem = pinn(boundary="hard", frequency=1, points=4)
    # u = 2 x (1 - x) has u'' = -4 everywhere
    f = source_term(np.array([0.125, 0.375, 0.625, 0.875]), 1)
    metrics = jax.jit(problem.metrics)(constant_network(problem, 2.0), ())
    assert metrics["loss"] == pytest.approx(np.mean((f - 4) ** 2) / np.mean(f**2), rel=1e-5)
    x = np.linspace(0, 1, 101)
    wrong = 2 * x * (1 - x) - exact(x, 1)
    assert metrics["error"] == pytest.approx(np.linalg.norm(wrong) / np.linalg.norm(exact(x, 1)), rel=1e-5)


def test_what_has_no_residual_is_the_solution():
    problem = pinn(frequency=1, width=10, points=24, boundary="hard")
    with jax.enable_x64(True):
        flat, unravel = ravel_pytree(problem.init(KEY))
        loss = jax.jit(jax.value_and_grad(lambda x: problem.loss(unravel(x), (), KEY)))
        options = {"maxiter": 150, "maxcor": 30, "ftol": 0.0}
        reached = minimize(
            lambda x: jax.tree.map(np.asarray, loss(x)), flat, jac=True, method="L-BFGS-B", options=options
        )
        assert reached.fun < 1e-4
        assert problem.metrics(unravel(jnp.asarray(reached.x)), ())["error"] < 1e-2
