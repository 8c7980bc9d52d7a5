"""What every problem must do, over each family's default and a few variants."""

from dataclasses import replace
from functools import cache

import jax
import jax.numpy as jnp
import numpy as np
import pytest
from scipy.optimize import minimize

from optbench import problems

VARIANTS = [
    ("quadratic", {"rotated": False, "spectrum": "powerlaw", "dim": 7}),
    ("quadratic", {"noise": 0.5, "dim": 7}),
    ("quadratic", {"dim": 1, "condition": 1}),
    ("linear_regression", {"data": "synthetic", "rows": 60, "dim": 5, "l2": 0.0}),
    ("linear_regression", {"standardize_target": False, "test_fraction": 0.0}),
    ("logistic_regression", {"data": "iris"}),
    ("mlp", {"data": "wine", "depth": 2, "width": 8, "activation": "gelu", "init_scale": 2.0}),
    ("noisy_quadratic", {"dim": 3, "covariance": "isotropic", "power": 0.0}),
    ("online_regression", {"dim": 2, "condition": 1, "noise": 0.0, "drift": 0.01}),
    ("power_law_regression", {"dim": 7, "streaming": True}),
    ("power_law_regression", {"dim": 7, "rotated": False}),
    ("adversarial_sequence", {"period": 2, "spike": 1.5, "shuffled": True}),
    ("separable", {"rows": 9, "dim": 3, "margin": 2.0}),
    ("matrix_factorization", {"rows": 3, "columns": 4, "rank": 2, "tail": 0.5, "imbalance": 2.0}),
    ("deep_linear", {"depth": 1, "dim": 3, "init": "aligned"}),
    ("deep_linear", {"depth": 3, "dim": 2, "init": "orthogonal", "init_scale": 0.5}),
    ("pca", {"data": "iris"}),
    ("pca", {"data": "digits", "components": 3, "streaming": True}),
    ("autoencoder", {"activation": "identity", "data": "wine", "width": 4, "bottleneck": 2, "standardize": True}),
    ("mlp", {"depth": 0, "label_noise": 0.3, "standardize": False}),
    ("mlp", {"width": 8, "depth": 2, "normalization": "layer", "dropout": 0.2, "mixup": 0.5, "augmentation": 2}),
    ("mlp", {"data": "iris", "width": 4, "label_noise": 2 / 3, "label_smoothing": 0.1, "activation": "tanh"}),
    ("cnn", {"width": 2, "residual": True, "normalization": "layer", "dropout": 0.2, "activation": "gelu"}),
    ("bbob", {"function": 20, "dim": 3, "instance": 2}),
    ("bbob", {"function": 22, "dim": 2}),
    ("embedding", {"vocabulary": 20, "classes": 2, "width": 3, "rank": 3, "exponent": 0.0}),
    ("mixture", {"modes": 3, "components": 4}),
    ("cell_capacity", {"rows": 64, "depth": 2, "width": 8, "noise": 0.0}),
    ("pinn", {"boundary": "hard", "depth": 1, "points": 12, "width": 8}),
    ("test_function", {"name": "helical_valley", "noise": 0.5}),
    ("test_function", {"name": "ackley", "dim": 3}),
    ("test_function", {"name": "brown_dennis"}),
    ("saddle", {"dim": 3, "negative_directions": 3, "rotated": False}),
    ("saddle", {"start": "on", "noise": 0.01, "dim": 5}),
    ("plateau", {"dim": 2, "radius": 1.2}),
    ("rnn", {"cell": "lstm", "task": "markov", "length": 6, "width": 8, "symbols": 3, "order": 2}),
    ("rnn", {"cell": "gru", "task": "copy", "length": 2, "width": 8, "recurrent_scale": 0.9}),
    (
        "transformer",
        {"task": "markov", "norm": "post", "tied": True, "layers": 1, "width": 8, "context": 8, "symbols": 3},
    ),
    ("transformer", {"task": "modular_addition", "symbols": 7, "layers": 1, "width": 8}),
]


def _cases():
    """Take every family at its default, at both ends of its ladder, and the variants above, each once.

    What is compiled for a case serves all its tests: they go to one process. The ends of a ladder, which are other
    numbers in the same code, take a third of the time and are for whoever has it.
    """
    ends = [(name, given) for name in problems.families() for given in problems.rungs(name)[::2]]
    cases = {}
    for name, given in [(name, {}) for name in problems.families()] + VARIANTS + ends:
        label = f"{name}[{','.join(f'{k}={v}' for k, v in given.items())}]"
        same = (name, *sorted({**problems.parameters(problems.factory(name)), **given}.items()))
        marks = [pytest.mark.long] if (name, given) in ends else []
        cases.setdefault(same, pytest.param((name, given), id=label, marks=marks))
    return cases.values()


