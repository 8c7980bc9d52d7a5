"""Instances of BBOB functions: optimum, rotations and peaks."""

from typing import Any, NamedTuple

import numpy as np
from jaxtyping import Array, Float

from optbench.problems.landscapes import _bbob_random as draw

Point = Float[Array, " dim"]
Value = Float[Array, ""]

#: Functions that share the seeds of an earlier one.
SEED_OF = {4: 3, 18: 17}
#: The z at which Schwefel's z sin(sqrt(z)) is largest, in hundreds.
SCHWEFEL = 4.2096874637


class Instance(NamedTuple):
    """Arrays that a function's value depends on, besides x; float64 numpy until they meet x."""

    x_opt: Any  # [dim]
    f_opt: Any
    R: Any  # [dim dim], both rotations under the names of the report
    Q: Any  # [dim dim]
    centres: Any  # [peak dim], rotated by Q, and so on: Gallagher's functions alone, else without rows
    widths: Any  # [peak dim]
    heights: Any  # [peak]


def instance(function: int, dim: int, number: int) -> Instance:
    """Return instance `number` of a function, drawn from its own seeds."""
    seed = SEED_OF.get(function, function) + 10000 * number
    R, Q = draw.rotation(seed + 1_000_000, dim), draw.rotation(seed, dim)
    peaks = (
        _peaks(function, dim, seed) if function in (21, 22) else (np.zeros((0, dim)), np.zeros((0, dim)), np.zeros(0))
    )
    x_opt = peaks[0][0] if function in (21, 22) else _x_opt(function, dim, seed, Q)
    centres, *others = peaks
    return Instance(x_opt, draw.offset(seed), R, Q, centres @ Q.T, *others)


def stretch(dim: int) -> float:
    """Return the factor that widens Rosenbrock's valley in more than 64 dimensions."""
    return max(1.0, dim**0.5 / 8)


def _x_opt(function: int, dim: int, seed: int, Q: np.ndarray) -> np.ndarray:
    location = draw.location(seed, dim)
    match function:
        case 4:  # the first, third, ... are positive
            return np.where(np.arange(dim) % 2 == 0, abs(location), location)
        case 5:  # a corner
            return np.where(location < 0, -5.0, 5.0)
        case 8:  # nearer to the origin, so that the valley lies in the box
            return 0.75 * location
        case 9 | 19:  # where stretch * Q x + 1/2 is 1 in each coordinate
            return Q.T @ np.full(dim, 0.5) / stretch(dim)
        case 12:
            return draw.location(seed + 1_000_000, dim)
        case 20:
            return np.where(draw.uniform(seed, dim) < 0.5, -0.5, 0.5) * SCHWEFEL
        case 24:
            return np.where(draw.normal(seed, dim) < 0, -1.25, 1.25)
    return location


def _peaks(function: int, dim: int, seed: int) -> tuple[np.ndarray, np.ndarray, np.ndarray]:
    """Return centres[peak dim], widths[peak dim] and heights[peak] of Gallagher's peaks; the first is the highest."""
    count, span, first_condition = (101, 10.0, 1000**0.5) if function == 21 else (21, 9.8, 1000.0)
    ranks = np.argsort(draw.uniform(seed, count - 1))
    conditions = np.append(first_condition, 1000.0 ** (ranks / (count - 2)))
    orders = np.stack([np.argsort(draw.uniform(seed + 1000 * peak, dim)) for peak in range(count)])
    widths = conditions[:, None] ** (orders / (dim - 1) - 0.5)
    centres = span * draw.uniform(seed, dim * count).reshape(count, dim) - span / 2
    centres[0] *= 0.8
    return centres, widths, np.append(10.0, 1.1 + 8 * np.arange(count - 1) / (count - 2))
