"""What every test of the optimizers shares: a small network, and a loop that feeds an update what it needs."""

from functools import partial
from typing import Any, NamedTuple

import jax
import jax.numpy as jnp
import optax
import pytest


class Outcome(NamedTuple):
    params: Any
    state: Any
    gradient_evaluations: Any  # one a step
    scale: Any  # the largest update of all steps


@pytest.fixture(autouse=True)
def _strict_ranks():
    with jax.numpy_rank_promotion("raise"):
        yield


def make_network(dtype):
    """Return the parameters of a network 3-4-2 and 8 examples; the biases are vectors, the weights matrices."""
    keys = jax.random.split(jax.random.key(0), 4)
    params = {
        "hidden": {"weights": jax.random.normal(keys[0], (3, 4), dtype), "biases": jnp.full(4, 0.1, dtype)},
        "output": {"weights": jax.random.normal(keys[1], (4, 2), dtype), "biases": jnp.full(2, 0.1, dtype)},
    }
    return params, (jax.random.normal(keys[2], (8, 3), dtype), jax.random.normal(keys[3], (8, 2), dtype))


def network_loss(params, batch):
    inputs, targets = batch
    hidden = jnp.tanh(inputs @ params["hidden"]["weights"] + params["hidden"]["biases"][None])
    outputs = hidden @ params["output"]["weights"] + params["output"]["biases"][None]
    return jnp.mean((outputs - targets) ** 2)


def feed(needs, loss, params, batch):
    """Return the updates and the extra arguments that an entry with these needs takes."""
    value, grad = jax.value_and_grad(loss)(params, batch)
    extra = {
        "value": value,
        "grad": grad,
        "value_fn": lambda p: loss(p, batch),
        "obj_fn": lambda p: loss(p, batch),
        "grad_fn": lambda p, step: jax.grad(loss)(p, batch),
    }
    if "per_example_grad" in needs:
        grad = jax.vmap(lambda example: jax.grad(loss)(params, jax.tree.map(lambda x: x[None], example)))(batch)
    return grad, extra


def train(optimizer, build, params, batch, loss, learning_rate, steps, **hyperparameters):
    """Run `build(learning_rate, ...)` as the sweep does: built anew inside each step.

    Updates get every extra argument, needed or not, unless `build` is the entry's own.
    """
    if "seed" in optimizer.needs:
        hyperparameters.setdefault("seed", jnp.uint32(7))

    def step(carry, _):
        params, state = carry
        updates, extra = feed(optimizer.needs, loss, params, batch)
        if build is optimizer.build:
            extra = {name: extra[name] for name in extra.keys() & optimizer.needs}
        transformation = optax.with_extra_args_support(build(learning_rate, **hyperparameters))
        updates, state = transformation.update(updates, state, params, **extra)
        largest = jnp.max(jnp.stack([jnp.max(jnp.abs(u)) for u in jax.tree.leaves(updates)]))
        evaluations = jnp.asarray(optimizer.gradient_evaluations(state), jnp.int32)
        return (optax.apply_updates(params, updates), state), (evaluations, largest)

    state = build(learning_rate, **hyperparameters).init(params)
    (params, state), (evaluations, largest) = jax.lax.scan(step, (params, state), length=steps)
    return Outcome(params, state, evaluations, jnp.max(largest))


@pytest.fixture(name="make_network")
def _make_network():
    return make_network


@pytest.fixture(name="network_loss")
def _network_loss():
    return network_loss


@pytest.fixture
def compiled():
    """Return `jit` for programs that run once: without LLVM's optimizations.

    `scripts/test` chooses the emitters that compile fastest, where this release of jax still has the choice.
    """
    return partial(jax.jit, compiler_options={"xla_backend_optimization_level": 0})


@pytest.fixture(name="train")
def _train():
    return train
