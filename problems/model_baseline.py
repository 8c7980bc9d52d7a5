"""What a linear model reaches on the same rows: a target that means something whatever the data are."""

from typing import Any, NamedTuple

import numpy as np
from jaxtyping import Float

from optbench.problems.model_rows import Rows

#: A linear model of more rows or columns would take longer than a program takes to compile.
MAX_ROWS, MAX_COLUMNS = 2048, 256
#: Ridges, as shares of the largest eigenvalue, and factors of the scores before a softmax.
_RIDGES, _SHARPNESS = np.logspace(-8, 0, 9), np.logspace(-1, 2, 31)


class Baseline(NamedTuple):
    """Loss and accuracy on the validation rows: of who knows only the targets, and of a tuned linear model."""

    base_loss: float
    loss: float
    base_accuracy: float | None = None
    accuracy: float | None = None


def linear_baseline(loss: object, train: Rows, validation: Rows | None) -> Baseline | None:
    """Return what a linear model reaches, fitted by least squares; None where inputs or targets are no such numbers.

    Its ridge, and for classes the sharpness of the softmax, are chosen by the validation rows.
    """
    rows = (train, validation or train)
    if loss not in ("cross_entropy", "squared_error") or not all(map(_is_plain, rows)):
        return None
    (x, y), (x_held, y_held) = (_small(part) for part in rows)
    if loss == "squared_error":
        centre = y.mean(axis=0)
        scores = _scores(x, y - centre, x_held)
        losses = [float(np.mean((y_held - centre - predicted) ** 2)) for predicted in scores]
        return Baseline(float(np.mean((y_held - centre) ** 2)), min(losses))
    if y.ndim > 1 or y.dtype.kind not in "iu":
        return None
    num_classes = int(max(y.max(), y_held.max())) + 1
    one_hot = np.eye(num_classes)[y]
    # One more row a class, so that a class which is only among the validation rows costs no infinity.
    prior = (one_hot.sum(axis=0) + 1) / (len(y) + num_classes)
    scores = _scores(x, one_hot - prior, x_held)
    logits = [factor * score + np.log(prior) for score in scores for factor in _SHARPNESS]
    losses = [_cross_entropy(each, y_held) for each in logits]
    best = int(np.argmin(losses))
    hits = float(np.mean(logits[best].argmax(axis=1) == y_held))
    base = float(np.mean(prior.argmax() == y_held))
    return Baseline(_cross_entropy(np.log(prior)[None] + 0 * logits[0], y_held), losses[best], base, hits)


def _is_plain(rows: Rows) -> bool:
    x, y = rows
    return isinstance(x, np.ndarray) and (x.dtype.kind == "f" or x.dtype == np.uint8) and y.dtype.kind in "iuf"


def _small(rows: Rows) -> tuple[np.ndarray, np.ndarray]:
    """Return some rows and columns, evenly spaced."""
    x, y = (np.asarray(part[:: -(-len(part) // MAX_ROWS)]) for part in rows)
    x = x.reshape(len(x), -1)
    x = x[:, :: -(-x.shape[1] // MAX_COLUMNS)].astype(np.float64)
    return x, y.astype(np.float64) if y.dtype.kind == "f" else y.astype(np.int64)


def _scores(x: Float[np.ndarray, "row column"], y: np.ndarray, held: Float[np.ndarray, "row column"]) -> list[Any]:
    """Return predictions [row, ...] of the rows held out, by least squares at each ridge.

    y [row, ...] has mean 0, and columns are brought to mean 0.
    """
    mean = x.mean(axis=0)
    sizes, vectors = np.linalg.eigh((x - mean).T @ (x - mean))
    turned, rotated = (held - mean) @ vectors, vectors.T @ (x - mean).T @ y.reshape(len(y), -1)
    shape = (len(held), *y.shape[1:])
    weights = [1 / (np.maximum(sizes, 0.0) + ridge * sizes[-1] + 1e-300) for ridge in _RIDGES]
    return [(turned @ (weight[:, None] * rotated)).reshape(shape) for weight in weights]


def _cross_entropy(logits: Float[np.ndarray, "row class"], y: np.ndarray) -> float:
    shifted = logits - logits.max(axis=1, keepdims=True)
    logs = shifted - np.log(np.exp(shifted).sum(axis=1, keepdims=True))
    return float(-logs[np.arange(len(y)), y].mean())
