"""The quadratic is the one it says it is."""

import jax
import jax.numpy as jnp
import numpy as np
import pytest

from optbench.problems.convex.quadratic import quadratic

KEY = jax.random.key(0)
EIGENVALUES = {
    "log": [0.001, 0.01, 0.1, 1],
    "linear": [0.001, 0.334, 0.667, 1],
    "two_cluster": [0.001, 0.001, 1, 1],
    "powerlaw": [4.0**-p for p in [np.log(1000) / np.log(4)]] + [(1000 ** (-np.log(i) / np.log(4))) for i in (3, 2, 1)],
}


@pytest.mark.parametrize("rotated", [True, False], ids=["rotated", "diagonal"])
@pytest.mark.parametrize("spectrum", EIGENVALUES)
def test_the_hessian_has_the_stated_eigenvalues(spectrum, rotated):
    problem = quadratic(dim=4, condition=1000, spectrum=spectrum, rotated=rotated)
    with jax.enable_x64(True):
        hessian = jax.hessian(problem.loss)(jnp.zeros(4), (), KEY)
        np.testing.assert_allclose(np.linalg.eigvalsh(hessian), EIGENVALUES[spectrum], rtol=1e-9)
        assert (np.abs(hessian - np.diag(np.diag(hessian))).max() > 0.01) == rotated


def test_the_gradient_is_hd_and_vanishes_where_f_is_0_9_below_the_origin():
    problem = quadratic(dim=6, seed=3)
    with jax.enable_x64(True):
        gradient = jax.grad(problem.loss)
        hessian = jax.hessian(problem.loss)(jnp.zeros(6), (), KEY)
        minimiser = jnp.linalg.solve(hessian, -gradient(jnp.zeros(6), (), KEY))
        np.testing.assert_allclose(problem.loss(jnp.zeros(6), (), KEY), 0.9, rtol=1e-9)
        assert problem.loss(minimiser, (), KEY) < 1e-20


def test_the_seed_chooses_the_problem_and_the_key_the_start():
    def start(seed, key):
        problem = quadratic(dim=5, seed=seed)
        return problem.loss(jnp.zeros(5), (), KEY), problem.init(jax.random.key(key))

    assert start(0, 0)[0] == start(0, 1)[0] != start(1, 0)[0]
    assert (start(0, 0)[1] != start(0, 1)[1]).all()


@pytest.mark.parametrize("spectrum", EIGENVALUES)
def test_the_start_is_at_1_on_average(spectrum):
    problem = quadratic(dim=20, spectrum=spectrum)
    starts = jax.vmap(problem.init)(jax.random.split(KEY, 4000))
    losses = jax.vmap(lambda x: problem.loss(x, (), KEY))(starts)
    assert abs(losses.mean() - 1) < 4 * losses.std() / 4000**0.5


@pytest.mark.parametrize("batch_size", [1, 16])
def test_the_noise_of_the_gradient_falls_with_the_root_of_the_batch(batch_size):
    problem, exact = quadratic(dim=50, noise=0.5), quadratic(dim=50)
    x = problem.init(KEY)
    batches = jax.vmap(lambda key: problem.sample(key, batch_size, 0))(jax.random.split(KEY, 200))
    assert batches.shape == (200, batch_size, 50)
    gradients = jax.vmap(lambda batch: jax.grad(problem.loss)(x, batch, KEY))(batches)
    errors = gradients - jax.grad(exact.loss)(x, (), KEY)
    # 10000 normal draws: their standard deviation is known to 0.7 %
    assert abs(errors.std() / (0.5 / batch_size**0.5) - 1) < 0.03
    assert problem.metrics(x, ())["loss"] == exact.loss(x, (), KEY)


def test_each_step_draws_noise_of_its_own_key():
    problem = quadratic(noise=1.0)
    assert (problem.sample(KEY, 2, 0) == problem.sample(KEY, 2, 0)).all()
    assert (problem.sample(KEY, 2, 0) != problem.sample(jax.random.key(1), 2, 0)).all()
    assert problem.num_rows == 0 and problem.batch_size == 32 and quadratic().num_rows == 1


def test_momentum_reaches_the_target_in_the_default_steps_and_gradient_descent_does_not():
    problem = quadratic()

    def train(rate, momentum):
        def step(state, _):
            x, velocity = state
            velocity = momentum * velocity + jax.grad(problem.loss)(x, (), KEY)
            return (x - rate * velocity, velocity), None

        start = problem.init(KEY)
        return problem.loss(jax.lax.scan(step, (start, 0 * start), None, problem.steps)[0][0], (), KEY)

    assert train(2.0, 0.9) < problem.targets["train_loss"] < train(1.99, 0.0)
