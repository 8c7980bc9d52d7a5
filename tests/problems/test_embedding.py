"""Tokens come with Zipf frequencies, and the floor is the entropy of the truth."""

import jax
import jax.numpy as jnp
import numpy as np
import pytest
from scipy.special import softmax

from optbench.problems.networks.embedding import embedding

KEY = jax.random.key(0)
SMALL = {"vocabulary": 6, "classes": 3, "width": 4, "rank": 2, "sharpness": 2.0}


def truth(problem):
    """Read the true distribution of classes off the minimiser."""
    best = problem.minimiser()
    return softmax(best["table"] @ best["head"] + best["bias"], axis=1)


def test_frequencies_by_hand():
    problem = embedding(vocabulary=3, classes=2, width=2, rank=1)
    # 1, 1/2 and 1/3 over their sum, 11/6
    p = truth(problem)
    entropy = -np.sum(p * np.log(p), axis=1)
    assert problem.optimum() == pytest.approx((6 * entropy[0] + 3 * entropy[1] + 2 * entropy[2]) / 11, rel=1e-12)


def test_guessing_costs_the_logarithm_of_the_classes():
    problem = embedding(**SMALL)
    metrics = jax.jit(problem.metrics)(jax.tree.map(jnp.zeros_like, problem.init(KEY)), ())
    assert metrics == {"loss": pytest.approx(np.log(3), rel=1e-6), "balanced_loss": pytest.approx(np.log(3), rel=1e-6)}


def test_the_target_leaves_a_twentieth_between_the_entropy_and_guessing():
    problem = embedding(classes=8)
    entropy = problem.optimum()
    assert problem.targets == {"train_loss": pytest.approx(0.95 * entropy + 0.05 * np.log(8))}


def test_exponent_0_weighs_all_tokens_alike():
    problem = embedding(exponent=0.0, **SMALL)
    metrics = problem.metrics(problem.init(KEY), ())
    np.testing.assert_allclose(metrics["loss"], metrics["balanced_loss"], rtol=1e-6)


@pytest.mark.parametrize("exponent", [0.0, 1.0, 2.0])
def test_samples_have_the_stated_frequencies_and_classes(exponent):
    problem, draws = embedding(exponent=exponent, **SMALL), 200_000
    tokens, labels = problem.sample(KEY, draws, jnp.zeros((), int))
    frequency = np.arange(1, 7.0) ** -exponent / np.sum(np.arange(1, 7.0) ** -exponent)
    joint = frequency[:, None] * truth(problem)
    counts = np.zeros((6, 3))
    np.add.at(counts, (np.asarray(tokens), np.asarray(labels)), 1)
    errors = (counts - draws * joint) / np.sqrt(draws * joint * (1 - joint))
    assert np.abs(errors).max() < 4.5


def test_the_mean_loss_of_samples_is_the_metric():
    problem, draws = embedding(**SMALL), 100_000
    params = jax.tree.map(lambda leaf: leaf + 0.3, problem.init(KEY))
    parts = jax.tree.map(lambda rows: rows.reshape(100, -1), problem.sample(KEY, draws, jnp.zeros((), int)))
    losses = jax.vmap(lambda batch: problem.loss(params, batch, KEY))(parts)
    assert abs(losses.mean() - problem.metrics(params, ())["loss"]) < 4 * losses.std() / 10


def test_rows_of_absent_tokens_have_no_gradient():
    problem = embedding(**SMALL)
    batch = jnp.array([0, 2, 2], jnp.int32), jnp.array([1, 0, 2], jnp.int32)
    gradient = jax.grad(problem.loss)(problem.init(KEY), batch, KEY)["table"]
    assert [bool(row.any()) for row in gradient] == [True, False, True, False, False, False]


def test_a_heavier_tail_leaves_more_to_rows_that_are_seldom_seen():
    def share_seldom_seen(exponent):
        frequency = np.arange(1, 1025.0) ** -exponent
        frequency /= frequency.sum()
        return frequency[64 * frequency < 0.25].sum()

    # the docstring's "almost half" at exponent 1, and hardly anything at 2
    assert share_seldom_seen(2.0) < 0.1 < share_seldom_seen(1.5) < 0.35
    assert 0.4 < share_seldom_seen(1.0) < 0.5
