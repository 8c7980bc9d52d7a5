"""Losses and metrics of a model's predictions on rows, and checks of their shapes before anything runs."""

from collections.abc import Callable, Mapping
from typing import Any

import jax
import jax.numpy as jnp
import numpy as np
from jaxtyping import Array, Float

#: (predictions, targets) -> a number, or one of each row
Measure = Callable[[Any, Any], Any]


def loss_of(loss: str | Measure) -> Measure:
    """Return the function that a loss stands for. Raises ValueError for an unknown name."""
    if callable(loss):
        return loss
    if loss not in LOSSES:
        raise ValueError(f"loss={loss!r} is not accepted; accepted: {', '.join(LOSSES)}, or a function of (y_hat, y)")
    return LOSSES[loss]


def metrics_of(loss: str | Measure, metrics: Mapping[str, Measure] | None) -> dict[str, Measure]:
    """Return what is measured beside the loss: the accuracy of classes, and what is asked for."""
    own: dict[str, Measure] = {"accuracy": accuracy} if loss == "cross_entropy" else {}
    return own | dict(metrics or {})


def mean_of(measure: Measure, predictions: Any, y: Any) -> Float[Array, ""]:
    """Return a measure's mean over rows, in float32 at least."""
    value = jnp.asarray(measure(jax.tree.map(_wide, predictions), y))
    return jnp.mean(value.astype(jnp.promote_types(value.dtype, jnp.float32)))


def _wide(leaf: Any) -> Any:
    is_float = jnp.issubdtype(leaf.dtype, jnp.floating)
    return leaf.astype(jnp.promote_types(leaf.dtype, jnp.float32)) if is_float else leaf


def cross_entropy(logits: Array, y: Array) -> Array:
    """Return nats [row, ...] of classes y[row, ...], or of shares y[row, ..., class], given logits [row, ..., class].

    A single logit, [row, ...] or [row, ..., 1], is that of class 1 of two.
    """
    if jnp.issubdtype(y.dtype, jnp.floating):
        return -jnp.sum(y * jax.nn.log_softmax(logits), axis=-1)
    if _is_single(logits, y):
        logits = logits.reshape(y.shape)
        return -jnp.where(y == 1, jax.nn.log_sigmoid(logits), jax.nn.log_sigmoid(-logits))
    return -jnp.take_along_axis(jax.nn.log_softmax(logits), y[..., None].astype(jnp.int32), axis=-1)[..., 0]


def accuracy(logits: Array, y: Array) -> Array:
    """Return 1 for each class that the largest logit names, else 0."""
    if jnp.issubdtype(y.dtype, jnp.floating):
        y = jnp.argmax(y, axis=-1)
    elif _is_single(logits, y):
        return 1.0 * ((logits.reshape(y.shape) > 0) == (y == 1))
    return 1.0 * (jnp.argmax(logits, axis=-1) == y)


def squared_error(predictions: Array, y: Array) -> Array:
    """Return the squared difference of each number."""
    return (predictions.reshape(y.shape) - y) ** 2


LOSSES: dict[str, Measure] = {"cross_entropy": cross_entropy, "squared_error": squared_error}


def _is_single(logits: Any, y: Any) -> bool:
    return logits.shape in (y.shape, (*y.shape, 1))


def check_shapes(loss: str | Measure, predictions: Any, y: np.ndarray) -> None:
    """Raise ValueError where a model's predictions, of which these are shapes, don't fit targets of as many rows.

    Numpy would stretch [row, 1] and [row] to [row, row], and jax takes the last class for one beyond it.
    """
    if not isinstance(loss, str):
        return
    shape = getattr(predictions, "shape", None)
    if shape is None:
        raise ValueError(
            f"loss={loss!r} takes one array of predictions; the model returns {type(predictions).__name__}"
        )
    shapes = f"the model returns {list(shape)} for {shape[0] if shape else 0} rows, and y is {y.dtype}{list(y.shape)}"
    target = (shape[0] if shape else 0, *y.shape[1:])
    if loss == "squared_error":
        if shape not in (target, (*target, 1)) and (*shape, 1) != target:
            raise ValueError(f"{shapes}; expected predictions {['rows', *y.shape[1:]]}".replace("'", ""))
        return
    if y.dtype.kind == "f":
        if shape != target:
            raise ValueError(f"{shapes}; expected a logit for each class")
        return
    num_logits = 2 if shape in (target, (*target, 1)) else shape[-1]
    if shape[:-1] != target and num_logits != 2:
        raise ValueError(f"{shapes}; expected logits {['rows', *y.shape[1:], 'class']}".replace("'", ""))
    low, high = int(y.min()), int(y.max())
    if low < 0 or high >= num_logits:
        raise ValueError(f"the classes go from {low} to {high}, and the model returns {num_logits} logits, from 0 on")
