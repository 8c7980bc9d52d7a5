"""Problems with complex parameters as problems of twice as many real ones, which every optimizer descends."""

from collections.abc import Callable
from dataclasses import replace
from typing import Any, NamedTuple

import jax
import jax.numpy as jnp
import numpy as np
from jax import lax
from jaxtyping import Array, PyTree

from optbench.problems.problem import Problem


class Parts(NamedTuple):
    """A complex array's parts."""

    real: Array
    imag: Array


def in_reals(problem: Problem) -> Problem:
    """Return a problem whose parameters are real: of each complex array its two parts.

    The gradient that jax returns of a complex array points uphill in its imaginary part, and what optimizers take the
    square or the sign of differs from one to the next; of two parts each descends as it does on any real arrays.
    """
    leaves = jax.tree.leaves(jax.eval_shape(problem.init, jax.random.key(0)))
    if not any(jnp.issubdtype(leaf.dtype, jnp.complexfloating) for leaf in leaves):
        return problem
    project, minimiser = problem.project, problem.minimiser
    return replace(
        problem,
        init=lambda key: apart(problem.init(key)),
        # With the model's state, where it has one.
        loss=lambda params, batch, key, *state: problem.loss(together(params), batch, key, *state),
        metrics=lambda params, data, *state: problem.metrics(together(params), data, *state),
        project=project and (lambda params: apart(project(together(params)))),
        minimiser=minimiser and (lambda: apart(minimiser())),
    )


def apart(params: PyTree) -> PyTree:
    """Return parameters with complex arrays as their parts."""
    return jax.tree.map(lambda leaf: Parts(leaf.real, leaf.imag) if _is_complex(leaf) else leaf, params)


def together(params: PyTree) -> PyTree:
    """Return parameters as the problem has them."""
    is_parts: Callable[[Any], bool] = lambda node: isinstance(node, Parts)  # noqa: E731
    return jax.tree.map(lambda leaf: lax.complex(*leaf) if is_parts(leaf) else leaf, params, is_leaf=is_parts)


def _is_complex(leaf: Any) -> bool:
    return np.iscomplexobj(leaf) if not isinstance(leaf, jax.Array) else jnp.issubdtype(leaf.dtype, jnp.complexfloating)
