"""Floor, plateaus and sharpness of matrix factorization are those of the singular values."""

import jax
import jax.numpy as jnp
import numpy as np
import pytest
from jax.flatten_util import ravel_pytree
from scipy.optimize import minimize

from optbench.problems.landscapes.matrix_factorization import matrix_factorization

SMALL = {"rows": 6, "columns": 5, "rank": 3, "condition": 4.0}
SINGULAR = [1, 0.5, 0.25]
KEY = jax.random.key(0)


def flat_loss(problem):
    flat, unravel = ravel_pytree(problem.minimiser())
    return (lambda x: problem.loss(unravel(x), (), KEY)), flat


def fitted(problem, which):
    """Keep those columns of the minimiser, and put zeros in place of the others."""
    mask = np.isin(np.arange(3), which)
    return {name: factor * mask for name, factor in problem.minimiser().items()}


def descend(problem, start, rate, steps):
    def step(params, _):
        loss, gradient = jax.value_and_grad(problem.loss)(params, (), KEY)
        return jax.tree.map(lambda p, g: p - rate * g, params, gradient), loss

    return np.asarray(jax.jit(lambda start: jax.lax.scan(step, start, None, steps)[1])(start))


@pytest.mark.parametrize(("rows", "columns"), [(6, 5), (5, 6)])
def test_the_matrix_has_the_stated_singular_values(rows, columns):
    problem = matrix_factorization(**SMALL | {"rows": rows, "columns": columns, "tail": 0.4})
    with jax.enable_x64(True):

        @jax.jit
        @jax.vmap
        def column(pick):
            # the gradient in U is (U V' - M) V: at U = 0 that is minus the column of M that V picks
            factors = {"left": jnp.zeros((rows, 3)), "right": jnp.zeros((columns, 3)).at[:, 0].set(pick)}
            return -jax.grad(problem.loss)(factors, (), KEY)["left"][:, 0]

        matrix = column(np.eye(columns))
    np.testing.assert_allclose(np.linalg.svd(matrix)[1], [*SINGULAR, 0.1, 0.1], rtol=1e-9)


def test_no_factors_of_that_rank_come_closer_than_eckart_young():
    problem = matrix_factorization(**SMALL, tail=0.4)
    assert problem.optimum() == pytest.approx(0.5 * (0.1**2 + 0.1**2))
    with jax.enable_x64(True):
        loss = jax.jit(jax.value_and_grad(flat_loss(problem)[0]))
        for seed in range(3):
            start = np.random.RandomState(seed).standard_normal(33)
            reached = minimize(lambda x: jax.tree.map(np.asarray, loss(x)), start, jac=True, options={"gtol": 1e-9})
            np.testing.assert_allclose(reached.fun, problem.optimum(), rtol=1e-9)


@pytest.mark.parametrize("tail", [0.0, 0.4])
def test_partial_factorizations_are_strict_saddles_at_the_height_of_what_is_omitted(tail):
    problem = matrix_factorization(**SMALL, tail=tail)
    with jax.enable_x64(True):
        loss, _ = flat_loss(problem)
        look = jax.jit(lambda x: (loss(x), jax.grad(loss)(x), jax.hessian(loss)(x)))
        for which in [(), (0,), (1,), (0, 1), (0, 2), (1, 2)]:
            value, gradient, hessian = look(ravel_pytree(fitted(problem, which))[0])
            omitted = [s for index, s in enumerate(SINGULAR) if index not in which]
            np.testing.assert_allclose(value, 0.5 * np.sum(np.square([*omitted, tail / 4, tail / 4])), rtol=1e-12)
            assert np.abs(gradient).max() < 1e-12
            # an unused column of U and V turns toward the largest singular value left, with curvature minus that
            np.testing.assert_allclose(np.linalg.eigvalsh(hessian)[0], -omitted[0], rtol=1e-9)


@pytest.mark.parametrize("scale", [1.0, 2.0])
def test_sharpness_is_the_top_of_the_hessian_at_a_minimum(scale):
    problem = matrix_factorization(**SMALL)
    with jax.enable_x64(True):
        loss, _ = flat_loss(problem)
        least = problem.minimiser()
        point = {"left": scale * jnp.asarray(least["left"]), "right": jnp.asarray(least["right"]) / scale}
        top = np.linalg.eigvalsh(jax.jit(jax.hessian(loss))(ravel_pytree(point)[0]))[-1]
        np.testing.assert_allclose(top, scale**2 + scale**-2, rtol=1e-9)
        np.testing.assert_allclose(problem.metrics(point, ())["sharpness"], top, rtol=1e-9)


def test_gradient_descent_stays_at_the_flattest_minimum_up_to_a_step_of_2_over_its_sharpness():
    problem = matrix_factorization(**SMALL)
    with jax.enable_x64(True):
        least, unravel = ravel_pytree(problem.minimiser())
        start = unravel(least + 1e-3 * np.random.RandomState(0).standard_normal(least.shape))
        below, above = (descend(problem, start, rate, 300) for rate in (0.97, 1.03))
    assert below[-1] < 1e-9 < below[0] < 1e-3 < above[100:].max()


def test_a_small_start_passes_by_the_plateaus():
    problem = matrix_factorization(**SMALL, init_scale=1e-4)
    heights = [0.5 * sum(s**2 for s in SINGULAR[fitted:]) for fitted in range(3)]
    losses = descend(problem, problem.init(KEY), 0.3, 300)
    for height in heights:
        assert np.sum(np.abs(losses / height - 1) < 0.02) >= 5


def test_imbalance_scales_the_factors_apart_and_leaves_their_product():
    even, odd = (matrix_factorization(**SMALL, imbalance=b).init(KEY) for b in (1.0, 8.0))
    np.testing.assert_allclose(odd["left"], 8 * even["left"], rtol=1e-6)
    np.testing.assert_allclose(odd["right"], even["right"] / 8, rtol=1e-6)


def test_gradient_descent_reaches_the_target_in_the_default_steps_and_not_where_it_is_badly_conditioned():
    for condition, reached in [(10.0, True), (100.0, False)]:
        problem = matrix_factorization(condition=condition)
        losses = descend(problem, problem.init(KEY), 0.3, problem.steps)
        assert (losses[-1] < problem.targets["train_loss"]) == reached
