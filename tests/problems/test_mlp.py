"""The network's shapes, its initial scale, its label noise and its precision."""

import itertools

import jax
import jax.numpy as jnp
import numpy as np
import pytest
from flax import nnx

from optbench.problems.data import classification, load
from optbench.problems.networks._classification import _shifts
from optbench.problems.networks.mlp import Mlp, mlp

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


def test_layer_normalisation_comes_before_the_activation():
    problem = mlp(normalization="layer", width=8, activation="tanh", init_scale=3.0)
    with jax.enable_x64(True):
        params = problem.init(KEY)
        x, y = problem.test
        (b1, w1), (b2, w2) = [(layer["bias"], layer["kernel"]) for layer in params["layers"].values()]
        hidden = np.asarray(x @ w1 + b1)
        hidden = (hidden - hidden.mean(1, keepdims=True)) / np.sqrt(hidden.var(1, keepdims=True) + 1e-6)
        logits = np.tanh(hidden) @ w2 + b2
        nats = np.log(np.exp(logits).sum(1)) - logits[np.arange(len(y)), y]
        np.testing.assert_allclose(problem.metrics(params, (x, y))["loss"], nats.mean(), rtol=1e-9)


def test_random_labels_tell_nothing_and_ask_for_a_third_of_their_nats():
    problem, clean = mlp(label_noise=0.9), mlp()
    agree = (problem.train[1] == clean.train[1]).mean()
    assert agree == pytest.approx(0.1, abs=1e-3)
    # of 1438 labels, the true class of which is 7, each class has about as many
    counts = np.bincount(problem.train[1][clean.train[1] == 7], minlength=10)
    assert counts.min() > 0.04 * counts.sum() and counts.max() < 0.2 * counts.sum()
    assert problem.targets == {"train_loss": pytest.approx(1.5350567)}


REGULARISERS = [{"dropout": 0.5}, {"label_smoothing": 0.1}, {"mixup": 1.0}, {"augmentation": 1}]


@pytest.mark.parametrize("given", REGULARISERS, ids=str)
def test_regularisers_change_the_training_loss_and_no_metric(given):
    problem, clean = mlp(**given), mlp()
    params, batch = clean.init(KEY), clean.train
    assert problem.noisy_loss and not clean.noisy_loss
    assert problem.metrics(params, batch) == clean.metrics(params, batch)
    losses = [float(problem.loss(params, batch, jax.random.key(seed))) for seed in range(2)]
    assert abs(losses[0] - clean.loss(params, batch, KEY)) > 1e-4
    assert (losses[0] == losses[1]) == ("label_smoothing" in given)


def test_label_smoothing_mixes_in_the_uniform_distribution():
    problem, clean = mlp(label_smoothing=0.2), mlp()
    params, (x, _) = clean.init(KEY), clean.train
    nats = [clean.loss(params, (x, np.full(len(x), label)), KEY) for label in range(10)]
    loss = problem.loss(params, (x, np.full(len(x), 3)), KEY)
    np.testing.assert_allclose(loss, 0.8 * nats[3] + 0.2 * np.mean(nats), rtol=1e-6)
    # who says 0.82 for the true class and 0.02 for each of nine others loses -log 0.82 on it
    assert problem.targets["train_loss"] == pytest.approx(0.01 - np.log(0.82))


def test_dropout_keeps_a_share_of_hidden_units_and_their_mean():
    problem = mlp(dropout=0.25, depth=1, width=5, activation="relu")
    params = jax.tree.map(jnp.zeros_like, problem.init(KEY))
    # each unit is 1 and adds to the first class: e**units of it against nine
    params["layers"][0]["bias"] = jnp.ones(5)
    params["layers"][1]["kernel"] = params["layers"][1]["kernel"].at[:, 0].set(0.75)
    row = (np.zeros((1, 64)), np.zeros(1, int))
    keys = jax.random.split(KEY, 4000)
    losses = np.asarray(jax.vmap(lambda key: problem.loss(params, row, key))(keys))
    units = np.log(9 / np.expm1(losses))
    np.testing.assert_allclose(units, units.round(), atol=1e-4)
    # binomial with mean 5 x 0.75 and variance 5 x 0.75 x 0.25
    assert abs(units.mean() - 3.75) < 4 * (0.9375 / 4000) ** 0.5 and abs(units.var() / 0.9375 - 1) < 0.1
    assert problem.metrics(params, row)["loss"] == pytest.approx(np.log1p(9 * np.exp(-3.75)), rel=1e-6)


