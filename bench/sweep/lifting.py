"""Arrays that a function closes over, made an argument of it."""

from collections.abc import Callable
from typing import Any, NamedTuple

import jax
import numpy as np
from jax.core import eval_jaxpr
from jaxtyping import PyTree

from optbench.sweep.memory import largest_bytes, primitives


class Lifted(NamedTuple):
    """Hold a function whose arrays were lifted out of it: (constants, *arguments) -> what it returned."""

    constants: list[Any]
    call: Callable
    #: Bytes of the largest array that it makes on its way.
    largest_bytes: int
    primitives: frozenset[str]


def lift(function: Callable, *example: PyTree) -> Lifted:
    """Turn the arrays a function closes over into an argument.

    A closed-over array would be a constant of the program: copied into it, folded at compile time, and part of the
    compilation cache's key (a 500 x 500 matrix makes 2 MB of program text).
    """
    closed, shapes = jax.make_jaxpr(function, return_shape=True)(*example)
    structure = jax.tree.structure(shapes)

    def call(constants: list[Any], *arguments: PyTree) -> PyTree:
        leaves = eval_jaxpr(closed.jaxpr, constants, *jax.tree.leaves(arguments))
        return jax.tree.unflatten(structure, leaves)

    return Lifted(
        [np.asarray(constant) for constant in closed.consts], call, largest_bytes(closed), primitives(closed.jaxpr)
    )
