"""The autoencoder's shapes and formula, and the floor of the linear one."""

import itertools

import jax
import numpy as np
import pytest
from sklearn.decomposition import PCA

from optbench.problems.networks.autoencoder import autoencoder

KEY = jax.random.key(0)


@pytest.mark.parametrize("depth", [0, 1, 3])
def test_depth_counts_hidden_layers_of_each_half(depth):
    params = jax.eval_shape(autoencoder(depth=depth, width=9, bottleneck=4).init, KEY)
    sizes = [64, *[9] * depth, 4]
    for half, path in [("encoder", sizes), ("decoder", sizes[::-1])]:
        assert [layer["kernel"].shape for layer in params[half].values()] == list(itertools.pairwise(path))


@pytest.mark.parametrize("activation", ["relu", "identity"])
def test_the_network_is_the_formula(activation):
    problem = autoencoder(activation=activation, depth=1)
    with jax.enable_x64(True):
        params = jax.tree.map(np.asarray, jax.jit(problem.init)(KEY))
        x = problem.test[:20]
        act = {"relu": lambda h: np.maximum(h, 0), "identity": lambda h: h}[activation]
        y = x
        for half in ("encoder", "decoder"):
            first, last = params[half].values()
            y = act(y @ first["kernel"] + first["bias"]) @ last["kernel"] + last["bias"]
        expected = np.mean(np.sum((y - x) ** 2, axis=1))
        np.testing.assert_allclose(jax.jit(problem.metrics)(params, x)["loss"], expected, rtol=1e-12)


def linear_solution(rows, components):
    """Project on the mean and the principal components, as parameters of an autoencoder without hidden layers."""
    centre, basis = rows.mean(axis=0), PCA(components, svd_solver="full").fit(rows).components_
    return {
        "encoder": {0: {"kernel": basis.T, "bias": -centre @ basis.T}},
        "decoder": {0: {"kernel": basis, "bias": centre}},
    }


@pytest.mark.parametrize("standardize", [True, False])
def test_the_linear_floor_is_that_of_principal_components(standardize):
    problem = autoencoder(depth=0, bottleneck=5, standardize=standardize)
    rows = problem.train
    fitted = PCA(5, svd_solver="full").fit(rows)
    residual = rows - fitted.inverse_transform(fitted.transform(rows))
    assert problem.optimum() == pytest.approx(np.mean(np.sum(residual**2, axis=1)), rel=1e-9)
    with jax.enable_x64(True):
        solution = linear_solution(rows, 5)
        value, gradient = jax.jit(jax.value_and_grad(problem.loss))(solution, rows, KEY)
        np.testing.assert_allclose(value, problem.optimum(), rtol=1e-9)
        assert max(np.abs(leaf).max() for leaf in jax.tree.leaves(gradient)) < 1e-9


def test_a_linear_one_is_as_narrow_as_its_narrowest_layer():
    narrow = autoencoder(activation="identity", width=3, bottleneck=8)
    assert narrow.optimum() == autoencoder(depth=0, bottleneck=3).optimum() > autoencoder(depth=0).optimum()


def test_the_target_is_to_beat_principal_components_where_that_can_be():
    linear = autoencoder(activation="identity")
    assert linear.targets["train_loss"] == pytest.approx(1.1 * linear.optimum())
    assert autoencoder().targets["train_loss"] == linear.optimum() and autoencoder().optimum() is None


def test_init_scale_multiplies_the_matrices_alone():
    one, three = (jax.jit(autoencoder(depth=0, init_scale=scale).init)(KEY) for scale in (1.0, 3.0))
    for a, b in zip(jax.tree.leaves(one), jax.tree.leaves(three), strict=True):
        np.testing.assert_allclose(b, 3 * a, rtol=1e-6)
    np.testing.assert_allclose(one["encoder"][0]["kernel"].std(), 1 / 8, rtol=0.05)
