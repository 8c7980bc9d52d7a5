"""BBOB functions 15 to 24, above f_opt: many minima, with and without a global structure.

Sums are written so that each of their terms is at least 0: rounding then can't end a run below f_opt.
"""

import jax.numpy as jnp
import numpy as np

from optbench.problems.landscapes._bbob_instance import SCHWEFEL, Instance, Point, Value, stretch
from optbench.problems.landscapes._bbob_transforms import (
    asymmetric,
    oscillate,
    outside,
    powered,
    rounded,
    scales,
    twice_rotated,
    valley,
    waves,
)


def rastrigin_rotated(x: Point, at: Instance) -> Value:
    """Return f15, Rastrigin's function, rotated."""
    z = twice_rotated(asymmetric(oscillate(at.R @ (x - at.x_opt)), 0.2), at, 10**0.5)
    return waves(z) + jnp.sum(z**2)


def weierstrass(x: Point, at: Instance) -> Value:
    """Return f16, the Weierstrass function."""
    z = twice_rotated(oscillate(at.R @ (x - at.x_opt)), at, 0.1)
    # cos(2 pi 3^k (z + 1/2)) is -cos(2 pi 3^k z), as 3^k is odd
    turns = jnp.asarray(3.0 ** np.arange(12), x.dtype)[:, None] * z[None, :]
    sums = jnp.asarray(0.5 ** np.arange(12), x.dtype) @ (1 - jnp.cos(2 * jnp.pi * turns))
    return 10 * jnp.mean(sums) ** 3 + 10 / x.size * outside(x)


def schaffers(x: Point, at: Instance, condition: float = 10.0) -> Value:
    """Return f17, Schaffer's function, or f18 with a condition of 1000."""
    z = scales(x, condition**0.5) * (at.Q @ asymmetric(at.R @ (x - at.x_opt), 0.5))
    squares = z[:-1] ** 2 + z[1:] ** 2
    rings = powered(squares, 0.25) * (1 + jnp.sin(50 * powered(squares, 0.1)) ** 2)
    return jnp.mean(rings) ** 2 + 10 * outside(x)


def schaffers_ill_conditioned(x: Point, at: Instance) -> Value:
    """Return f18, Schaffer's function, ill-conditioned."""
    return schaffers(x, at, condition=1000.0)


def griewank_rosenbrock(x: Point, at: Instance) -> Value:
    """Return f19, Griewank and Rosenbrock's function."""
    slopes = valley(stretch(x.size) * (at.Q @ x) + 0.5)
    return 10 * jnp.mean(slopes / 4000 + (1 - jnp.cos(slopes)))


def schwefel(x: Point, at: Instance) -> Value:
    """Return f20, Schwefel's function."""
    near = 2 * jnp.sign(at.x_opt) * x - SCHWEFEL
    near = jnp.concatenate([near[:1], near[1:] + 0.25 * near[:-1]])
    z = 100 * (scales(x, 10**0.5) * near + SCHWEFEL)
    drops = z * jnp.sin(powered(abs(z), 0.5))
    return 0.01 * jnp.mean(418.9828872724339 - drops) + 100 * outside(z / 100)


def gallagher(x: Point, at: Instance) -> Value:
    """Return f21 or f22, Gallagher's 101 or 21 peaks."""
    difference = (at.Q @ x)[None, :] - at.centres
    peaks = at.heights * jnp.exp(-0.5 / x.size * jnp.sum(at.widths * difference**2, axis=1))
    return oscillate(10 - jnp.max(peaks)) ** 2 + outside(x)


def katsuura(x: Point, at: Instance) -> Value:
    """Return f23, Katsuura's function."""
    z = twice_rotated(x - at.x_opt, at, 10)
    finer = jnp.asarray(2.0 ** np.arange(1, 33), x.dtype)
    teeth = finer[:, None] * z[None, :]
    rough = (1 / finer) @ abs(teeth - rounded(teeth))
    product = jnp.sum(jnp.log1p(jnp.asarray(np.arange(1, x.size + 1), x.dtype) * rough))
    return 10 / x.size**2 * jnp.expm1(10 / x.size**1.2 * product) + outside(x)


def lunacek_bi_rastrigin(x: Point, at: Instance) -> Value:
    """Return f24, Lunacek's bi-Rastrigin function."""
    near, shrink = 2.5, 1 - 0.5 / ((x.size + 20) ** 0.5 - 4.1)
    far = -(((near**2 - 1) / shrink) ** 0.5)
    mirrored = 2 * jnp.sign(at.x_opt) * x
    funnels = jnp.sum((mirrored - near) ** 2), x.size + shrink * jnp.sum((mirrored - far) ** 2)
    return jnp.minimum(*funnels) + waves(twice_rotated(mirrored - near, at, 10)) + 1e4 * outside(x)