KEY = jax.random.key(0)


@pytest.fixture(autouse=True)
def _strict_ranks():
    with jax.numpy_rank_promotion("raise"):
        yield


@pytest.fixture(params=_cases(), scope="module")
def problem(request):
    name, given = request.param
    made = problems.factory(name)(**given)
    sample = None if made.sample is None else jax.jit(made.sample, static_argnums=1)
    jitted = {"init": jax.jit(made.init), "loss": jax.jit(made.loss), "metrics": jax.jit(made.metrics)}
    return replace(made, sample=sample, **jitted)


@cache
def gradient_of(loss):
    """Compile a loss with its gradient, once for all tests."""
    return jax.jit(jax.value_and_grad(loss))


@cache
def train_loss_of(metrics):
    """Compile what `metrics` calls loss with its gradient, once for all tests."""
    return jax.jit(jax.value_and_grad(lambda params, rows: metrics(params, rows)["loss"]))


def train_rows(problem):
    return () if problem.train is None else problem.train


def some_batch(problem, size=16):
    if problem.sample is not None:
        return problem.sample(KEY, size, jnp.zeros((), int))
    return jax.tree.map(lambda rows: jnp.asarray(rows[:size]), train_rows(problem))


def ravel(tree):
    """Lay arrays end to end, and say how to take them apart again: in numpy, where nothing is compiled for a shape."""
    leaves, structure = jax.tree.flatten(jax.device_get(tree))
    ends = np.cumsum([leaf.size for leaf in leaves])[:-1]

    def unravel(flat):
        parts = np.split(np.asarray(flat, leaves[0].dtype), ends)
        shaped = [part.reshape(leaf.shape) for part, leaf in zip(parts, leaves, strict=True)]
        return jax.tree.unflatten(structure, shaped)

    return np.concatenate([leaf.ravel() for leaf in leaves]), unravel


def near_init(problem, seed=0):
    """Draw a point off the start, where convex problems are at 0."""
    flat, unravel = ravel(problem.init(jax.random.key(seed)))
    return unravel(flat + 0.1 * np.random.default_rng(seed).standard_normal(flat.shape))


def every(tree, condition):
    return all(condition(leaf) for leaf in jax.tree.leaves(tree))


@pytest.mark.parametrize("x64", [False, True], ids=["float32", "float64"])
def test_everything_has_the_precision_of_the_run(problem, x64):
    dtype = jnp.float64 if x64 else jnp.float32
    with jax.enable_x64(x64):
        params = problem.init(KEY)
        assert every(params, lambda leaf: leaf.dtype == dtype and np.isfinite(leaf).all())
        loss = problem.loss(params, some_batch(problem), KEY)
        assert loss.shape == () and loss.dtype == dtype and np.isfinite(loss)
        # Shapes alone: they need no compiling.
        _, gradient = jax.eval_shape(gradient_of(problem.loss), params, some_batch(problem), KEY)
        assert every(gradient, lambda leaf: leaf.dtype == dtype)
        metrics = jax.eval_shape(problem.metrics, params, train_rows(problem))
        assert "loss" in metrics and every(metrics, lambda leaf: leaf.shape == () and leaf.dtype == dtype)


def test_data_is_float64_or_int32_with_one_axis_of_rows(problem):
    for split in [problem.train, problem.test]:
        leaves = jax.tree.leaves(split)
        assert every(split, lambda leaf: isinstance(leaf, np.ndarray) and leaf.dtype in (np.float64, np.int32))
        assert len({len(leaf) for leaf in leaves}) <= 1 and every(split, lambda leaf: len(leaf) > 0)


def test_the_loss_depends_on_its_arguments_alone_and_is_traced_once(problem):
    params, batch = near_init(problem), some_batch(problem)
    first = problem.loss(params, batch, KEY)
    traces = problem.loss._cache_size()
    assert problem.loss(params, batch, KEY) == first != problem.loss(near_init(problem, 3), batch, KEY)
    problem.loss(params, batch, jax.random.key(1))
    assert problem.loss._cache_size() == traces


