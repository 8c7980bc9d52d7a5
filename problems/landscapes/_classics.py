"""The classical test functions as data: formula, start, minimiser, minimum, dimensions and source of each."""

import math
from collections.abc import Callable
from dataclasses import dataclass

import jax.numpy as jnp
import numpy as np
from jaxtyping import Array, Float

MORE = "J. J. Moré, B. S. Garbow, K. E. Hillstrom, Testing Unconstrained Optimization Software, 1981"
LIBRARY = "S. Surjanovic, D. Bingham, Virtual Library of Simulation Experiments: Test Functions and Datasets, 2013"
HIMMELBLAU = "D. M. Himmelblau, Applied Nonlinear Programming, 1972"

Point = Float[Array, " dim"]
Value = Float[Array, ""]


@dataclass(frozen=True)
class Function:
    """A function of one block of coordinates, or of any number of such blocks if it `extends`.

    Start and minimiser are of one block and repeat over the others; `optimum` is of one block and adds up.
    """

    formula: Callable[[Point], Value]
    minimiser: tuple[float, ...]
    #: The start of runs: a point, or half the width of the box around 0 in which the trial's key draws one.
    start: tuple[float, ...] | float
    source: str
    #: The gap to the optimum that counts as solved.
    gap: float
    optimum: float = 0.0
    extends: bool = False
    #: Blocks by default.
    blocks: int = 1

    @property
    def block(self) -> int:
        """Number of coordinates of a block."""
        return len(self.minimiser)


def safe_sqrt(square: Float[Array, ""]) -> Float[Array, ""]:
    """Return a root whose derivative at 0 is 0 and not infinite."""
    positive = square > 0
    return jnp.where(positive, jnp.sqrt(jnp.where(positive, square, 1.0)), 0.0)


def rosenbrock(x: Point) -> Value:
    """Return Rosenbrock's function, a block for each pair of coordinates."""
    x1, x2 = x[0::2], x[1::2]
    return jnp.sum(100 * (x2 - x1**2) ** 2 + (1 - x1) ** 2)


def beale(x: Point) -> Value:
    """Return Beale's function."""
    powers = jnp.stack([x[1], x[1] ** 2, x[1] ** 3])
    return jnp.sum((jnp.asarray((1.5, 2.25, 2.625), x.dtype) - x[0] * (1 - powers)) ** 2)


def branin(x: Point) -> Value:
    """Return Branin's function, a sum of a square, a squared cosine and the minimum, which can't round to below it."""
    valley = x[1] - 5.1 / (4 * math.pi**2) * x[0] ** 2 + 5 / math.pi * x[0] - 6
    return valley**2 + 20 * (1 - 1 / (8 * math.pi)) * jnp.cos(x[0] / 2) ** 2 + 5 / (4 * math.pi)


def himmelblau(x: Point) -> Value:
    """Return Himmelblau's function."""
    return (x[0] ** 2 + x[1] - 11) ** 2 + (x[0] + x[1] ** 2 - 7) ** 2


def rastrigin(x: Point) -> Value:
    """Return Rastrigin's function, with 2 sin(a)^2 for 1 - cos(2 a), which can't round to below 0."""
    return jnp.sum(x**2 + 20 * jnp.sin(math.pi * x) ** 2)


def ackley(x: Point) -> Value:
    """Return Ackley's function, by exponentials less their value at the minimum; the gradient at its kink is 0."""
    distance = safe_sqrt(jnp.mean(x**2))
    return -20 * jnp.expm1(-0.2 * distance) - math.e * jnp.expm1(-2 * jnp.mean(jnp.sin(math.pi * x) ** 2))


def styblinski_tang(x: Point) -> Value:
    """Return Styblinski and Tang's function."""
    return jnp.sum(x**4 - 16 * x**2 + 5 * x) / 2


def levy(x: Point) -> Value:
    """Return Levy's function."""
    w = 1 + (x - 1) / 4
    inner = jnp.sum((w[:-1] - 1) ** 2 * (1 + 10 * jnp.sin(math.pi * w[:-1] + 1) ** 2))
    last = (w[-1] - 1) ** 2 * (1 + jnp.sin(2 * math.pi * w[-1]) ** 2)
    return jnp.sin(math.pi * w[0]) ** 2 + inner + last


