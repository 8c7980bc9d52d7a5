"""The optima of the linear models, against textbook formulas and cases with a known answer."""

import jax
import jax.numpy as jnp
import numpy as np
import pytest

from optbench.problems.convex.linear_regression import linear_regression
from optbench.problems.convex.logistic_regression import logistic_regression

#: Train on all rows: none is tested or validated on.
EVERY_ROW = {"test_fraction": 0.0, "validation_fraction": 0.0}
KEY = jax.random.key(0)


def csv(path, rows):
    path.write_text("\n".join(",".join(map(str, row)) for row in rows))
    return str(path)


@pytest.mark.parametrize("l2", [0.0, 0.1])
def test_ridge_by_hand(tmp_path, l2):
    # x is -1, 1 and y is -1, 3: the intercept is 1 and the weight w minimises (2 - w)^2 / 2 + l2 w^2 / 2
    data = csv(tmp_path / "two.csv", [(-1, -1), (1, 3)])
    problem = linear_regression(data=data, l2=l2, standardize_target=False, **EVERY_ROW)
    w = 2 / (1 + l2)
    assert problem.optimum() == pytest.approx((2 - w) ** 2 / 2 + l2 * w**2 / 2, abs=1e-14)


def test_the_intercept_and_biases_are_not_penalised():
    for family in (linear_regression, logistic_regression):
        problem, without = family(l2=1.0), family(l2=0.0)
        params = jax.tree.map(jnp.ones_like, problem.init(KEY))
        penalty = problem.loss(params, problem.train, KEY) - without.loss(params, without.train, KEY)
        np.testing.assert_allclose(penalty, params["weights"].size / 2, rtol=1e-4)


def test_a_minibatch_holds_the_penalty_whole():
    problem = linear_regression(l2=1.0)
    x, y = problem.train
    params = jax.tree.map(jnp.ones_like, problem.init(KEY))
    halves = [problem.loss(params, (x[i::2][:170], y[i::2][:170]), KEY) for i in range(2)]
    whole = problem.loss(params, (x[:340], y[:340]), KEY)
    np.testing.assert_allclose(np.mean(halves), whole, rtol=1e-5)


def test_synthetic_data_has_the_stated_size_and_conditioning():
    raw = {"standardize": False, "standardize_target": False}
    problem = linear_regression(data="synthetic", rows=20000, dim=4, condition=100, noise=0.5, l2=0.0, **raw)
    assert [len(rows[0]) for rows in (problem.train, problem.validation, problem.test)] == [12800, 3200, 4000]
    eigenvalues = np.linalg.eigvalsh(np.cov(problem.train[0].T))
    np.testing.assert_allclose(eigenvalues, np.geomspace(0.01, 1, 4), rtol=0.05)
    assert problem.optimum() == pytest.approx(0.5**2 / 2, rel=0.05)


def test_logistic_optimum_by_hand(tmp_path):
    # x is 1 in 4 rows, of which 3 are of class 1, and the mirror image: the score at x is log 3, the bias 0
    rows = [(1, 1)] * 3 + [(1, 0)] + [(-1, 0)] * 3 + [(-1, 1)]
    problem = logistic_regression(data=csv(tmp_path / "d.csv", rows), l2=0.0, **EVERY_ROW)
    assert problem.optimum() == pytest.approx(-(0.75 * np.log(0.75) + 0.25 * np.log(0.25)), abs=1e-12)


def test_softmax_optimum_by_hand(tmp_path):
    # a feature that says nothing: the best guess is the classes' shares
    rows = [(s, c) for s in (-1, 1) for c, times in (("a", 1), ("b", 2), ("c", 5)) for _ in range(times)]
    problem = logistic_regression(data=csv(tmp_path / "d.csv", rows), l2=0.3, **EVERY_ROW)
    shares = np.array([1, 2, 5]) / 8
    assert problem.optimum() == pytest.approx(-(shares * np.log(shares)).sum(), abs=1e-12)


def test_digits_have_an_optimum_though_pixels_are_constant():
    problem = logistic_regression(data="digits")
    assert 0 < problem.optimum() < problem.targets["train_loss"] < np.log(10) / 10


def test_separable_classes_without_penalty_have_no_optimum(tmp_path):
    data = csv(tmp_path / "d.csv", [(x, x > 0) for x in (-2, -1, 1, 2)])
    assert logistic_regression(data=data, l2=0.0, **EVERY_ROW).optimum() is None
    assert logistic_regression(data=data, l2=0.1, **EVERY_ROW).optimum() > 0


def test_the_loss_keeps_small_values_apart():
    problem = logistic_regression(l2=0.0)
    x, y = np.eye(30)[:1], np.array([1], np.int32)
    params = {"weights": jnp.full(30, 50.0), "bias": jnp.zeros(())}
    np.testing.assert_allclose(problem.loss(params, (x, y), KEY), np.exp(-50), rtol=1e-5)


def test_accuracy_counts_hits():
    problem = logistic_regression()
    params = {"weights": jnp.zeros(30), "bias": jnp.ones(())}
    x, y = problem.test
    assert problem.metrics(params, (x, y))["accuracy"] == pytest.approx(np.mean(y == 1))


def test_the_optimum_is_found_once_and_when_asked(monkeypatch):
    calls = []
    module = "optbench.problems.convex.logistic_regression.smallest_loss"
    monkeypatch.setattr(module, lambda *given: calls.append(given) or 0.5)
    problem = logistic_regression(data="iris")
    assert not calls
    assert problem.optimum() == problem.optimum() == 0.5
    assert problem.targets["train_loss"] == pytest.approx(0.5 + 1e-4 * (np.log(3) - 0.5))
    assert dict(problem.targets).keys() == {"train_loss"} and len(calls) == 1
