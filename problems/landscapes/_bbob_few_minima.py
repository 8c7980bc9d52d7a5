"""BBOB functions 1 to 14, above f_opt: separable, moderately and ill-conditioned ones.

Sums are written so that each of their terms is at least 0: rounding then can't end a run below f_opt.
"""

import jax.numpy as jnp
import numpy as np

from optbench.problems.landscapes._bbob_instance import Instance, Point, Value, stretch
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


def sphere(x: Point, at: Instance) -> Value:
    """Return f1, the sphere."""
    return jnp.sum((x - at.x_opt) ** 2)


def ellipsoid(x: Point, at: Instance) -> Value:
    """Return f2, the ellipsoid."""
    return jnp.sum(scales(x, 1e6) * oscillate(x - at.x_opt) ** 2)


def rastrigin(x: Point, at: Instance) -> Value:
    """Return f3, Rastrigin's function."""
    z = scales(x, 10**0.5) * asymmetric(oscillate(x - at.x_opt), 0.2)
    return waves(z) + jnp.sum(z**2)


def bueche_rastrigin(x: Point, at: Instance) -> Value:
    """Return f4, Bueche and Rastrigin's function."""
    z = oscillate(x - at.x_opt)
    steep = (z > 0) & (np.arange(x.size) % 2 == 0)
    z = jnp.where(steep, 10, 1) * scales(x, 10**0.5) * z
    return waves(z) + jnp.sum(z**2) + 100 * outside(x)


def linear_slope(x: Point, at: Instance) -> Value:
    """Return f5, the linear slope."""
    return jnp.sum(scales(x, 10) * jnp.maximum(5 - jnp.sign(at.x_opt) * x, 0))


def attractive_sector(x: Point, at: Instance) -> Value:
    """Return f6, the attractive sector."""
    z = twice_rotated(x - at.x_opt, at, 10**0.5)
    return powered(oscillate(jnp.sum((jnp.where(z * at.x_opt > 0, 100, 1) * z) ** 2)), 0.9)


def step_ellipsoid(x: Point, at: Instance) -> Value:
    """Return f7, the step ellipsoid."""
    slopes = scales(x, 10**0.5) * (at.Q @ (x - at.x_opt))
    steps = jnp.where(abs(slopes) > 0.5, rounded(slopes), rounded(10 * slopes) / 10)
    value = jnp.sum(scales(x, 100) * (at.R @ steps) ** 2)
    return 0.1 * jnp.maximum(1e-4 * abs(slopes[0]), value) + outside(x)


def rosenbrock(x: Point, at: Instance) -> Value:
    """Return f8, Rosenbrock's function."""
    return jnp.sum(valley(stretch(x.size) * (x - at.x_opt) + 1))


def rosenbrock_rotated(x: Point, at: Instance) -> Value:
    """Return f9, Rosenbrock's function, rotated."""
    return jnp.sum(valley(stretch(x.size) * (at.Q @ x) + 0.5))


def ellipsoid_rotated(x: Point, at: Instance) -> Value:
    """Return f10, the ellipsoid, rotated."""
    return jnp.sum(scales(x, 1e6) * oscillate(at.R @ (x - at.x_opt)) ** 2)


def discus(x: Point, at: Instance) -> Value:
    """Return f11, the discus."""
    squares = oscillate(at.R @ (x - at.x_opt)) ** 2
    return 1e6 * squares[0] + jnp.sum(squares[1:])


def bent_cigar(x: Point, at: Instance) -> Value:
    """Return f12, the bent cigar."""
    squares = (at.R @ asymmetric(at.R @ (x - at.x_opt), 0.5)) ** 2
    return squares[0] + 1e6 * jnp.sum(squares[1:])


def sharp_ridge(x: Point, at: Instance) -> Value:
    """Return f13, the sharp ridge."""
    squares = twice_rotated(x - at.x_opt, at, 10**0.5) ** 2
    return squares[0] + 100 * powered(jnp.sum(squares[1:]), 0.5)


def different_powers(x: Point, at: Instance) -> Value:
    """Return f14, the sum of different powers."""
    z = abs(at.R @ (x - at.x_opt))
    return powered(jnp.sum(z ** jnp.asarray(np.linspace(2, 6, x.size), x.dtype)), 0.5)
