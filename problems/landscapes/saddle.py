"""Strict saddles that lie between basins of known depth."""

from typing import Literal, get_args

import jax
import jax.numpy as jnp
import numpy as np
from jaxtyping import Array, Float

from optbench.problems import accept, section
from optbench.problems.problem import Batch, Problem

Start = Literal["beside", "on"]

RUNGS = ({"curvature": 1e-1}, {"curvature": 5e-3}, {"curvature": 1e-3})


def saddle(
    dim: int = 20,
    negative_directions: int = 2,
    curvature: float = 5e-3,
    start: Start = "beside",
    distance: float = 1e-3,
    noise: float = 0.0,
    rotated: bool = True,
    seed: int = 0,
) -> Problem:
    """Escape from a strict saddle: how long the flat way down goes unseen.

    f(x) = 1/2 |p|^2 + sum_j w(n_j), where (n, p) = U' x for x[dim], n has `negative_directions` coordinates, and U is
    a rotation from `seed`, or none. w(n) = c/4 - c/2 n^2 where |n| <= 1/2, and c/2 (|n| - 1)^2 beyond, c the
    `curvature`: w is 0 at both its minima, -1 and 1, and its slope has no jump. The saddle at the origin is at
    `negative_directions` c/4; those passed on the way, with m coordinates of n at 0, are at m c/4.
    The start is the saddle itself (on), or `distance` away from it (beside) in a direction from the trial's key.
    Beside it, gradient descent of rate r takes n to (1 + r c)^t n until |n| > 1/2, and 1 - |n| to (1 - r c)^t of what
    it is from there: it needs log(1 / (2 |n|)) / log(1 + r c) steps to escape. On it no optimizer moves without noise.
    Noise adds a normal of that standard deviation to each example's gradient, and leaves the metric exact.
    The target is c/8, the least that is left while one coordinate of n is still within 1/2 of the saddle.
    Gradient descent, stable below a rate of 2, can't get there in 500 steps where c is 0.005: tuned lbfgs needs 26,
    adam, momentum and muon 240 to 300. Where c is 0.001, lbfgs needs 46, momentum 380, and the others stay.

    Optimum: 0, where every n is -1 or 1 and p is 0.
    Source: R. Ge, F. Huang, C. Jin, Y. Yuan, Escaping From Saddle Points - Online Stochastic Gradient for Tensor
    Decomposition, 2015; S. S. Du, C. Jin, J. D. Lee, M. I. Jordan, A. Singh, B. Poczos, Gradient Descent Can Take
    Exponential Time to Escape Saddle Points, 2017.
    """
    accept.whole("dim", dim)
    accept.whole("negative_directions", negative_directions)
    if negative_directions > dim:
        raise accept.refuse("negative_directions", negative_directions, f"a whole number from 1 to dim={dim}")
    accept.positive("curvature", curvature)
    accept.choice("start", start, get_args(Start))
    accept.positive("distance", distance)
    accept.number("noise", noise)
    accept.flag("rotated", rotated)
    accept.whole("seed", seed, low=0)

    normal = np.random.RandomState(seed).standard_normal((dim, dim))
    axes = np.linalg.qr(normal)[0] if rotated else np.eye(dim)

    def init(key: jax.Array) -> Float[Array, " dim"]:
        if start == "on":
            return jnp.zeros(dim)
        direction = jax.random.normal(key, (dim,))
        return distance * direction / jnp.linalg.norm(direction)

    def value(x: Float[Array, " dim"]) -> Float[Array, ""]:
        along = x @ jnp.asarray(axes, x.dtype) if rotated else x
        down, up = jnp.abs(along[:negative_directions]), along[negative_directions:]
        wells = jnp.where(down <= 0.5, 0.25 - down**2 / 2, (down - 1) ** 2 / 2)
        return curvature * jnp.sum(wells) + jnp.sum(up**2) / 2

    def loss(x: Float[Array, " dim"], batch: Batch, key: jax.Array) -> Float[Array, ""]:
        return value(x) + jnp.mean(batch, axis=0) @ x if noise else value(x)

    def sample(key: jax.Array, batch_size: int, step: jax.Array) -> Float[Array, "example dim"]:
        return noise * jax.random.normal(key, (batch_size, dim))

    return Problem(
        init=init,
        loss=loss,
        metrics=lambda x, data: {"loss": value(x)},
        source=section(saddle, "Source"),
        sample=sample if noise else None,
        steps=500,
        batch_size=32 if noise else "full",
        optimum=lambda: 0.0,
        minimiser=lambda: axes @ (np.arange(dim) < negative_directions),
        targets={"train_loss": curvature / 8},
        noisy_loss=noise > 0,
    )
