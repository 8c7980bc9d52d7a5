"""What bends the BBOB functions: transformations under their names in the report, with gradients that stay finite at 0.

Powers, roots and logarithms see 1 in place of a value that is 0 (or below what is a normal number), and what they
return is replaced after, as the gradient of a branch not taken would else be infinity times 0. NaN stays NaN.
"""

import jax.numpy as jnp
import numpy as np
from jaxtyping import Array, Float

from optbench.problems.landscapes._bbob_instance import Instance, Point, Value


def powered(x: Float[Array, "*axes"], exponent: float) -> Float[Array, "*axes"]:
    """Raise what is at least 0 to a power above 0."""
    return jnp.where(zero := x <= jnp.finfo(x.dtype).tiny, 0, jnp.where(zero, 1, x) ** exponent)


def oscillate(x: Float[Array, "*axes"]) -> Float[Array, "*axes"]:
    """T_osz: make waves around the identity, of the same shape at every scale."""
    logarithm = jnp.log(jnp.where(normal := abs(x) > jnp.finfo(x.dtype).tiny, abs(x), 1))
    wave = jnp.sin(jnp.where(x > 0, 10, 5.5) * logarithm) + jnp.sin(jnp.where(x > 0, 7.9, 3.1) * logarithm)
    return jnp.where(normal, x * jnp.exp(0.049 * wave), x)


def asymmetric(x: Point, strength: float) -> Point:
    """T_asy: stretch what is above 0, the more the later the coordinate."""
    safe = jnp.where(normal := x > jnp.finfo(x.dtype).tiny, x, 1)
    rising = jnp.asarray(strength * np.linspace(0, 1, x.size), x.dtype)
    return jnp.where(normal, safe ** (1 + rising * jnp.sqrt(safe)), x)


def scales(x: Point, condition: float) -> Point:
    """Space factors from 1 to `condition` evenly in their logarithm; Lambda^alpha is that of sqrt(alpha)."""
    return jnp.asarray(condition ** np.linspace(0, 1, x.size), x.dtype)


def outside(x: Point) -> Value:
    """f_pen: square how far each coordinate is out of [-5, 5]."""
    return jnp.sum(jnp.maximum(abs(x) - 5, 0) ** 2)


def waves(x: Point) -> Value:
    """Sum the cosine waves of Rastrigin's function, 0 at whole numbers and 20 half-way between."""
    return jnp.sum(10 * (1 - jnp.cos(2 * jnp.pi * x)))


def twice_rotated(x: Point, at: Instance, condition: float) -> Point:
    """Rotate, scale axes by up to `condition`, rotate again."""
    return at.R @ (scales(x, condition) * (at.Q @ x))


def valley(z: Point) -> Float[Array, " dim-1"]:
    """Take the terms of Rosenbrock's function, 0 where z is 1."""
    return 100 * (z[:-1] ** 2 - z[1:]) ** 2 + (z[:-1] - 1) ** 2


def rounded(x: Float[Array, "*axes"]) -> Float[Array, "*axes"]:
    """Round half up, unlike `round`; its gradient is 0."""
    return jnp.floor(x + 0.5)
