"""A convex quadratic with a chosen spectrum, with or without noise in its gradient."""

import math
from typing import Literal, get_args

import jax
import jax.numpy as jnp
import numpy as np
from jaxtyping import Array, Float

from optbench.problems import accept, section
from optbench.problems.problem import Batch, Problem

Spectrum = Literal["log", "linear", "two_cluster", "powerlaw"]

RUNGS = ({"condition": 1e2}, {"condition": 1e3}, {"condition": 1e5})


def quadratic(
    dim: int = 100,
    condition: float = 1e3,
    spectrum: Spectrum = "log",
    rotated: bool = True,
    noise: float = 0.0,
    seed: int = 0,
) -> Problem:
    """Minimise a convex quadratic: how speed depends on conditioning, and on axes where it isn't rotated.

    f(x) = 1/2 (x - x*)' H (x - x*) for x[dim]. The eigenvalues of H go from 1/condition to 1: spaced evenly in
    their logarithm (log) or value (linear), half at each end (two_cluster), or i^-p (powerlaw). H and x* come from
    `seed`, with f(0) = 0.9; x0 is normal around the origin with mean f(x0) = 1, from the trial's key. The start is
    nearer to the origin than x* is, so that weight decay, which pulls there, has nothing to gain.
    Noise adds a normal of that standard deviation to each example's gradient, and leaves the metric exact.
    The target is 1e-6: in 500 steps momentum and adam reach it, and gradient descent ends near 1e-3. With noise it is
    0.6 noise sqrt(dim / (batch_size steps)), the rate of stochastic gradients; tuned sgd got to 0.5 to 0.7 times that.

    Optimum: 0, at x*.
    Source: B. T. Polyak, Some methods of speeding up the convergence of iteration methods, 1964.
    """
    accept.whole("dim", dim)
    accept.number("condition", condition, low=1)
    if dim == 1 and condition != 1:
        raise accept.refuse("condition", condition, "1 where dim=1: one eigenvalue has no spread")
    accept.choice("spectrum", spectrum, get_args(Spectrum))
    accept.flag("rotated", rotated)
    accept.number("noise", noise)
    accept.whole("seed", seed, low=0)

    eigenvalues = _eigenvalues(dim, condition, spectrum)
    random = np.random.RandomState(seed)
    minimiser = random.standard_normal(dim)
    # H = root root', so that f is a sum of squares: it can't round to below 0, and H d costs two products
    root = np.sqrt(eigenvalues)
    if rotated:
        root = np.linalg.qr(random.standard_normal((dim, dim)))[0] * root
    at_origin = np.sum((minimiser @ root if rotated else minimiser * root) ** 2) / 2
    minimiser *= np.sqrt(0.9 / at_origin)
    spread = float(np.sqrt(0.1 * 2 / eigenvalues.sum()))

    steps, batch_size = 500, 32
    target = max(1e-6, 0.6 * noise * math.sqrt(dim / (batch_size * steps)))

    def init(key: jax.Array) -> Float[Array, " dim"]:
        return spread * jax.random.normal(key, (dim,))

    # asarray, as a jitted function that met a bare numpy array in float32 fails when it is called again in float64
    def from_minimiser(x: Float[Array, " dim"]) -> Float[Array, " dim"]:
        return x - jnp.asarray(minimiser, x.dtype)

    def value(x: Float[Array, " dim"]) -> Float[Array, ""]:
        scale = jnp.asarray(root, x.dtype)
        return 0.5 * jnp.sum((from_minimiser(x) @ scale if rotated else from_minimiser(x) * scale) ** 2)

    def loss(x: Float[Array, " dim"], batch: Batch, key: jax.Array) -> Float[Array, ""]:
        return value(x) + jnp.mean(batch, axis=0) @ from_minimiser(x) if noise else value(x)

    def sample(key: jax.Array, batch_size: int, step: jax.Array) -> Float[Array, "example dim"]:
        return noise * jax.random.normal(key, (batch_size, dim))

    return Problem(
        init=init,
        loss=loss,
        metrics=lambda x, data: {"loss": value(x)},
        source=section(quadratic, "Source"),
        sample=sample if noise else None,
        steps=steps,
        batch_size=batch_size if noise else "full",
        optimum=lambda: 0.0,
        minimiser=lambda: minimiser,
        targets={"train_loss": target},
        noisy_loss=noise > 0,
    )


def _eigenvalues(dim: int, condition: float, spectrum: Spectrum) -> Float[np.ndarray, " dim"]:
    if dim == 1:
        return np.ones(1)
    match spectrum:
        case "log":
            return np.geomspace(1 / condition, 1, dim)
        case "linear":
            return np.linspace(1 / condition, 1, dim)
        case "two_cluster":
            return np.where(np.arange(dim) < dim // 2, 1 / condition, 1.0)
        case "powerlaw":
            return np.arange(1, dim + 1) ** (-np.log(condition) / np.log(dim))
