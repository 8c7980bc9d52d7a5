"""Classical test functions, from their published starts."""

import math
from typing import Literal, get_args

import jax
import jax.numpy as jnp
import numpy as np
from jaxtyping import Array, Float

from optbench.problems import accept
from optbench.problems.landscapes._classics import FUNCTIONS, Function
from optbench.problems.problem import Batch, Problem

Name = Literal[
    "rosenbrock",
    "beale",
    "branin",
    "himmelblau",
    "rastrigin",
    "ackley",
    "styblinski_tang",
    "levy",
    "powell_singular",
    "wood",
    "helical_valley",
    "freudenstein_roth",
    "brown_dennis",
]

RUNGS = ({"name": "beale"}, {"name": "rosenbrock"}, {"name": "wood"})


def test_function(name: Name = "rosenbrock", dim: int = 0, noise: float = 0.0) -> Problem:  # noqa: PT028
    """Minimise a classical test function: curved valleys, many minima, flatness.

    f(x) for x[dim] as published: `_classics.py` beside this file is the table of formulas, starts, minimisers, minima
    and sources. `dim` is a multiple of 2 for rosenbrock, of 4 for powell_singular, anything for rastrigin, ackley,
    styblinski_tang and levy, fixed for the others, and 0 for the function's own.
    Functions of Moré, Garbow and Hillstrom start where they say. For the others no start is published: branin starts
    in the middle of its box, himmelblau at the origin, the rest anywhere in the published box, by the trial's key.
    Curved valleys: rosenbrock, beale, helical_valley, wood, brown_dennis. Many minima: rastrigin, ackley, levy,
    styblinski_tang, branin and himmelblau (all of equal height), freudenstein_roth (one at 48.984, which is nearer to
    the start). Flat at the minimum: powell_singular, whose Hessian is singular there.
    Noise adds a normal of that standard deviation to each example's gradient, and leaves the metric exact.
    The target is 1e-6 above the minimum, and more where that isn't what tells optimizers apart: 1e-5 for branin and 1
    for brown_dennis, a hundred times the rounding of float32; 1e-3 for styblinski_tang and freudenstein_roth, 1 for
    ackley and levy, 5 for rastrigin, among many minima. Tuned lbfgs gets there in 22 steps on beale, 34 on rosenbrock
    and 81 on wood; momentum in 124 and 394, and not in 1000. On freudenstein_roth adam alone leaves the near minimum,
    at a rate of 10. In the median of ten starts, adagrad alone gets there on rastrigin (at 3, in 143 steps), and sgd on
    ackley (at 0.3, in 310, passing by) and levy (at 0.3, in 10): where many minima are, the start decides more than the
    optimizer does, so take many seeds.
    With noise it is at least noise |x0 - x*| sqrt(dim / (batch_size steps)), the rate of stochastic gradients.

    Optimum: 0; 5/(4 pi) for branin, -39.166 a coordinate for styblinski_tang, 85822.2016 for brown_dennis.
    Source: J. J. Moré, B. S. Garbow, K. E. Hillstrom, Testing Unconstrained Optimization Software, 1981;
    S. Surjanovic, D. Bingham, Virtual Library of Simulation Experiments: Test Functions and Datasets, 2013;
    D. M. Himmelblau, Applied Nonlinear Programming, 1972.
    """
    accept.choice("name", name, get_args(Name))
    function = FUNCTIONS[name]
    accept.whole("dim", dim, low=0)
    if dim % function.block or (dim > function.block and not function.extends):
        allowed = f"a multiple of {function.block}" if function.extends else f"{function.block}"
        raise accept.refuse("dim", dim, f"{allowed} for {name}, or 0 for its own")
    accept.number("noise", noise)

    blocks = dim // function.block or function.blocks
    minimiser = np.tile(np.asarray(function.minimiser, np.float64), blocks)
    optimum = blocks * function.optimum
    start = function.start
    steps, batch_size = 1000, 32
    rate = noise * _distance(function, blocks) * math.sqrt(minimiser.size / (batch_size * steps))

    def init(key: jax.Array) -> Float[Array, " dim"]:
        if isinstance(start, tuple):
            return jnp.tile(jnp.asarray(start, float), blocks)
        return jax.random.uniform(key, minimiser.shape, minval=-start, maxval=start)

    def loss(x: Float[Array, " dim"], batch: Batch, key: jax.Array) -> Float[Array, ""]:
        value = function.formula(x)
        return value + jnp.mean(batch, axis=0) @ (x - jnp.asarray(minimiser, x.dtype)) if noise else value

    def sample(key: jax.Array, batch_size: int, step: jax.Array) -> Float[Array, "example dim"]:
        return noise * jax.random.normal(key, (batch_size, minimiser.size))

    return Problem(
        init=init,
        loss=loss,
        metrics=lambda x, data: {"loss": function.formula(x)},
        source=function.source,
        sample=sample if noise else None,
        steps=steps,
        batch_size=batch_size if noise else "full",
        optimum=lambda: optimum,
        minimiser=lambda: minimiser,
        targets={"train_loss": optimum + max(function.gap, rate)},
        noisy_loss=noise > 0,
    )


def _distance(function: Function, blocks: int) -> float:
    """Return the distance from the start to the minimiser; for starts in a box, its root mean square to the middle."""
    if isinstance(function.start, tuple):
        return math.sqrt(blocks) * math.dist(function.start, function.minimiser)
    return function.start * math.sqrt(blocks * function.block / 3)
