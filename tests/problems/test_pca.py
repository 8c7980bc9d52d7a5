"""Floor, saddles, samples and directions of pca are those of the covariance."""

import jax
import jax.numpy as jnp
import numpy as np
import pytest

from optbench.problems.data import load
from optbench.problems.landscapes.pca import pca

SMALL = {"components": 2, "dim": 5, "gap": 0.2}
#: Two at 1, then (1 - gap) over 1, 2, 3.
EIGENVALUES = [1, 1, 0.8, 0.4, 0.8 / 3]
KEY = jax.random.key(0)


def covariance(problem, dim):
    """At W = 0 the Hessian is -2 C in each column."""
    with jax.enable_x64(True):
        hessian = jax.jit(jax.hessian(problem.loss))(jnp.zeros((dim, 1)), (), KEY)
    return -np.asarray(hessian)[:, 0, :, 0] / 2


def test_synthetic_data_have_the_stated_eigenvalues():
    found = covariance(pca(**SMALL | {"components": 1}), 5)
    np.testing.assert_allclose(np.linalg.eigvalsh(found)[::-1], [1, 0.8, 0.4, 0.8 / 3, 0.2], rtol=1e-9)
    assert pca(**SMALL).optimum() == pytest.approx(sum(EIGENVALUES[2:]) / 2)


@pytest.mark.parametrize("streaming", [True, False])
def test_digits_have_the_floor_of_a_singular_value_decomposition(streaming):
    rows = load("digits").x
    singular = np.linalg.svd(rows - rows.mean(axis=0), compute_uv=False)
    problem = pca("digits", components=3, streaming=streaming)
    assert problem.optimum() == pytest.approx(0.5 * np.sum(singular[3:] ** 2) / len(rows), rel=1e-9)
    gap = (singular[2] ** 2 - singular[3] ** 2) / len(rows)
    assert problem.targets["train_loss"] == pytest.approx(problem.optimum() + 0.015 * gap, rel=1e-9)


@pytest.mark.parametrize("which", [(0, 2), (3, 4), (2,), ()], ids=str)
def test_other_eigenvectors_are_strict_saddles_at_the_height_of_what_they_omit(which):
    problem = pca(**SMALL)
    with jax.enable_x64(True):
        vectors = np.linalg.eigh(covariance(pca(**SMALL | {"components": 1}), 5))[1][:, ::-1]
        # the eigenvectors do not depend on the eigenvalues, and here all of these differ
        point = np.zeros((5, 2))
        point[:, : len(which)] = vectors[:, which]
        look = jax.jit(lambda w: (problem.loss(w, (), KEY), jax.grad(problem.loss)(w, (), KEY)))
        value, gradient = look(point)
        np.testing.assert_allclose(value, np.delete(EIGENVALUES, which).sum() / 2, rtol=1e-9)
        assert np.abs(gradient).max() < 1e-9
        hessian = jax.jit(jax.hessian(problem.loss))(point, (), KEY).reshape(10, 10)
        assert np.linalg.eigvalsh(hessian)[0] < -0.1


@pytest.mark.parametrize("angle", [0.1, 0.5])
def test_misalignment_is_a_squared_sine_and_costs_the_gap(angle):
    problem = pca(**SMALL)
    with jax.enable_x64(True):
        vectors = np.linalg.eigh(covariance(pca(**SMALL | {"components": 1}), 5))[1][:, ::-1]
        turned = np.c_[vectors[:, 0], np.cos(angle) * vectors[:, 1] + np.sin(angle) * vectors[:, 2]]
        # any basis of the same plane will do
        spin = np.linalg.qr(np.random.RandomState(0).standard_normal((2, 2)))[0]
        metrics = {name: float(value) for name, value in jax.jit(problem.metrics)(turned @ spin, ()).items()}
    np.testing.assert_allclose(metrics["misalignment"], np.sin(angle) ** 2 / 2, rtol=1e-9)
    np.testing.assert_allclose(metrics["loss"] - problem.optimum(), 0.2 * np.sin(angle) ** 2 / 2, rtol=1e-9)
    # the target, 0.005 times 2 times 0.2, is where the mean squared sine is 0.01
    assert (metrics["loss"] < problem.targets["train_loss"]) == (np.sin(angle) ** 2 / 2 < 0.01)


def test_the_descent_direction_at_orthonormal_columns_is_ojas_rule():
    problem = pca(**SMALL, streaming=True)
    with jax.enable_x64(True):
        w = np.linalg.qr(np.random.RandomState(1).standard_normal((5, 2)))[0]
        x = np.asarray(problem.sample(KEY, 16, 0))
        oja = np.mean([np.outer(row, row @ w) - w @ np.outer(row @ w, row @ w) for row in x], axis=0)
        np.testing.assert_allclose(-jax.jit(jax.grad(problem.loss))(w, x, KEY), oja, rtol=1e-9, atol=1e-12)


def test_fresh_samples_have_the_covariance_and_the_loss_as_their_mean():
    problem = pca(**SMALL, streaming=True)
    x = np.asarray(problem.sample(KEY, 50_000, 0), np.float64)
    exact = covariance(pca(**SMALL), 5)
    # an entry is the mean of 50,000 products whose variance is at most 2
    np.testing.assert_allclose(x.T @ x / len(x), exact, atol=4 * (2 / len(x)) ** 0.5)
    w = np.asarray(problem.init(KEY))
    each = 0.5 * np.sum((x - x @ w @ w.T) ** 2, axis=1)
    assert abs(each.mean() - float(problem.metrics(w, ())["loss"])) < 4 * each.std() / len(x) ** 0.5
    assert problem.loss(w, x.astype(np.float32), KEY) == pytest.approx(each.mean(), rel=1e-4)
    assert (problem.sample(jax.random.key(1), 3, 0) != problem.sample(KEY, 3, 0)).all()


def test_each_kind_of_run_gets_its_batches():
    assert pca().batch_size == "full" and pca().num_rows == 1
    assert pca(streaming=True).batch_size == 32 and pca(streaming=True).num_rows == 0
    assert pca("digits").num_rows == 1 and pca("digits", streaming=True).num_rows == 1797


def test_a_small_gap_slows_gradient_descent_down():
    def steps(gap):
        problem = pca(gap=gap)

        def step(w, _):
            loss, gradient = jax.value_and_grad(problem.loss)(w, (), KEY)
            return w - 0.3 * gradient, loss

        losses = jax.jit(lambda w: jax.lax.scan(step, w, None, problem.steps)[1])(problem.init(KEY))
        assert losses[-1] < problem.targets["train_loss"]
        return int(np.argmax(np.asarray(losses) < problem.targets["train_loss"]))

    assert 2 * steps(0.5) < steps(0.05)