def powell_singular(x: Point) -> Value:
    """Return Powell's singular function, a block for each four coordinates."""
    x1, x2, x3, x4 = (x[i::4] for i in range(4))
    return jnp.sum((x1 + 10 * x2) ** 2 + 5 * (x3 - x4) ** 2 + (x2 - 2 * x3) ** 4 + 10 * (x1 - x4) ** 4)


def wood(x: Point) -> Value:
    """Return Wood's function."""
    x1, x2, x3, x4 = x
    squares = 100 * (x2 - x1**2) ** 2 + (1 - x1) ** 2 + 90 * (x4 - x3**2) ** 2 + (1 - x3) ** 2
    return squares + 10 * (x2 + x4 - 2) ** 2 + (x2 - x4) ** 2 / 10


def helical_valley(x: Point) -> Value:
    """Return the helical valley, with an angle from -1/4 to 3/4 of a circle, as published; on the axis it is 0."""
    x1, x2, x3 = x
    on_axis = x1**2 + x2**2 == 0
    angle = jnp.arctan2(jnp.where(on_axis, 0.0, x2), jnp.where(on_axis, 1.0, x1)) / (2 * math.pi)
    angle = jnp.where(angle < -0.25, angle + 1, angle)
    return 100 * ((x3 - 10 * angle) ** 2 + (safe_sqrt(x1**2 + x2**2) - 1) ** 2) + x3**2


def freudenstein_roth(x: Point) -> Value:
    """Return Freudenstein and Roth's function."""
    x1, x2 = x
    return (-13 + x1 + ((5 - x2) * x2 - 2) * x2) ** 2 + (-29 + x1 + ((x2 + 1) * x2 - 14) * x2) ** 2


def brown_dennis(x: Point) -> Value:
    """Return Brown and Dennis's function."""
    t = np.arange(1, 21) / 5
    times, exponential, sine, cosine = (jnp.asarray(a, x.dtype) for a in (t, np.exp(t), np.sin(t), np.cos(t)))
    return jnp.sum(((x[0] + times * x[1] - exponential) ** 2 + (x[2] + sine * x[3] - cosine) ** 2) ** 2)


#: The stationary points of styblinski_tang in one coordinate are roots of 4 x^3 - 32 x + 5; this is the least.
TANG = 2 * math.sqrt(8 / 3) * math.cos(math.acos(-5 / 8 * (3 / 8) ** 1.5) / 3 + 2 * math.pi / 3)

#: Newton's method in extended precision; the published minimum has six digits, 85822.2, and no minimiser.
DENNIS = (-11.594439904762165, 13.203630051207204, -0.40343948817685952, 0.23677877445573630)

FUNCTIONS = {
    "rosenbrock": Function(rosenbrock, (1, 1), (-1.2, 1), MORE, 1e-6, extends=True),
    "beale": Function(beale, (3, 0.5), (1, 1), MORE, 1e-6),
    "branin": Function(branin, (math.pi, 2.275), (2.5, 7.5), LIBRARY, 1e-5, 5 / (4 * math.pi)),
    "himmelblau": Function(himmelblau, (3, 2), (0, 0), HIMMELBLAU, 1e-6),
    "rastrigin": Function(rastrigin, (0,), 5.12, LIBRARY, 5.0, extends=True, blocks=2),
    "ackley": Function(ackley, (0,), 32.768, LIBRARY, 1.0, extends=True, blocks=2),
    "styblinski_tang": Function(
        styblinski_tang, (TANG,), 5, LIBRARY, 1e-3, (TANG**4 - 16 * TANG**2 + 5 * TANG) / 2, extends=True, blocks=2
    ),
    "levy": Function(levy, (1,), 10, LIBRARY, 1.0, extends=True, blocks=2),
    "powell_singular": Function(powell_singular, (0, 0, 0, 0), (3, -1, 0, 1), MORE, 1e-6, extends=True),
    "wood": Function(wood, (1, 1, 1, 1), (-3, -1, -3, -1), MORE, 1e-6),
    "helical_valley": Function(helical_valley, (1, 0, 0), (-1, 0, 0), MORE, 1e-6),
    "freudenstein_roth": Function(freudenstein_roth, (5, 4), (0.5, -2), MORE, 1e-3),
    "brown_dennis": Function(brown_dennis, DENNIS, (25, 5, -5, -1), MORE, 1.0, 85822.20162635634),
}
