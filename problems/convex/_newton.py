"""The smallest regularised cross-entropy of a linear classifier, in float64."""

import numpy as np
from jaxtyping import Float, Int
from scipy.special import log_softmax

#: Beyond it the Hessian takes too long: 650 parameters take a second, 7850 minutes.
MAX_PARAMETERS = 2000
MAX_ITERATIONS = 100
GRADIENT_NORM = 1e-10


def smallest_loss(
    x: Float[np.ndarray, "row feature"], y: Int[np.ndarray, " row"], num_classes: int, l2: float
) -> float | None:
    """Return the loss at which damped Newton from 0 has a gradient norm below 1e-10, or None if it doesn't get there.

    Two classes have one free column of weights, as class 0 scores 0; more have one column each.
    """
    num_rows = len(x)
    x = x[:, x.any(axis=0)]  # pixels that are always 0 leave the Hessian singular with l2=0, and change no loss
    design = np.c_[x, np.ones(num_rows)]
    free = 1 if num_classes == 2 else num_classes
    if design.shape[1] * free > MAX_PARAMETERS:
        return None
    targets = np.eye(num_classes)[y]
    penalty = np.r_[np.full(x.shape[1], l2), 0.0]

    def value(weights: np.ndarray) -> tuple[float, np.ndarray]:
        scores = design @ weights.T
        log_p = log_softmax(scores if free > 1 else np.c_[np.zeros(num_rows), scores], axis=1)
        nats = -np.sum(targets * log_p) / num_rows
        return float(nats + 0.5 * np.sum(penalty * weights**2)), np.exp(log_p)[:, -free:]

    weights = np.zeros((free, design.shape[1]))
    loss, p = value(weights)
    for _ in range(MAX_ITERATIONS):
        gradient = (p - targets[:, -free:]).T @ design / num_rows + penalty * weights
        try:
            step = np.linalg.solve(_hessian(design, p, penalty), gradient.ravel()).reshape(weights.shape)
        except np.linalg.LinAlgError:
            return None
        # separable classes: the gradient vanishes at infinity, but the steps towards it don't
        if np.linalg.norm(gradient) < GRADIENT_NORM:
            return loss if np.linalg.norm(step) < 1e-4 * (1 + np.linalg.norm(weights)) else None
        slope, length = np.sum(gradient * step), 1.0
        while (trial := value(weights - length * step))[0] > loss - 1e-4 * length * slope + 1e-14 * abs(loss):
            length /= 2
            if length < 1e-10:
                return None
        weights, (loss, p) = weights - length * step, trial
    return None


def _hessian(design: np.ndarray, p: Float[np.ndarray, "row free"], penalty: np.ndarray) -> np.ndarray:
    """Return the Hessian over (class, feature) pairs.

    Adding the same to every class's weights changes no probability, so softmax leaves that direction flat. Newton's
    steps don't use it: 1 is added there to make the system regular.
    """
    num_rows, dim = design.shape
    free = p.shape[1]
    # sum over rows of (diag(p) - p p') kron (x x'): one large product, not one per pair of classes
    weighted = (p[:, :, None] * design[:, None, :]).reshape(num_rows, free * dim)
    blocks = (-weighted.T @ weighted / num_rows).reshape(free, dim, free, dim)
    for a in range(free):
        blocks[a, :, a] += design.T @ weighted[:, a * dim : (a + 1) * dim] / num_rows + np.diag(penalty)
    if free > 1:
        blocks += np.eye(dim)[None, :, None, :]
    return blocks.reshape(free * dim, free * dim)
