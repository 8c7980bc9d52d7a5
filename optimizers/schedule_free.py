"""Averaging in place of a schedule: gradients are taken at y, steps at z, evaluation at the average x."""

from typing import Any

import jax
import optax.contrib
from jaxtyping import PyTree

from optbench.optimizers.optimizer import Optimizer


def schedule_free_sgd(learning_rate, weight_decay: float = 0.0, b1: float = 0.9, weight_lr_power: float = 2.0):
    """Return schedule-free gradient descent."""
    return optax.contrib.schedule_free_sgd(
        learning_rate, b1=b1, weight_decay=weight_decay, weight_lr_power=weight_lr_power
    )


def schedule_free_adamw(
    learning_rate,
    weight_decay: float = 0.0,
    b1: float = 0.9,
    b2: float = 0.999,
    eps: float = 1e-8,
    weight_lr_power: float = 2.0,
):
    """Return schedule-free AdamW."""
    return optax.contrib.schedule_free_adamw(
        learning_rate, b1=b1, b2=b2, eps=eps, weight_decay=weight_decay, weight_lr_power=weight_lr_power
    )


def is_averaging(node: Any) -> bool:
    """Return whether a part of a state is schedule-free's."""
    return isinstance(node, optax.contrib.ScheduleFreeState)


def nodes(state: PyTree) -> list[Any]:
    """Return the parts of a state that are schedule-free's, however deep they lie."""
    return [node for node in jax.tree.leaves(state, is_leaf=is_averaging) if is_averaging(node)]


def evaluated(state: PyTree, params: PyTree) -> PyTree:
    """Return the parameters to evaluate: averages of those that schedule-free moves, the others as they are."""
    leaves, structure = jax.tree.flatten(params)
    for node in nodes(state):
        steps = structure.flatten_up_to(node.z)
        leaves = [
            y if is_left_out(z) else (y - (1.0 - node.b1) * z) / node.b1 for y, z in zip(leaves, steps, strict=True)
        ]
    return jax.tree.unflatten(structure, leaves)


def is_left_out(leaf: Any) -> bool:
    """Return whether a mask leaves a parameter out of a part of a state."""
    return isinstance(leaf, optax.MaskedNode)


_DEFAZIO = "Defazio, Yang, Mehta, Mishchenko, Khaled, Cutkosky, The Road Less Scheduled, 2024; "

# Native, but not x <- x - learning_rate * weight_decay * x: as in the paper, z loses learning_rate * weight_decay * y,
# and what is evaluated follows by averaging.
TABLE = {
    "schedule_free_sgd": Optimizer(
        build=schedule_free_sgd,
        learning_rates=(1e-1, 3e1),
        default_learning_rate=1.0,  # the authors' code, and optax's
        source=_DEFAZIO + "the authors advise 10 to 50 times the rate of sgd with momentum",
        decay="native",
        evaluation_params=optax.contrib.schedule_free_eval_params,
    ),
    "schedule_free_adamw": Optimizer(
        build=schedule_free_adamw,
        learning_rates=(1e-3, 1.0),
        default_learning_rate=2.5e-3,  # the authors' code, and optax's
        source=_DEFAZIO + "the authors advise 1 to 10 times the rate of adamw",
        decay="native",
        evaluation_params=optax.contrib.schedule_free_eval_params,
    ),
}
