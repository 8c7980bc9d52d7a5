"""The loops that are timed: steps of one unbatched trial, and the gradient that every step pays."""

from collections.abc import Callable, Mapping
from math import lcm
from typing import Any, NamedTuple

import jax
import jax.numpy as jnp
import numpy as np
from jaxtyping import Array, PyTree

from optbench.sweep import devices
from optbench.sweep.problem_data import Prepared
from optbench.sweep.step import Recipe, build, lifted_loss, take_rows, write_update
from optbench.sweep.streams import key_data
from optbench.timing import flops

#: Batches that a timed trial cycles through: enough that none is still in a cache by luck alone.
BATCHES = 64
#: The trial that is timed.
TRIAL = "0/timing/0"


class Loop(NamedTuple):
    """One step of a loop, (arguments, carry, index) -> carry, with its arguments and its first carry."""

    call: Callable
    arguments: Any
    start: PyTree
    #: Floating-point operations of one step.
    flops: int
    #: Steps after which the work repeats.
    period: int = 1


def training_loop(recipe: Recipe, hyperparameters: Mapping[str, float], restart: int | None = None) -> Loop:
    """Return the loop that trains one trial: batch, loss, gradient, update. Call inside `devices.settings(...)`.

    It begins again after every `restart` steps: at the optimum the steps of a line search take longer than on the way.
    """
    prepared = recipe.prepared
    loss, update = write_update(recipe)
    dtype = jax.dtypes.canonicalize_dtype(np.float64)
    values = {name: np.asarray(value, dtype) for name, value in hyperparameters.items()}
    seed = np.int32(key_data([TRIAL], "optimizer")[0, 0, 0] & (2**31 - 1))
    params = prepared.init_one(key_data([TRIAL], "init")[0, 0])
    transformation = build(recipe.optimizer, recipe.settings(values), seed)
    state = jax.jit(transformation.init, compiler_options=devices.RUN_ONCE)(params)
    batches = _draw_batches(prepared, recipe.batch_size)

    def call(arguments: Any, carry: PyTree, index: Array) -> PyTree:
        constants, data, batches, values, seed, first = arguments
        *trained, _ = carry
        if restart is not None:
            index = index % restart
            trained = jax.lax.cond(index == 0, lambda: first, lambda: trained)
        batch, key = _batch(prepared, recipe.batch_size, data, batches, index)
        return update(constants, *trained, batch, key, values, seed)

    # What is trained: the parameters, the optimizer's state and the model's.
    begin = [params, state, prepared.state_one(key_data([TRIAL], "init")[0, 0])]
    arguments = (loss.constants, prepared.train, batches, values, seed, None if restart is None else begin)
    value = jax.eval_shape(call, arguments, (*begin, None), np.int32(0))[-1]
    start = (*begin, jnp.zeros((), value.dtype))
    period = recipe.optimizer.period({**recipe.static, **hyperparameters})
    operations = flops.count(call, arguments, start, np.int32(0), period=period)
    return Loop(call, arguments, start, operations, lcm(period, restart or 1))


def gradient_loop(prepared: Prepared, batch_size: Any) -> Loop:
    """Return the loop that computes the loss and its gradient at fixed parameters: what every step pays."""
    lifted = lifted_loss(prepared, prepared.batch(batch_size))
    key = key_data([TRIAL], "init")[0, 0]
    params, state = prepared.init_one(key), prepared.state_one(key)

    def call(arguments: Any, carry: PyTree, index: Array) -> PyTree:
        constants, data, batches, params, state = arguments
        # Tied to the trip, so that nothing that depends on the parameters alone moves out of the loop.
        params, index = jax.lax.optimization_barrier((params, index))
        batch, key = _batch(prepared, batch_size, data, batches, index)
        key = jax.random.wrap_key_data(key)
        return jax.value_and_grad(lambda p: lifted.call(constants, p, batch, key, state)[0])(params)

    arguments = (lifted.constants, prepared.train, _draw_batches(prepared, batch_size), params, state)
    start = jax.tree.map(lambda a: jnp.zeros(a.shape, a.dtype), jax.eval_shape(call, arguments, None, np.int32(0)))
    return Loop(call, arguments, start, flops.count(call, arguments, start, np.int32(0)))


def _draw_batches(prepared: Prepared, batch_size: Any) -> tuple[PyTree, Array]:
    """Return the inputs of BATCHES batches, and their keys, with a leading axis [batch]."""
    inputs = prepared.inputs([TRIAL], batch_size, 0, BATCHES), prepared.keys([TRIAL], 0, BATCHES)
    return jax.tree.map(lambda a: a[:, 0], inputs)


def _batch(prepared: Prepared, batch_size: Any, data: Any, batches: tuple[Any, Any], index: Array) -> tuple[Any, Array]:
    inputs, key = jax.tree.map(lambda a: jax.lax.dynamic_index_in_dim(a, index % BATCHES, keepdims=False), batches)
    if prepared.problem.sample is not None:
        return inputs, key
    return data if batch_size == "full" else take_rows(data, inputs), key
