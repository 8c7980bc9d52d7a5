"""Whether anything random reaches a cell's trials: where nothing does, all seeds of a setting are one trial."""

from typing import Any

import jax
from jaxtyping import Array, PyTree

from optbench.optimizers.data_flow import flows
from optbench.problems.problem import Params, State
from optbench.sweep.model_state import initial_state
from optbench.sweep.step import Recipe, lifted_loss


def is_random(recipe: Recipe) -> bool:
    """Say whether the trials of two seeds can differ: in the start, the batches, the loss or the optimizer.

    Judged by what the traced functions read of their keys, so "no" is certain, and "yes" may be too much: of a loop
    every output counts as reading every input.
    """
    prepared = recipe.prepared
    problem = prepared.problem
    if recipe.batch_size != "full" or problem.sample is not None or "seed" in recipe.optimizer.needs:
        return True
    loss = lifted_loss(prepared, prepared.batch("full"))

    def start(key: Array) -> PyTree:
        return problem.init(key), initial_state(problem)(key)

    def value(key: Array, params: Params, state: State, constants: Any, batch: PyTree) -> PyTree:
        return loss.call(constants, params, batch, key, state)

    key = jax.random.key(0)
    given = (prepared.params, prepared.model_state, loss.constants, prepared.batch("full"))
    reads = [*flows(start, key)[0], *flows(value, key, *given)[0]]
    return any(0 in flow.sources for flow in reads)
