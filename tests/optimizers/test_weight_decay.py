"""Hold decoupled weight decay to x <- x - learning_rate * weight_decay * x, whatever the optimizer does."""

from dataclasses import replace
from functools import partial

import jax
import jax.numpy as jnp
import numpy as np
import optax
import pytest

from optbench.optimizers import catalogue, decoupled

ENTRIES = catalogue()
RATE, DECAY, STEPS = 0.5, 0.2, 4
#: 0.9 a step: (1 - 0.5 * 0.2)^4
LEFT = 0.6561
#: What doesn't stand still where the gradient is zero, and why.
MOVING = {
    "dadapt_adamw": "divides zero by zero",
    "dpsgd": "adds noise",
    "fromage": "shrinks parameters by itself",
    "noisy_sgd": "adds noise",
    "prodigy": "divides zero by zero",
    "yogi": "its averages start above zero",
}


def flat_loss(params, _):
    """Return zero everywhere, and so a zero gradient."""
    return sum(jnp.sum(0.0 * leaf) for leaf in jax.tree.leaves(params))


@pytest.fixture
def decay_on_flat_ground(train, compiled):
    return partial(_decay_on_flat_ground, train, compiled)


def _decay_on_flat_ground(train, compiled, optimizer, weight_decay, **hyperparameters):
    params = {"vector": jnp.array([1.0, -2.0]), "matrix": jnp.array([[3.0, 4.0], [5.0, -6.0]])}
    batch = jnp.zeros((2, 1))
    run = compiled(
        lambda rate, weight_decay: train(
            optimizer,
            decoupled(optimizer),
            params,
            batch,
            flat_loss,
            rate,
            STEPS,
            weight_decay=weight_decay,
            **hyperparameters,
        )
    )
    return params, run(jnp.float32(RATE), jnp.float32(weight_decay))


@pytest.mark.parametrize("name", [name for name, optimizer in ENTRIES.items() if optimizer.decay != "native"])
def test_shrinks_by_the_rate_where_the_optimizer_stands_still(name, decay_on_flat_ground):
    optimizer = ENTRIES[name]
    _, undecayed = decay_on_flat_ground(optimizer, 0.0)
    assert bool(undecayed.scale < 1e-6) == (name not in MOVING)
    if name in MOVING:
        return
    params, decayed = decay_on_flat_ground(optimizer, DECAY)
    jax.tree.map(
        lambda after, before: np.testing.assert_allclose(after, LEFT * before, rtol=1e-5), decayed.params, params
    )


@pytest.mark.parametrize("name", [name for name, optimizer in ENTRIES.items() if optimizer.decay == "anchored"])
def test_anchored_decay_accumulates_and_wrapped_would_not(name, decay_on_flat_ground):
    # mechanize forgets eps / scale of a displacement a step: only a large eps shows it in few steps.
    settings = {"eps": 1e-6} if name == "mechanize" else {}
    params, outcome = decay_on_flat_ground(replace(ENTRIES[name], decay="wrapped"), DECAY, **settings)
    assert (np.abs(outcome.params["vector"]) > 1.05 * LEFT * np.abs(params["vector"])).all()
    params, outcome = decay_on_flat_ground(ENTRIES[name], DECAY, **settings)
    np.testing.assert_allclose(outcome.params["vector"], LEFT * params["vector"], rtol=1e-5)
    np.testing.assert_allclose(outcome.state.own_params["vector"], params["vector"], rtol=1e-6)


@pytest.mark.parametrize(
    "name",
    [
        name
        for name, optimizer in ENTRIES.items()
        if optimizer.decay == "native" and optimizer.evaluation_params is None
    ],
)
def test_native_decay_means_the_same_as_wrapped(name, make_network, network_loss, train, compiled):
    params, batch = make_network(jnp.float32)
    rate = jnp.float32(ENTRIES[name].learning_rates[1])

    def run(decay, weight_decay):
        optimizer = replace(ENTRIES[name], decay=decay)
        return train(optimizer, decoupled(optimizer), params, batch, network_loss, rate, 5, weight_decay=weight_decay)

    native, wrapped, undecayed = compiled(lambda: (run("native", 5.0), run("wrapped", 5.0), run("native", 0.0)))()
    jax.tree.map(lambda a, b: np.testing.assert_allclose(a, b, rtol=1e-3, atol=1e-5), native.params, wrapped.params)
    differences = jax.tree.map(lambda a, b: np.abs(a - b).max(), native.params, undecayed.params)
    assert min(jax.tree.leaves(differences)) > 1e-4


def test_wrapped_decay_of_one_step_by_hand():
    # x = 2, gradient 3, rate 0.1, decay 0.5: 2 - 0.1 * 3 - 0.1 * 0.5 * 2
    transformation = decoupled(ENTRIES["sgd"])(0.1, 0.5)
    params = jnp.array([2.0])
    updates, _ = transformation.update(jnp.array([3.0]), transformation.init(params), params)
    np.testing.assert_allclose(optax.apply_updates(params, updates), [1.6], rtol=1e-6)


@pytest.mark.parametrize("name", ["schedule_free_adamw", "schedule_free_sgd"])
def test_schedule_free_decays_z_at_y(name):
    # First step: z = y = x = 2 and no gradient, so z <- 2 - 0.1 * 0.5 * 2, and x, its average, equals z.
    optimizer = ENTRIES[name]
    transformation = decoupled(optimizer)(0.1, 0.5)
    params = jnp.array([2.0])
    updates, state = transformation.update(jnp.array([0.0]), transformation.init(params), params)
    params = optax.apply_updates(params, updates)
    np.testing.assert_allclose(state.z, [1.9], rtol=1e-6)
    np.testing.assert_allclose(optimizer.evaluation_params(state, params), [1.9], rtol=1e-6)


def test_updates_see_only_what_the_entry_needs():
    seen = {}

    def build(learning_rate):
        def update(updates, state, params=None, **extra_args):
            seen.update(extra_args)
            return updates, state

        return optax.GradientTransformationExtraArgs(lambda params: (), update)

    optimizer = replace(ENTRIES["sgd"], build=build, needs=frozenset({"value"}))
    decoupled(optimizer)(0.1).update(jnp.zeros(1), (), jnp.zeros(1), value=1.0, obj_fn=None)
    assert seen == {"value": 1.0}
