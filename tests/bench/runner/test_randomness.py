"""Whether anything random reaches a trial: what is trained once, and what for every seed."""

from dataclasses import replace

import jax
import jax.numpy as jnp
import numpy as np
import pytest

from optbench.optimizers import catalogue
from optbench.problems import factory
from optbench.problems.problem import Problem
from optbench.runner.randomness import is_random
from optbench.sweep import devices
from optbench.sweep.problem_data import prepare
from optbench.sweep.step import Recipe

CPU = jax.devices("cpu")[0]


def still(**changes):
    """Return least squares on rows from one start, changed in one way."""
    rows = np.random.default_rng(0).normal(size=(12, 3))
    plain = Problem(
        init=lambda key: jnp.ones(3),
        loss=lambda params, rows, key: jnp.mean((rows @ params - 1) ** 2),
        metrics=lambda params, rows: {"loss": jnp.mean((rows @ params - 1) ** 2)},
        source="by hand",
        train=rows,
    )
    return replace(plain, **changes)


def noisy_loss(params, rows, key):
    return still().loss(params, rows, key) + 1e-3 * params[0] * jax.random.normal(key)


def loss_of_a_loop(params, rows, key):
    return jax.lax.scan(lambda total, row: (total + (row @ params - 1) ** 2, None), 0.0, rows)[0]


@pytest.mark.parametrize(
    ("problem", "optimizer", "batch_size", "expected"),
    [
        (still(), "adam", "full", False),
        (still(), "lbfgs", "full", False),
        (still(loss=loss_of_a_loop), "adam", "full", False),
        (still(), "adam", 4, True),
        (still(), "noisy_sgd", "full", True),
        (still(loss=noisy_loss), "adam", "full", True),
        (still(init=lambda key: jax.random.normal(key, (3,))), "adam", "full", True),
        (factory("linear_regression")(), "adam", "full", False),
        (factory("logistic_regression")(), "sgd", "full", False),
        (factory("quadratic")(dim=4), "sgd", "full", True),
        (factory("quadratic")(dim=4, noise=0.1), "sgd", 4, True),
        (factory("mlp")(width=2), "sgd", 8, True),
    ],
    ids=[
        *("rows", "line-search", "loop", "batches", "optimizer", "loss", "start"),
        *("linear", "logistic", "random-start", "stream", "network"),
    ],
)
def test_something_random_reaches_a_trial(problem, optimizer, batch_size, expected):
    with devices.settings("float32", CPU):
        recipe = Recipe(prepare(problem, "float32", CPU), catalogue()[optimizer], batch_size, 4, 2)
        assert is_random(recipe) is expected
