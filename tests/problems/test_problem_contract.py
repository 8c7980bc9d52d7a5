"""What every problem must do, over each family's default and a few variants."""

import jax
import jax.numpy as jnp
import numpy as np
import pytest
from jax.flatten_util import ravel_pytree
from scipy.optimize import minimize

import problems

VARIANTS = [
    ("quadratic", {"rotated": False, "spectrum": "powerlaw", "dim": 7}),
    ("quadratic", {"noise": 0.5, "dim": 7}),
    ("quadratic", {"dim": 1, "condition": 1}),
    ("linear_regression", {"data": "synthetic", "rows": 60, "dim": 5, "l2": 0.0}),
    ("linear_regression", {"standardize_target": False, "test_fraction": 0.0}),
    ("logistic_regression", {"data": "iris"}),
    ("mlp", {"data": "wine", "depth": 2, "width": 8, "activation": "gelu", "init_scale": 2.0}),
    ("mlp", {"depth": 0, "label_noise": 0.3, "standardize": False}),
]
CASES = [(name, {}) for name in problems.families()] + VARIANTS
IDS = [f"{name}[{','.join(f'{k}={v}' for k, v in given.items())}]" for name, given in CASES]
KEY = jax.random.key(0)


@pytest.fixture(params=CASES, ids=IDS, scope="module")
def problem(request):
    name, given = request.param
    return problems.factory(name)(**given)


def some_batch(problem, size=16):
    if problem.sample is not None:
        return problem.sample(KEY, size, jnp.zeros((), int))
    return jax.tree.map(lambda rows: jnp.asarray(rows[:size]), problem.train if problem.train is not None else ())


def near_init(problem, seed=0):
    """Draw a point off the start, where convex problems are at 0."""
    flat, unravel = ravel_pytree(jax.jit(problem.init)(jax.random.key(seed)))
    return unravel(flat + 0.1 * jax.random.normal(jax.random.key(seed + 1), flat.shape, flat.dtype))


def every(tree, condition):
    return all(condition(leaf) for leaf in jax.tree.leaves(tree))


@pytest.mark.parametrize("x64", [False, True], ids=["float32", "float64"])
def test_everything_has_the_precision_of_the_run(problem, x64):
    dtype = jnp.float64 if x64 else jnp.float32
    with jax.enable_x64(x64), jax.numpy_rank_promotion("raise"):
        params = jax.jit(problem.init)(KEY)
        assert every(params, lambda leaf: leaf.dtype == dtype and np.isfinite(leaf).all())
        loss, gradient = jax.jit(jax.value_and_grad(problem.loss))(params, some_batch(problem), KEY)
        assert loss.shape == () and loss.dtype == dtype and np.isfinite(loss)
        assert every(gradient, lambda leaf: leaf.dtype == dtype)
        metrics = problem.metrics(params, problem.train if problem.train is not None else ())
        assert "loss" in metrics and every(metrics, lambda leaf: leaf.shape == () and leaf.dtype == dtype)


def test_data_is_float64_with_whole_labels(problem):
    for x, y in filter(None, [problem.train, problem.test]):
        assert x.dtype == np.float64 and y.dtype in (np.float64, np.int32) and len(x) == len(y) > 0
        assert isinstance(x, np.ndarray)


def test_the_loss_depends_on_its_arguments_alone(problem):
    params, batch, loss = near_init(problem), some_batch(problem), jax.jit(problem.loss)
    assert loss(params, batch, KEY) == loss(params, batch, KEY)
    assert loss(params, batch, KEY) != loss(near_init(problem, 3), batch, KEY)


def test_the_gradient_is_that_of_finite_differences(problem):
    with jax.enable_x64(True):
        batch = some_batch(problem)
        flat, unravel = ravel_pytree(near_init(problem))
        loss = jax.jit(lambda x: problem.loss(unravel(x), batch, KEY))
        direction = jax.random.normal(jax.random.key(5), flat.shape)
        direction /= jnp.linalg.norm(direction)
        step = 1e-6
        slope = (loss(flat + step * direction) - loss(flat - step * direction)) / (2 * step)
        np.testing.assert_allclose(jax.grad(loss)(flat) @ direction, slope, rtol=1e-5, atol=1e-7)


def test_vmap_over_trials_is_a_loop(problem):
    with jax.enable_x64(True), jax.numpy_rank_promotion("raise"):
        keys = jax.random.split(KEY, 3)
        batch = some_batch(problem)
        init, loss = jax.jit(problem.init), jax.jit(problem.loss)
        stacked = jax.jit(jax.vmap(problem.init))(keys)
        losses = jax.jit(jax.vmap(problem.loss, (0, None, None)))(stacked, batch, KEY)
        looped = [init(key) for key in keys]
        for index, params in enumerate(looped):
            one = jax.tree.map(lambda leaf, index=index: leaf[index], stacked)
            jax.tree.map(lambda a, b: np.testing.assert_allclose(a, b, rtol=1e-12), one, params)
        np.testing.assert_allclose(losses, [loss(p, batch, KEY) for p in looped], rtol=1e-12)


def test_the_loss_on_all_rows_is_the_metric(problem):
    if problem.noisy_loss:
        pytest.skip("its loss has noise")
    with jax.enable_x64(True):
        rows, params = problem.train if problem.train is not None else (), near_init(problem)
        np.testing.assert_allclose(problem.loss(params, rows, KEY), problem.metrics(params, rows)["loss"], rtol=1e-12)


def test_targets_lie_between_the_start_and_the_optimum(problem):
    params = problem.init(KEY)
    start = problem.metrics(params, problem.train if problem.train is not None else ())["loss"]
    assert next(iter(problem.targets)) == "train_loss"
    assert (problem.optimum() or 0.0) < problem.targets["train_loss"] < start


def test_nothing_goes_below_the_optimum_and_lbfgs_reaches_it(problem):
    optimum = problem.optimum()
    if optimum is None:
        pytest.skip("its optimum isn't known")
    with jax.enable_x64(True):
        rows = problem.train if problem.train is not None else ()
        flat, unravel = ravel_pytree(problem.init(KEY))
        loss = jax.jit(jax.value_and_grad(lambda x: problem.metrics(unravel(x), rows)["loss"]))
        for seed in range(20):
            point = flat + 0.3 * jax.random.normal(jax.random.key(seed), flat.shape)
            assert loss(point)[0] >= optimum
        options = {"maxiter": 2000, "maxcor": 30, "ftol": 0.0, "gtol": 1e-9, "maxfun": 10000}
        reached = minimize(
            lambda x: jax.tree.map(np.asarray, loss(x)), flat, jac=True, method="L-BFGS-B", options=options
        )
        assert -1e-12 * max(1, optimum) <= reached.fun - optimum < 1e-8 * max(1, optimum)
