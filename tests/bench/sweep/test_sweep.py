"""The batched, compiled sweep against a plain Python loop, and the promises that every later table rests on."""

from functools import cache, partial
from itertools import product

import jax
import numpy as np
import optax
import pytest

from optbench import problems
from optbench.optimizers import catalogue
from optbench.sweep.devices import RUN_ONCE
from optbench.sweep.streams import batch_rows, key_data

TRIALS = ("0/select/0", "0/select/1")
STEPS, BATCH = 20, 32


@cache
def mlp():
    return problems.factory("mlp")(width=16)


def plain_step(problem, entry):
    """Write one update as optax's README would: no vmap, no scan, no chunk."""

    def build(rate, seed):
        random = {"seed": seed} if "seed" in entry.needs else {}
        return optax.with_extra_args_support(entry.build(learning_rate=rate, **random))

    @partial(jax.jit, compiler_options=RUN_ONCE)
    def step(params, state, batch, key, rate, seed):
        key = jax.random.wrap_key_data(key)
        fn = lambda p: problem.loss(p, batch, key)  # noqa: E731
        value, gradient = jax.value_and_grad(fn)(params)
        offered = {"value": value, "grad": gradient, "value_fn": fn, "obj_fn": fn}
        offered["grad_fn"] = lambda p, _: jax.grad(fn)(p)
        extra = {name: offered[name] for name in entry.needs & offered.keys()}
        if "per_example_grad" in entry.needs:
            one = lambda row: jax.grad(lambda p: problem.loss(p, jax.tree.map(lambda a: a[None], row), key))  # noqa: E731
            gradient = jax.vmap(lambda row: one(row)(params))(batch)
        updates, state = build(rate, seed).update(gradient, state, params, **extra)
        return optax.apply_updates(params, updates), state

    return build, step


def plain_loop(problem, entry, dtype, rates):
    """Train one trial after another, one step after another; return final train losses [trial, rate]."""
    build, step = plain_step(problem, entry)
    start = jax.jit(lambda params, rate, seed: build(rate, seed).init(params), compiler_options=RUN_ONCE)
    train = jax.tree.map(lambda a: a.astype(jax.dtypes.canonicalize_dtype(a.dtype)), problem.train)
    losses = np.empty((len(TRIALS), len(rates)))
    for (i, trial), (j, rate) in product(enumerate(TRIALS), enumerate(rates.astype(dtype))):
        params = problem.init(jax.random.wrap_key_data(key_data([trial], "init")[0, 0]))
        rows = batch_rows([trial], problem.num_rows, BATCH, 0, STEPS)[:, 0]
        keys = key_data([trial], "loss/0", STEPS)[:, 0]
        seed = key_data([trial], "optimizer")[0, 0, 0].view(np.int32) & np.int32(2**31 - 1)
        state = start(params, rate, seed)
        for t in range(STEPS):
            batch = jax.tree.map(lambda a, now=rows[t]: a[now], train)
            params, state = step(params, state, batch, keys[t], rate, seed)
        shown = params if entry.evaluation_params is None else entry.evaluation_params(state, params)
        losses[i, j] = problem.metrics(shown, train)["loss"]
    return losses


#: Optimizers that amplify rounding, and why; in float64 they agree all the same.
ROUGH = {
    "acprop": "divides by a root of variances with 1e-16 added",
    "lbfgs": "divides by differences of gradients, and its line search branches on comparisons of losses",
}


@pytest.mark.parametrize("name", sorted(catalogue()))
def test_every_optimizer_equals_its_plain_loop(train, name):
    entry = catalogue()[name]
    dtype = "float64" if name in ROUGH else "float32"
    rates = np.geomspace(*entry.learning_rates, 3)[:2]
    curves = train(
        mlp(), entry, {"learning_rate": rates}, STEPS, dtype=dtype, batch_size=BATCH, record_every=7, trials=TRIALS
    )
    with jax.enable_x64(dtype == "float64"), jax.default_matmul_precision("highest"):
        expected = plain_loop(mlp(), entry, dtype, rates)
    tolerance = 1e-9 if dtype == "float64" else 1e-5
    np.testing.assert_allclose(curves.metrics["train_loss"][..., -1], expected, rtol=tolerance)


def test_the_same_seed_twice_gives_the_same_bits(train):
    options = {"dtype": "float32", "batch_size": BATCH, "trials": TRIALS}
    first, second = (train(mlp(), catalogue()["adamw"], {"learning_rate": [1e-3, 1e-2]}, 12, **options) for _ in "ab")
    np.testing.assert_array_equal(first.metrics["train_loss"], second.metrics["train_loss"])
    np.testing.assert_array_equal(first.batch_loss, second.batch_loss)
    assert (first.metrics["train_loss"][0] != first.metrics["train_loss"][1]).all()


