"""The network's shapes, its initial scale, its label noise and its precision."""

import itertools

import jax
import jax.numpy as jnp
import numpy as np
import pytest

from problems.networks.mlp import mlp

KEY = jax.random.key(0)


def kernels(params):
    return [leaf for leaf in jax.tree.leaves(params) if leaf.ndim == 2]


@pytest.mark.parametrize("depth", [0, 1, 3])
def test_depth_counts_hidden_layers(depth):
    shapes = [kernel.shape for kernel in kernels(mlp(depth=depth, width=5).init(KEY))]
    sizes = [64, *[5] * depth, 10]
    assert shapes == list(itertools.pairwise(sizes))


def test_init_scale_multiplies_the_matrices_alone():
    one, three = mlp().init(KEY), mlp(init_scale=3.0).init(KEY)
    for a, b in zip(jax.tree.leaves(one), jax.tree.leaves(three), strict=True):
        np.testing.assert_allclose(3 * a, b, rtol=1e-6)
    np.testing.assert_allclose(kernels(one)[0].std(), 1 / 8, rtol=0.05)
    assert all((leaf == 0).all() for leaf in jax.tree.leaves(one) if leaf.ndim == 1)


def test_parameters_are_plain_arrays_in_dicts():
    params = mlp().init(KEY)
    assert type(params) is dict
    assert all(isinstance(leaf, jax.Array) for leaf in jax.tree.leaves(params))


@pytest.mark.parametrize("activation", ["relu", "gelu", "tanh", "silu"])
def test_the_network_is_the_formula(activation):
    problem = mlp(activation=activation, width=8)
    with jax.enable_x64(True):
        params = problem.init(KEY)
        x, y = problem.test
        (b1, w1), (b2, w2) = [(layer["bias"], layer["kernel"]) for layer in params["layers"].values()]
        logits = np.asarray(getattr(jax.nn, activation)(x @ w1 + b1) @ w2 + b2)
        nats = np.log(np.exp(logits).sum(1)) - logits[np.arange(len(y)), y]
        metrics = problem.metrics(params, (x, y))
        np.testing.assert_allclose(metrics["loss"], nats.mean(), rtol=1e-12)
        np.testing.assert_allclose(metrics["accuracy"], (logits.argmax(1) == y).mean(), rtol=1e-12)


def test_label_noise_changes_that_share_of_the_training_labels():
    clean, noisy = mlp(), mlp(label_noise=0.25)
    changed = clean.train[1] != noisy.train[1]
    assert changed.sum() == round(0.25 * len(changed))
    shifts = (noisy.train[1] - clean.train[1])[changed] % 10
    # nine other classes, about 40 labels each
    assert np.bincount(shifts, minlength=10)[0] == 0 and np.bincount(shifts, minlength=10)[1:].min() > 15
    assert (clean.test[1] == noisy.test[1]).all() and (clean.train[0] == noisy.train[0]).all()
    assert (noisy.train[1] == mlp(label_noise=0.25).train[1]).all()


def test_the_target_adds_what_label_noise_hides():
    # two labels in ten are drawn from nine others: -0.8 log 0.8 - 0.2 log(0.2 / 9)
    assert mlp(label_noise=0.2).targets["train_loss"] == pytest.approx(0.01 + 0.17851 + 0.76133, abs=1e-5)
    assert mlp().targets["train_loss"] == pytest.approx(0.01)


def test_bfloat16_multiplies_in_bfloat16_and_sums_in_float32():
    problem = mlp()
    params = jax.tree.map(lambda leaf: leaf.astype(jnp.bfloat16), problem.init(KEY))
    batch = (jnp.zeros((4, 64), jnp.bfloat16), jnp.zeros(4, int))
    jaxpr = jax.make_jaxpr(jax.value_and_grad(problem.loss))(params, batch, KEY)
    text = str(jaxpr)
    products = [line for line in text.splitlines() if "dot_general[" in line]
    assert len(products) >= 4 and all("bf16[" in line for line in products)
    assert jaxpr.out_avals[0].dtype == jnp.float32
    assert all("f32" in line for line in text.splitlines() if " log " in line)


def test_a_batch_is_no_larger_than_the_training_set():
    assert mlp().batch_size == 128
    assert mlp(data="iris").batch_size == 120
