"""Logistic regression without a penalty on classes that a line separates: the optimum is at infinity."""

import functools

import jax
import jax.numpy as jnp
import numpy as np
from jaxtyping import Array, Float
from scipy.optimize import nnls

from optbench.problems import accept, section
from optbench.problems.problem import Problem

RUNGS = ({"margin": 0.3}, {"margin": 0.1}, {"margin": 0.01})


def separable(rows: int = 200, dim: int = 20, margin: float = 0.1, seed: int = 0) -> Problem:
    """Follow a loss down to infinity: its speed, and the direction in which each optimizer goes there.

    mean log(1 + exp(-z'w)) for w[dim], 0 at the start, where z is a row's features times its label, -1 or 1. Features
    are normal, then moved along a random unit vector u until z'u is at least `margin`; all come from `seed`, so trials
    differ in their batches alone.
    There is no minimiser. Gradient descent's loss falls as 1/t, and w / |w| tends to the direction of the largest
    margin, as slowly as 1 / log t; other optimizers go elsewhere. The metric `angle` is that between w and the largest
    margin's direction, in radians, pi/2 at the start. The way being endless, large learning rates win: tuned ones
    mostly lie at the edge of their grid.
    The target is 0.001. In 500 steps lion at 0.3 gets to 2e-12, at an angle of 0.2, adam at 10 to 9e-8, at 0.2, and
    gradient descent at 10 to 3e-3, at 0.11.

    Optimum: 0, at infinity.
    Source: D. Soudry, E. Hoffer, M. S. Nacson, S. Gunasekar, N. Srebro, The Implicit Bias of Gradient Descent on
    Separable Data, 2018.
    """
    accept.whole("rows", rows, low=2)
    accept.whole("dim", dim, low=2)
    accept.positive("margin", margin)
    accept.whole("seed", seed, low=0)
    random = np.random.RandomState(seed)
    u = random.standard_normal(dim)
    u /= np.linalg.norm(u)
    x = random.standard_normal((rows, dim))
    labels = np.where(x @ u > 0, 1, -1).astype(np.int32)
    x += np.outer(labels * margin, u)

    @functools.cache
    def direction() -> Float[np.ndarray, " dim"]:
        return largest_margin(x * labels[:, None])

    def loss(w: Float[Array, " dim"], batch: tuple[Array, Array]) -> Float[Array, ""]:
        features, labels = batch
        return jnp.mean(jax.nn.softplus(-labels.astype(w.dtype) * (features @ w)))

    def metrics(w: Float[Array, " dim"], data: tuple[Array, Array]) -> dict[str, Float[Array, ""]]:
        best = jnp.asarray(direction(), w.dtype)
        along = w @ best
        # from both legs, as the cosine alone can't tell small angles from 0
        angle = jnp.arctan2(jnp.linalg.norm(w - along * best), along)
        return {"loss": loss(w, data), "angle": jnp.where(jnp.any(w != 0), angle, jnp.pi / 2)}

    return Problem(
        init=lambda key: jnp.zeros(dim),
        loss=lambda w, batch, key: loss(w, batch),
        metrics=metrics,
        source=section(separable, "Source"),
        train=(x, labels),
        steps=500,
        optimum=lambda: 0.0,
        targets={"train_loss": 1e-3},
    )


def largest_margin(z: Float[np.ndarray, "row dim"]) -> Float[np.ndarray, " dim"]:
    """Return the unit vector w of largest min z'w, for rows z that lie on one side of some plane through 0.

    The shortest w with z w >= 1 is the residual of a least-squares problem with multipliers that aren't negative: C. L.
    Lawson, R. J. Hanson, Solving Least Squares Problems, 1974, chapter 23.
    """
    rows, dim = z.shape
    system = np.vstack([z.T, np.ones(rows)])
    multipliers, _ = nnls(system, np.eye(dim + 1)[dim])
    w = z.T @ multipliers
    return w / np.linalg.norm(w)
