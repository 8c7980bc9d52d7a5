"""The printed lines build what the suite trained: same updates, step by step."""

import jax
import jax.numpy as jnp
import numpy as np
import pytest

from optbench.optimizers import catalogue, decoupled
from optbench.optimizers.optax_lines import optax_lines, schedule_lines
from optbench.sweep.schedules import SHAPES, multipliers

STEPS = 6
PARAMS = {"matrix": jnp.arange(1.0, 7.0).reshape(2, 3) / 4, "bias": jnp.array([0.5, -1.0])}
#: What these entries need beside the gradient has no place in a plain loop.
PLAIN = sorted(name for name, entry in catalogue().items() if not entry.needs)


def loss(params):
    return sum(jnp.sum(jnp.cos(leaf) + 0.1 * leaf**2) for leaf in jax.tree.leaves(params))


def trained(update, state):
    params = PARAMS
    for step in range(STEPS):
        updates, state = update(step, jax.grad(loss)(params), state, params)
        params = jax.tree.map(jnp.add, params, updates)
    return params


def run_lines(lines):
    names = {}
    exec("\n".join(lines), names)
    return names


@pytest.mark.parametrize("name", PLAIN)
@pytest.mark.parametrize(("schedule", "warmup", "decay"), [("linear", 0.5, 0.1), ("constant", 0.0, 0.0)])
def test_the_lines_build_what_was_trained(name, schedule, warmup, decay):
    settings = {"learning_rate": 0.1, "weight_decay": decay}
    optimizer = run_lines(optax_lines(name, settings, schedule, warmup, STEPS))["optimizer"]
    rates = 0.1 * multipliers(schedule, warmup, STEPS)
    build = decoupled(catalogue()[name])
    expected = trained(lambda step, *rest: build(rates[step], decay).update(*rest), build(0.1, decay).init(PARAMS))
    result = trained(lambda step, *rest: optimizer.update(*rest), optimizer.init(PARAMS))
    for one, other in zip(jax.tree.leaves(result), jax.tree.leaves(expected), strict=True):
        np.testing.assert_allclose(one, other, rtol=1e-5, atol=1e-6)


@pytest.mark.parametrize("name", SHAPES)
@pytest.mark.parametrize("warmup", [0.0, 0.2])
def test_the_schedule_is_that_of_the_sweep(name, warmup):
    schedule = run_lines(["import optax", *schedule_lines(0.3, name, warmup, 50)])["schedule"]
    np.testing.assert_allclose([schedule(step) for step in range(50)], 0.3 * multipliers(name, warmup, 50), 1e-5, 1e-7)


def test_hyperparameters_stand_in_the_call():
    lines = optax_lines("sgd_momentum", {"learning_rate": 0.1, "momentum": 0.5}, "constant", 0.0, 10)
    assert lines == ["import optax", "", "optimizer = optax.sgd(0.1, momentum=0.5)"]
    lines = optax_lines("adamw", {"learning_rate": 0.1, "weight_decay": 0.01, "b1": 0.8}, "constant", 0.0, 10)
    assert lines[-1] == "optimizer = optax.adamw(0.1, b1=0.8, weight_decay=0.01)"


@pytest.mark.parametrize(
    ("name", "comment"),
    [
        ("schedule_free_sgd", "# evaluate at optax.contrib.schedule_free_eval_params(state, params), not at "),
        ("polyak_sgd", "# its update takes value=... besides"),
    ],
)
def test_what_a_training_loop_must_do_besides_is_said(name, comment):
    assert optax_lines(name, {"learning_rate": 0.1}, "constant", 0.0, 10)[-1].startswith(comment)
    assert not any(line.startswith("#") for line in optax_lines("adam", {"learning_rate": 0.1}, "constant", 0.0, 10))