@pytest.mark.parametrize("every", [3, 4, 50])
def test_records_are_taken_after_their_step_whatever_the_chunk(train, every):
    options = {"batch_size": BATCH, "trials": TRIALS}
    dense = train(mlp(), catalogue()["adam"], {"learning_rate": [1e-2]}, 10, **options)
    sparse = train(mlp(), catalogue()["adam"], {"learning_rate": [1e-2]}, 10, record_every=every, **options)
    assert sparse.step.tolist() == [*range(0, 10, every), 10]
    # XLA unrolls a loop of one turn, and then sums in another order.
    np.testing.assert_allclose(sparse.metrics["train_loss"], dense.metrics["train_loss"][..., sparse.step], rtol=1e-12)
    np.testing.assert_allclose(sparse.step_loss, dense.step_loss, rtol=1e-12)
    for record in range(1, len(sparse.step)):
        begin, end = sparse.step[record - 1], sparse.step[record]
        np.testing.assert_allclose(sparse.batch_loss[..., record], dense.step_loss[..., begin:end].mean(-1), rtol=1e-12)


def test_the_first_loss_is_that_of_the_initial_parameters_on_the_first_batch(train):
    problem = mlp()
    curves = train(problem, catalogue()["adam"], {"learning_rate": [1e-2]}, 3, batch_size=BATCH, trials=TRIALS[:1])
    with jax.enable_x64(True):
        params = problem.init(jax.random.wrap_key_data(key_data(TRIALS[:1], "init")[0, 0]))
        rows = batch_rows(TRIALS[:1], problem.num_rows, BATCH, 0, 1)[0, 0]
        loss = problem.loss(params, jax.tree.map(lambda a: a[rows], problem.train), jax.random.key(0))
    assert curves.step_loss[0, 0, 0] == pytest.approx(float(loss), rel=1e-12)


@pytest.mark.parametrize("parts", [2, 3])
def test_points_split_for_memory_give_the_same_curves(train, parts):
    rates = {"learning_rate": np.geomspace(1e-3, 1e-1, 5)}
    options = {"batch_size": BATCH, "trials": TRIALS}
    whole = train(mlp(), catalogue()["adam"], rates, 8, **options)
    split = train(mlp(), catalogue()["adam"], rates, 8, parts=parts, **options)
    np.testing.assert_allclose(split.metrics["train_loss"], whole.metrics["train_loss"], rtol=1e-12)


def test_a_small_memory_limit_splits_the_points(train):
    from optbench.sweep import devices
    from optbench.sweep.problem_data import prepare
    from optbench.sweep.step import Recipe
    from optbench.sweep.sweep import Points, compile_sweep

    device = jax.devices()[0]
    with devices.settings("float32", device):
        recipe = Recipe(prepare(mlp(), "float32", device), catalogue()["adam"], BATCH, 4, 2)
        points = Points({"learning_rate": np.geomspace(1e-3, 1e-1, 12)}, np.zeros(12, int), np.ones((4, 1)))
        whole = compile_sweep(recipe, points, TRIALS, 2**40)
        split = compile_sweep(recipe, points, TRIALS, whole.memory_bytes // 2)
    assert whole.num_points == 12
    assert split.num_points < 12
    assert split.memory_bytes <= whole.memory_bytes // 2


def test_gradient_evaluations_count_what_the_optimizer_asks_for(train):
    counts = {
        name: train(mlp(), catalogue()[name], {"learning_rate": [1e-2]}, 4, batch_size=BATCH).gradient_evaluations
        for name in ("adam", "sam", "lbfgs")
    }
    assert counts["adam"][0, 0].tolist() == [0, 1, 2, 3, 4]
    assert counts["sam"][0, 0].tolist() == [0, 2, 4, 6, 8]
    assert (np.diff(counts["lbfgs"][0, 0]) >= 2).all()


@pytest.mark.parametrize("family", ["linear_regression", "logistic_regression"])
def test_convex_runs_never_end_below_the_optimum(train, family):
    problem = problems.factory(family)(test_fraction=0.0, validation_fraction=0.0)
    rates = np.geomspace(*catalogue()["sgd"].learning_rates, 5)
    curves = train(problem, catalogue()["lbfgs"], {"learning_rate": [1.0]}, 60, record_every=10)
    descent = train(problem, catalogue()["sgd"], {"learning_rate": rates}, 60, record_every=10)
    best = min(np.nanmin(curves.metrics["train_loss"]), np.nanmin(descent.metrics["train_loss"]))
    assert best - problem.optimum() + 1e-12 * abs(problem.optimum()) >= 0
    assert np.nanmin(curves.metrics["train_loss"]) == pytest.approx(problem.optimum(), rel=1e-9)


def test_bfloat16_keeps_parameters_in_float32_and_computes_in_bfloat16(train):
    options = {"batch_size": BATCH, "record_every": 20}
    rough = train(mlp(), catalogue()["adam"], {"learning_rate": [1e-2]}, 20, dtype="bfloat16", **options)
    exact = train(mlp(), catalogue()["adam"], {"learning_rate": [1e-2]}, 20, dtype="float32", **options)
    off = np.abs(rough.metrics["train_loss"] / exact.metrics["train_loss"] - 1).max()
    # bfloat16 keeps 8 bits: about half a percent; the same bits would mean that nothing was cast.
    assert 0 < off < 0.05