def test_the_gradient_is_that_of_finite_differences(problem):
    with jax.enable_x64(True):
        batch = some_batch(problem)
        flat, unravel = ravel(near_init(problem))
        direction = np.random.default_rng(5).standard_normal(flat.shape)
        direction /= np.linalg.norm(direction)
        step = 1e-6
        above, below = (problem.loss(unravel(flat + sign * step * direction), batch, KEY) for sign in (1, -1))
        gradient, _ = ravel(gradient_of(problem.loss)(unravel(flat), batch, KEY)[1])
        np.testing.assert_allclose(gradient @ direction, (above - below) / (2 * step), rtol=1e-5, atol=1e-7)


def test_vmap_over_trials_is_a_loop(problem):
    with jax.enable_x64(True):
        keys = jax.random.split(KEY, 3)
        batch = some_batch(problem)
        stacked = jax.device_get(jax.jit(jax.vmap(problem.init))(keys))
        losses = jax.jit(jax.vmap(problem.loss, (0, None, None)))(stacked, batch, KEY)
        looped = [problem.init(key) for key in keys]
        for index, params in enumerate(looped):
            one = jax.tree.map(lambda leaf, index=index: leaf[index], stacked)
            jax.tree.map(lambda a, b: np.testing.assert_allclose(a, b, rtol=1e-12), one, params)
        np.testing.assert_allclose(losses, [problem.loss(p, batch, KEY) for p in looped], rtol=1e-12)


def test_the_loss_on_all_rows_is_the_metric(problem):
    if problem.noisy_loss:
        pytest.skip("its loss has noise")
    with jax.enable_x64(True):
        rows, params = train_rows(problem), near_init(problem)
        np.testing.assert_allclose(problem.loss(params, rows, KEY), problem.metrics(params, rows)["loss"], rtol=1e-12)


def measured(problem, params):
    """Take the metrics of both splits, under the names that targets use."""
    splits = {"train": train_rows(problem), "test": problem.test}
    return {
        f"{split}_{name}": float(value)
        for split, rows in splits.items()
        if rows is not None
        for name, value in problem.metrics(params, rows).items()
    }


def test_targets_are_above_the_optimum_and_not_met_at_the_start(problem):
    start = measured(problem, problem.init(KEY))
    assert problem.targets and set(problem.targets) <= set(start)
    for name, target in problem.targets.items():
        higher = name.partition("_")[2] in problem.higher_is_better
        assert start[name] < target if higher else start[name] > target
    optimum = problem.optimum()
    assert optimum is None or optimum < problem.targets.get("train_loss", np.inf)


def test_metrics_say_which_way_is_better(problem):
    names = set(problem.metrics(near_init(problem), train_rows(problem)))
    assert {name for name in names if "accuracy" in name} <= problem.higher_is_better


def train_loss(problem):
    """Return the train loss with its gradient as a function of flat numpy parameters, and the start."""
    start, unravel = ravel(problem.init(KEY))
    rows = jax.tree.map(jnp.asarray, train_rows(problem))

    def at(x):
        value, gradient = train_loss_of(problem.metrics)(unravel(x), rows)
        return float(value), ravel(gradient)[0]

    return at, start


def test_no_random_point_is_below_the_optimum(problem):
    optimum = problem.optimum()
    if optimum is None:
        pytest.skip("its optimum isn't known")
    with jax.enable_x64(True):
        at, start = train_loss(problem)
        minimiser = start if problem.minimiser is None else ravel(problem.minimiser())[0]
        random = np.random.default_rng(0)
        for centre, spread in [(start, 0.3), (minimiser, 0.3), (minimiser, 1e-3)] * 20:
            assert at(centre + spread * random.standard_normal(start.shape))[0] >= optimum - 1e-12 * abs(optimum)


def test_the_minimiser_is_stationary_and_takes_the_optimum(problem):
    if problem.minimiser is None:
        pytest.skip("it names no minimiser")
    with jax.enable_x64(True):
        value, gradient = train_loss(problem)[0](ravel(problem.minimiser())[0])
        np.testing.assert_allclose(value, problem.optimum(), rtol=1e-9, atol=1e-12)
        assert np.linalg.norm(gradient) < 1e-6


def test_lbfgs_reaches_the_optimum_of_convex_problems(problem, request):
    optimum = problem.optimum()
    if ".convex." not in problems.families()[request.node.callspec.params["problem"][0]] or optimum is None:
        pytest.skip("it isn't convex, or its optimum isn't known")
    with jax.enable_x64(True):
        at, start = train_loss(problem)
        options = {"maxiter": 5000, "maxcor": 30, "ftol": 0.0, "gtol": 1e-9, "maxfun": 20000}
        reached = minimize(at, start, jac=True, method="L-BFGS-B", options=options)
        assert -1e-12 * max(1, optimum) <= reached.fun - optimum < 1e-8 * max(1, optimum)
