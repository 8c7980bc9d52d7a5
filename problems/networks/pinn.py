"""Poisson's equation on a line, solved by a network that is trained on the equation itself."""

from typing import Literal, get_args

import jax.numpy as jnp
import numpy as np
from jaxtyping import Array, Float

from optbench.problems import accept, section
from optbench.problems.networks._dense import Layers, draw_layers
from optbench.problems.problem import Batch, Problem

RUNGS = ({"frequency": 1}, {"frequency": 2}, {"frequency": 3})

Boundary = Literal["soft", "hard"]
Taylor = tuple[Float[Array, "point unit"], Float[Array, "point unit"], Float[Array, "point unit"]]


def pinn(
    frequency: int = 2,
    width: int = 20,
    depth: int = 2,
    points: int = 48,
    boundary: Boundary = "soft",
    boundary_weight: float = 1.0,
) -> Problem:
    """Solve a differential equation by its residual alone: badly conditioned, more so as the solution oscillates.

    -u'' = f on (0, 1) with u(0) = u(1) = 0, where u = sin(pi x) + sin(2 pi k x) for k = `frequency`.
    loss = mean (u'' + f)^2 / mean f^2 over the midpoints of `points` equal pieces + boundary_weight mean u(0, 1)^2,
    u a tanh network of `depth` layers of `width`, u'' exact; boundary=hard takes x (1 - x) times the network, and needs
    no second term. Weights start normal with variance 1/fan-in. `error` is |u - known| / |known| on 101 points.
    Differentiating twice weighs the square of the fast sine (2k)^4 times that of the slow one, so that at 3 a small
    loss says little about the error. The target is 0.01: adamw gets there in about 70, 260 and 640 of the 800 steps at
    1, 2 and 3, alone at 3, and sgd nowhere. It reaches the other target, an error of 0.1, at 1 and 2.

    Optimum: unknown; targets instead. The solution itself has loss 0.
    Source: M. Raissi, P. Perdikaris, G. E. Karniadakis, Physics-informed neural networks, 2019; I. E. Lagaris,
    A. Likas, D. I. Fotiadis, Artificial Neural Networks for Solving Ordinary and Partial Differential Equations, 1998.
    """
    accept.whole("frequency", frequency)
    accept.whole("width", width)
    accept.whole("depth", depth)
    accept.whole("points", points, low=2)
    accept.choice("boundary", boundary, get_args(Boundary))
    accept.positive("boundary_weight", boundary_weight)

    midpoints = (np.arange(points) + 0.5) / points
    ends = np.array([0.0, 1.0])
    scale = np.sqrt(np.mean(source_term(midpoints, frequency) ** 2))
    test_points = np.linspace(0, 1, 101)
    test_values = exact(test_points, frequency)

    def solution(params: Layers, x_values: Float[np.ndarray, " point"]) -> Taylor:
        dtype = params[0]["bias"].dtype
        x = jnp.asarray(x_values, dtype)[:, None]
        u, du, ddu = derivatives(params, x)
        if boundary == "soft":
            return u, du, ddu
        bump, slope = x * (1 - x), 1 - 2 * x
        return bump * u, slope * u + bump * du, -2 * u + 2 * slope * du + bump * ddu

    def metrics(params: Layers, data: Batch) -> dict[str, Float[Array, ""]]:
        u, _, ddu = solution(params, np.concatenate([midpoints, ends]))
        dtype = u.dtype
        residual = (ddu[:points, 0] + jnp.asarray(source_term(midpoints, frequency), dtype)) / scale
        loss = jnp.mean(residual**2) + boundary_weight * jnp.mean(u[points:] ** 2)
        error = solution(params, test_points)[0][:, 0] - jnp.asarray(test_values, dtype)
        return {"loss": loss, "error": jnp.sqrt(jnp.sum(error**2) / np.sum(test_values**2))}

    return Problem(
        init=lambda key: draw_layers(key, [1, *[width] * depth, 1]),
        loss=lambda params, batch, key: metrics(params, batch)["loss"],
        metrics=metrics,
        source=section(pinn, "Source"),
        steps=800,
        targets={"train_loss": 1e-2, "train_error": 0.1},
    )


def exact(x: Float[np.ndarray, " point"], frequency: int) -> Float[np.ndarray, " point"]:
    """Return the solution u."""
    return np.sin(np.pi * x) + np.sin(2 * np.pi * frequency * x)


def source_term(x: Float[np.ndarray, " point"], frequency: int) -> Float[np.ndarray, " point"]:
    """Return f = -u''."""
    high = 2 * np.pi * frequency
    return np.pi**2 * np.sin(np.pi * x) + high**2 * np.sin(high * x)


def derivatives(params: Layers, x: Float[Array, "point 1"]) -> Taylor:
    """Return u, u' and u'', carried through the layers: exact, and matrix products alone."""
    value, first, second = x, jnp.ones_like(x), jnp.zeros_like(x)
    for index, layer in enumerate(params):
        weights = layer["weights"]
        value, first, second = value @ weights + layer["bias"][None], first @ weights, second @ weights
        if index < len(params) - 1:
            value = jnp.tanh(value)
            slope = 1 - value**2
            first, second = slope * first, slope * (second - 2 * value * first**2)
    return value, first, second
