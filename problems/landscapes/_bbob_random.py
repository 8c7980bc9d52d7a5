"""The random numbers of BBOB's 2009 definition: its own generators, so that instances are the published ones."""

import math

import numpy as np
from jaxtyping import Float

MODULUS = 2**31 - 1


def uniform(seed: int, count: int) -> Float[np.ndarray, " count"]:
    """Return numbers from (0, 1) of Park and Miller's minimal generator, shuffled by a table (Bays and Durham)."""
    state, table = max(1, abs(seed)), [0] * 32
    for index in reversed(range(40)):
        state = 16807 * state % MODULUS
        if index < 32:
            table[index] = state
    number, numbers = table[0], np.empty(count)
    for index in range(count):
        state = 16807 * state % MODULUS
        slot = number // 67108865
        number, table[slot] = table[slot], state
        numbers[index] = number
    return numbers / MODULUS


def normal(seed: int, count: int) -> Float[np.ndarray, " count"]:
    """Return standard normal numbers by Box and Muller: radii from the first half of the uniform ones, angles after."""
    radius, angle = np.split(uniform(seed, 2 * count), 2)
    return np.sqrt(-2 * np.log(radius)) * np.cos(2 * np.pi * angle)


def rotation(seed: int, dim: int) -> Float[np.ndarray, "dim dim"]:
    """Return an orthogonal matrix: normal columns, made orthonormal from the first on (Gram and Schmidt)."""
    columns = normal(seed, dim * dim).reshape(dim, dim)
    for index, column in enumerate(columns):
        for previous in columns[:index]:
            column -= (column @ previous) * previous
        column /= np.sqrt(column @ column)
    return columns.T


def location(seed: int, dim: int) -> Float[np.ndarray, " dim"]:
    """Return x_opt, drawn from a grid of 8e-4 over [-4, 4), without 0."""
    x_opt = 8 * np.floor(1e4 * uniform(seed, dim)) / 1e4 - 4
    return np.where(x_opt == 0, -1e-5, x_opt)


def offset(seed: int) -> float:
    """Return f_opt, drawn from Cauchy's law with a median size of 100, rounded to hundredths and clipped at 1000."""
    ratio = normal(seed, 1)[0] / normal(seed + 1, 1)[0]
    return min(1000.0, max(-1000.0, math.floor(1e4 * ratio + 0.5) / 100))
