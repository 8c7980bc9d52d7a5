"""The update alone, on parameter trees of a chosen size and shape: what an optimizer costs if gradients are free."""

from collections.abc import Callable, Mapping
from math import prod
from typing import Any

import jax
import jax.numpy as jnp
import numpy as np
import optax
from jaxtyping import Array, PyTree

from optbench.optimizers.adapted import adapted
from optbench.optimizers.optimizer import Optimizer
from optbench.sweep.memory import tree_bytes
from optbench.sweep.step import build
from optbench.timing import flops
from optbench.timing.loops import Loop

#: What an update may need and still run without a problem.
WITHOUT_PROBLEM = frozenset({"value", "grad", "seed", "per_example_grad"})
#: Leaves of the shape "many_small".
LEAVES = 2000
#: Random numbers are drawn so many at once, and repeat after that: 1e8 of them would take seconds.
BLOCK = 2**20 - 3

Shapes = dict[str, tuple[int, ...]]


def flat(num_parameters: int) -> Shapes:
    """Return the shapes of a tree of one vector."""
    return {"vector": (num_parameters,)}


def many_small(num_parameters: int) -> Shapes:
    """Return the shapes of 2000 vectors of one size, except the last, which takes the rest; fewer for a small tree."""
    leaves = min(LEAVES, num_parameters)
    each, rest = divmod(num_parameters, leaves)
    return {f"vector_{leaf}": (each + (leaf == leaves - 1) * rest,) for leaf in range(leaves)}


def transformer(num_parameters: int) -> Shapes:
    """Return the shapes of a decoder whose width is 64 times its depth, with an embedding for the rest.

    The largest whose blocks take at most 86 %; at 1e8 that is 12 blocks of width 768, as in Radford, Wu, Child, Luan,
    Amodei, Sutskever, Language Models are Unsupervised Multitask Learners, 2019. What no row of the embedding fills is
    a vector.
    """
    depth = 0
    while count(_blocks(depth + 1)) <= 0.86 * num_parameters:
        depth += 1
    shapes, width = _blocks(depth), 64 * max(depth, 1)
    rows, rest = divmod(num_parameters - count(shapes), width)
    shapes |= {"embedding": (rows, width)} if rows else {}
    return shapes | ({"rest": (rest,)} if rest else {})


def _blocks(depth: int) -> Shapes:
    width = 64 * depth
    matrices = {"attention": (width, 3 * width), "projection": (width, width)}
    matrices |= {"up": (width, 4 * width), "down": (4 * width, width)}
    vectors = {f"{name}_bias": shape[1:] for name, shape in matrices.items()}
    vectors |= dict.fromkeys(("norm_1_scale", "norm_1_bias", "norm_2_scale", "norm_2_bias"), (width,))
    return {f"{block}/{name}": shape for block in range(depth) for name, shape in (matrices | vectors).items()}


def count(shapes: Shapes) -> int:
    """Return the number of parameters of a tree."""
    return sum(map(prod, shapes.values()))


#: Name -> (number of parameters) -> shapes by name, which sum up to exactly that number.
SHAPES: dict[str, Callable[[int], Shapes]] = {"transformer": transformer, "flat": flat, "many_small": many_small}


def needed_bytes(optimizer: Optimizer, settings: Mapping[str, Any], shapes: Shapes, dtype: str) -> int:
    """Return the memory that timing an optimizer takes, without allocating it: gradient, parameters and state twice."""
    optimizer = _resolved(optimizer, settings, shapes, dtype)
    gradient, carry = jax.eval_shape(lambda: _start(optimizer, settings, shapes, dtype))
    return tree_bytes(gradient) + 2 * tree_bytes(carry)


def update_loop(optimizer: Optimizer, settings: Mapping[str, Any], shapes: Shapes, dtype: str) -> tuple[Loop, int, int]:
    """Return the loop that updates a tree by a fixed gradient, the bytes of its state, and the bytes a step moves.

    Counted as moved: parameters, gradient and state read once, parameters and state written once. `settings` are the
    optimizer's hyperparameters. Call inside `devices.settings(...)`.
    """
    optimizer = _resolved(optimizer, settings, shapes, dtype)
    gradient, carry = jax.jit(lambda: _start(optimizer, settings, shapes, dtype))()

    def call(gradient: PyTree, carry: PyTree, index: Array) -> PyTree:
        # Tied to the trip, so that squares of the gradient aren't kept from one trip to the next.
        gradient, index = jax.lax.optimization_barrier((gradient, index))
        available = {"value": jnp.ones((), dtype), "grad": gradient}
        extra = {name: value for name, value in available.items() if name in optimizer.needs}
        gradients = jax.tree.map(lambda g: g[None], gradient) if "per_example_grad" in optimizer.needs else gradient
        params, state = carry
        updates, state = build(optimizer, settings, 0).update(gradients, state, params, **extra)
        return optax.apply_updates(params, updates), state

    state_bytes, bytes_moved = tree_bytes(carry[1]), tree_bytes(gradient) + 2 * tree_bytes(carry)
    period = optimizer.period(settings)
    num_flops = flops.count(call, gradient, carry, np.int32(0), period=period)
    return Loop(call, gradient, carry, num_flops, period), state_bytes, bytes_moved


def _resolved(optimizer: Optimizer, settings: Mapping[str, Any], shapes: Shapes, dtype: str) -> Optimizer:
    """Return an optimizer as it trains such a tree: a user's shows only then what its update takes."""
    params = {name: jax.ShapeDtypeStruct(shape, np.dtype(dtype)) for name, shape in shapes.items()}
    traced = [name for name, value in settings.items() if isinstance(value, float)]
    static = {name: value for name, value in settings.items() if name not in traced}
    return adapted(optimizer, params, static, traced, scheduled=False)


def _start(optimizer: Optimizer, settings: Mapping[str, Any], shapes: Shapes, dtype: str) -> tuple[PyTree, PyTree]:
    # Not zeros nor ones: updates that divide by norms, or look at signs, must find something to do.
    block = jax.random.normal(jax.random.key(0), (BLOCK,), dtype) / 10
    params = {name: jnp.resize(block, shape) for name, shape in shapes.items()}
    gradient = {name: jnp.resize(-block / 10, shape) for name, shape in shapes.items()}
    return gradient, (params, build(optimizer, settings, 0).init(params))
