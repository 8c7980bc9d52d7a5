"""Transformations of BBOB under their names in the report, with gradients that stay finite at 0.

Powers, roots and logarithms get 1 in place of a value of 0 (or below the normal numbers), and their results are
replaced afterwards, as the gradient of the other branch would else be infinity times 0. NaN stays NaN.
"""

import jax.numpy as jnp
import numpy as np
from jaxtyping import Array, Float

from optbench.problems.landscapes._bbob_instance import Instance, Point, Value


def powered(x: Float[Array, "*axes"], exponent: float) -> Float[Array, "*axes"]:
    """Return numbers of at least 0 to a power above 0."""
    return jnp.where(zero := x <= jnp.finfo(x.dtype).tiny, 0, jnp.where(zero, 1, x) ** exponent)


def oscillate(x: Float[Array, "*axes"]) -> Float[Array, "*axes"]:
    """Return T_osz: waves around the identity, of the same shape at every scale."""
    logarithm = jnp.log(jnp.where(normal := abs(x) > jnp.finfo(x.dtype).tiny, abs(x), 1))
    wave = jnp.sin(jnp.where(x > 0, 10, 5.5) * logarithm) + jnp.sin(jnp.where(x > 0, 7.9, 3.1) * logarithm)
    return jnp.where(normal, x * jnp.exp(0.049 * wave), x)


def asymmetric(x: Point, strength: float) -> Point:
    """Return T_asy: numbers above 0 stretched, the more the later the coordinate."""
    safe = jnp.where(normal := x > jnp.finfo(x.dtype).tiny, x, 1)
    rising = jnp.asarray(strength * np.linspace(0, 1, x.size), x.dtype)
    return jnp.where(normal, safe ** (1 + rising * jnp.sqrt(safe)), x)


def scales(x: Point, condition: float) -> Point:
    """Return factors from 1 to `condition`, even in their logarithm; Lambda^alpha has a condition of sqrt(alpha)."""
    return jnp.asarray(condition ** np.linspace(0, 1, x.size), x.dtype)


def outside(x: Point) -> Value:
    """Return f_pen: the sum of squared distances of the coordinates from [-5, 5]."""
    return jnp.sum(jnp.maximum(abs(x) - 5, 0) ** 2)


def waves(x: Point) -> Value:
    """Return the sum of cosine waves of Rastrigin's function, 0 at whole numbers and 20 half-way between."""
    return jnp.sum(10 * (1 - jnp.cos(2 * jnp.pi * x)))


def twice_rotated(x: Point, at: Instance, condition: float) -> Point:
    """Return x rotated, with axes scaled by up to `condition`, and rotated again."""
    return at.R @ (scales(x, condition) * (at.Q @ x))


def valley(z: Point) -> Float[Array, " dim-1"]:
    """Return the terms of Rosenbrock's function, 0 at z = 1."""
    return 100 * (z[:-1] ** 2 - z[1:]) ** 2 + (z[:-1] - 1) ** 2


def rounded(x: Float[Array, "*axes"]) -> Float[Array, "*axes"]:
    """Return whole numbers, with halves rounded up, unlike `round`; the gradient is 0."""
    return jnp.floor(x + 0.5)