def test_mixup_weighs_two_rows_and_their_labels_alike():
    # With a linear model whose weights are 0, the loss is log 10 whatever is mixed; with a bias it is linear in the
    # share: rows of class 0 and 1 lose a and b, and a mixture of both loses share a + (1 - share) b.
    problem = mlp(depth=0, mixup=0.4)
    params = jax.tree.map(jnp.zeros_like, problem.init(KEY))
    params["layers"][0]["bias"] = jnp.zeros(10).at[0].set(2.0)
    rows = (np.zeros((2, 64)), np.array([0, 1]))
    a, b = (float(problem.metrics(params, (rows[0], np.full(2, label)))["loss"]) for label in (0, 1))
    losses = [float(problem.loss(params, rows, jax.random.key(seed))) for seed in range(3)]
    np.testing.assert_allclose(losses, (a + b) / 2, rtol=1e-6)
    # features: a weight on the first class makes it quadratic in the share
    params["layers"][0]["kernel"] = params["layers"][0]["kernel"].at[0, 0].set(4.0)
    rows = (np.eye(2, 64), np.array([0, 1]))
    keys = jax.random.split(KEY, 2000)
    drawn = np.asarray(jax.vmap(lambda key: problem.loss(params, rows, key))(keys))

    def loss(share):
        logit = np.stack([2 + 4 * share, 2 + 4 * (1 - share)])
        total = np.log(np.exp(logit) + 9)
        return (total - np.stack([share, 1 - share]) * logit).mean(axis=0)

    shares = np.random.RandomState(0).beta(0.4, 0.4, 200_000)
    np.testing.assert_allclose(
        np.quantile(drawn, [0.2, 0.5, 0.8]), np.quantile(loss(shares), [0.2, 0.5, 0.8]), rtol=0.05
    )


def test_shifts_move_the_raw_image_and_fill_in_zeros():
    split = classification(load("digits"), standardize=True, test_fraction=0.2)
    raw = classification(load("digits"), standardize=False, test_fraction=0.2).train[0]
    with jax.enable_x64(True):
        rows = jnp.asarray(split.train[0][:9])
        moved = np.asarray(_shifts(split, 1)(rows, jnp.arange(9) / 9 + 0.01))
    moves = [(dy, dx) for dy in (-1, 0, 1) for dx in (-1, 0, 1)]
    varies = split.spread > 0
    for row, (dy, dx) in enumerate(moves):
        expected = np.zeros((10, 10))
        expected[1 - dy : 9 - dy, 1 - dx : 9 - dx] = raw[row].reshape(8, 8)
        expected = (expected[1:9, 1:9].ravel() - split.mean)[varies] / split.spread[varies]
        np.testing.assert_allclose(moved[row, varies], expected, atol=1e-12)
    assert (moved[:, ~varies] == 0).all()
    np.testing.assert_allclose(moved[4], split.train[0][4], atol=1e-12)


def test_the_module_maps_any_sizes():
    network = Mlp([3, 4, 2], "tanh", nnx.Rngs(0))
    assert network(jnp.zeros((5, 3))).shape == (5, 2)


def test_a_batch_is_no_larger_than_the_training_set():
    assert mlp().batch_size == 128
    assert mlp(data="iris").batch_size == 96
    assert mlp(data="iris", validation_fraction=0.0).batch_size == 120
