"""The cells are their formulas, and gradients through time vanish where they should."""

import jax
import jax.numpy as jnp
import numpy as np
import pytest

from optbench.problems.networks.rnn import rnn

KEY = jax.random.key(0)


def sigmoid(x):
    return 1 / (1 + np.exp(-x))


def by_hand(cell, params, x):
    """Run a cell over rows of features, one position after another."""
    params, x = jax.tree.map(np.asarray, (params, x))
    w, b, u = params["input"]["kernel"], params["input"]["bias"], params["recurrent"]["kernel"]
    h = memory = np.zeros((len(x), len(u)))
    outputs = []
    for at in range(x.shape[1]):
        added, fed = x[:, at] @ w + b, h @ u
        if cell == "vanilla":
            h = np.tanh(added + fed)
        elif cell == "gru":
            (a_r, a_z, a_n), (f_r, f_z, f_n) = np.split(added, 3, axis=1), np.split(fed, 3, axis=1)
            z = sigmoid(a_z + f_z)
            h = z * h + (1 - z) * np.tanh(a_n + sigmoid(a_r + f_r) * f_n)
        else:
            i, f, o, g = np.split(added + fed, 4, axis=1)
            memory = sigmoid(f + 1) * memory + sigmoid(i) * np.tanh(g)
            h = sigmoid(o) * np.tanh(memory)
        outputs.append(h @ params["output"]["kernel"] + params["output"]["bias"])
    return np.stack(outputs, axis=1)


@pytest.mark.parametrize("cell", ["vanilla", "gru", "lstm"])
def test_the_loss_is_that_of_the_formula(cell):
    with jax.enable_x64(True), jax.numpy_rank_promotion("raise"):
        adding = rnn(cell=cell, length=5, width=4)
        params, (x, y) = adding.init(KEY), adding.sample(KEY, 3, 0)
        squares = (by_hand(cell, params, x)[:, -1, 0] - y[:, 0]) ** 2
        np.testing.assert_allclose(adding.loss(params, (x, y), KEY), squares.mean(), rtol=1e-12)
        parity = rnn(cell=cell, task="parity", length=5, width=4)
        params, (x, y) = parity.init(KEY), parity.sample(KEY, 3, 0)
        logits = by_hand(cell, params, np.eye(2)[x])[:, 1:]
        nats = np.log(np.exp(logits).sum(-1)) - np.take_along_axis(logits, np.asarray(y)[..., None], 2)[..., 0]
        np.testing.assert_allclose(parity.loss(params, (x, y), KEY), nats.mean(), rtol=1e-12)


@pytest.mark.parametrize(("cell", "blocks"), [("vanilla", 1), ("gru", 3), ("lstm", 4)])
def test_recurrent_matrices_are_orthogonal_times_their_scale(cell, blocks):
    kernel = rnn(cell=cell, width=6, recurrent_scale=0.5).init(KEY)["recurrent"]["kernel"]
    assert kernel.shape == (6, 6 * blocks)
    for block in np.split(np.asarray(kernel), blocks, axis=1):
        np.testing.assert_allclose(block.T @ block, 0.25 * np.eye(6), atol=1e-6)


@pytest.mark.parametrize("recurrent_scale", [0.5, 1.0])
def test_gradients_vanish_by_the_scale_at_every_step(recurrent_scale):
    # near the origin tanh is the identity: what the first number does is multiplied by the scale 15 times
    problem = rnn(length=16, width=8, recurrent_scale=recurrent_scale)
    with jax.enable_x64(True):
        params = problem.init(KEY)
        params["input"] = {"kernel": params["input"]["kernel"] * 1e-6, "bias": jnp.zeros(8)}
        params["output"]["bias"] = jnp.ones(1)
        x, y = jnp.zeros((1, 16, 2)), jnp.zeros((1, 1))
        slopes = jax.grad(lambda x: problem.loss(params, (x, y), KEY))(x)[0, :, 0]
        w, u, v = params["input"]["kernel"][0], params["recurrent"]["kernel"], params["output"]["kernel"][:, 0]
        np.testing.assert_allclose(slopes[0], 2 * w @ np.linalg.matrix_power(u, 15) @ v, rtol=1e-6)
        norm = np.linalg.norm(w @ np.linalg.matrix_power(u, 15)) / np.linalg.norm(w)
        np.testing.assert_allclose(norm, recurrent_scale**15, rtol=1e-6)


@pytest.mark.parametrize(
    ("task", "target"),
    [("adding", 1 / 30), ("copy", 9 * np.log(8) / 28), ("parity", np.log(2) / 10)],
)
def test_the_target_is_a_share_of_what_goes_without_memory(task, target):
    assert rnn(task=task, length=8).targets["train_loss"] == pytest.approx(target)


def test_the_metric_is_measured_on_fixed_rows_whatever_the_key():
    one, other = rnn(task="markov", seed=1), rnn(task="markov", seed=2)
    params = one.init(KEY)
    assert one.metrics(params, ())["loss"] == rnn(task="markov", seed=1).metrics(params, ())["loss"]
    assert one.metrics(params, ())["loss"] != other.metrics(params, ())["loss"]
    assert one.optimum() != other.optimum()


def test_bfloat16_multiplies_in_bfloat16_and_sums_in_float32():
    problem = rnn(task="parity", cell="gru")
    params = jax.tree.map(lambda leaf: leaf.astype(jnp.bfloat16), problem.init(KEY))
    jaxpr = jax.make_jaxpr(jax.value_and_grad(problem.loss))(params, problem.sample(KEY, 4, 0), KEY)
    products = [line for line in str(jaxpr).splitlines() if "dot_general[" in line]
    assert len(products) >= 4 and all("bf16[" in line for line in products)
    assert jaxpr.out_avals[0].dtype == jnp.float32


def test_a_few_steps_of_momentum_learn_a_short_parity():
    problem = rnn(task="parity", length=4, width=16)

    def step(state, key):
        params, velocity = state
        gradient = jax.grad(problem.loss)(params, problem.sample(key, 32, 0), key)
        velocity = jax.tree.map(lambda v, g: 0.9 * v + g, velocity, gradient)
        return (jax.tree.map(lambda p, v: p - 0.2 * v, params, velocity), velocity), None

    start = problem.init(KEY)
    state = (start, jax.tree.map(jnp.zeros_like, start))
    trained = jax.jit(lambda state: jax.lax.scan(step, state, jax.random.split(KEY, 150))[0][0])(state)
    assert problem.metrics(trained, ())["loss"] < problem.targets["train_loss"]
