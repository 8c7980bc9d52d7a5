"""Tasks on sequences: rows, the positions that count, and the known values of the loss."""

from collections.abc import Callable, Mapping
from dataclasses import dataclass
from typing import Any

import jax
import jax.numpy as jnp
from jaxtyping import Array, Float, PyTree, Shaped

Rows = tuple[Shaped[Any, "row position ..."], Shaped[Any, "row scored ..."]]


@dataclass(frozen=True)
class Task:
    """One task: rows are (inputs, targets), the targets those of the positions in `scored` alone."""

    #: Number of tokens if `inputs` are whole numbers, else of features of a position.
    num_inputs: int
    num_outputs: int
    scored: slice
    #: Smallest loss on the rows that measure it; None if it is unknown.
    floor: float | None
    #: Loss of the best answer that ignores what has to be remembered.
    baseline: float
    #: Train loss that counts as reached.
    target: float
    #: Rows of a stream's evaluation: targets are the true probabilities if the next token is not determined.
    evaluation: Rows | None = None
    #: (uniforms [row, num_uniforms]) -> rows
    build: Callable[[Any], Rows] | None = None
    num_uniforms: int = 0
    train: Rows | None = None
    validation: Rows | None = None
    test: Rows | None = None
    #: The loss is a squared error, and not in nats.
    squared: bool = False


def contract(task: Task, outputs: Callable[[PyTree[Array], Array], Float[Array, "row position output"]]) -> dict:
    """Return the parts of a Problem that follow from its task and from a network's outputs at each position."""

    def metrics(params: PyTree[Array], data: Any) -> Mapping[str, Float[Array, ""]]:
        inputs, targets = jax.tree.map(jnp.asarray, data or task.evaluation)
        if jnp.issubdtype(inputs.dtype, jnp.floating):
            inputs = inputs.astype(jax.tree.leaves(params)[0].dtype)
        return score(task, outputs(params, inputs)[:, task.scored], targets)

    def sample(key: Array, batch_size: int, step: Array) -> Rows:
        assert task.build is not None
        return task.build(jax.random.uniform(key, (batch_size, task.num_uniforms)))

    return {
        "loss": lambda params, batch, key: metrics(params, batch)["loss"],
        "metrics": metrics,
        "train": task.train,
        "validation": task.validation,
        "test": task.test,
        "sample": None if task.build is None else sample,
        "optimum": lambda: task.floor,
        "noisy_loss": task.build is not None,
        "mixed_precision": True,
    }


def score(task: Task, outputs: Float[Array, "row scored output"], targets: Array) -> dict[str, Float[Array, ""]]:
    """Return the mean error over rows and scored positions, and the accuracy if targets are tokens."""
    dtype = jnp.promote_types(outputs.dtype, jnp.float32)
    outputs = outputs.astype(dtype)
    if task.squared:
        return {"loss": jnp.mean((outputs[..., 0] - targets.astype(dtype)) ** 2)}
    tokens = jnp.issubdtype(targets.dtype, jnp.integer)
    probabilities = jax.nn.one_hot(targets, task.num_outputs, dtype=dtype) if tokens else targets.astype(dtype)
    loss = -jnp.mean(jnp.sum(probabilities * jax.nn.log_softmax(outputs), axis=-1))
    if not tokens:
        return {"loss": loss}
    return {"loss": loss, "accuracy": jnp.mean(jnp.argmax(outputs, axis=-1) == targets, dtype=dtype)}
