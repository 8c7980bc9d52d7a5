"""A basin inside a cliff inside a plateau."""

import math

import jax
import jax.numpy as jnp
import numpy as np
from jaxtyping import Array, Float

from optbench.problems import accept, section
from optbench.problems.problem import Problem

RUNGS = ({"scale": 2.0}, {"scale": 6.0}, {"scale": 12.0})


def plateau(dim: int = 10, scale: float = 6.0, radius: float = 1.5) -> Problem:
    """Cross a plateau and fall off a cliff: steps that suit the one are too long or too short for the other.

    f(x) = 1 - sigmoid(scale (1 - q)) / (1 + q), q = |x - c|^2, for x[dim]: a bowl around c, near q/(1 + q), inside a
    cliff at q = 1 that is `scale` steep, inside a plateau near 1. Its slope in q is sigmoid(scale (1 - q)) times
    (1 + scale (1 + q) sigmoid(scale (q - 1))) / (1 + q)^2, which on the plateau falls as exp(-scale (q - 1)).
    x0 is `radius` away from c, in a direction from the trial's key. The origin is as far from c, so that weight decay,
    which pulls there, has nothing to gain.
    The target is 1e-3 above the floor, with the plateau and the cliff behind. At scale 12 tuned adam and muon get there
    in 120 steps, rmsprop, amsgrad and lion in 160 to 170, while sgd, with momentum or without, and adagrad stay
    outside: a step that is long enough for the plateau leaps off the cliff. At scale 2 all get there.

    Optimum: 1 / (1 + exp(scale)), at c.
    Source: T. Schaul, I. Antonoglou, D. Silver, Unit Tests for Stochastic Optimization, 2013.
    """
    accept.whole("dim", dim)
    accept.positive("scale", scale)
    accept.number("radius", radius, low=1)
    centre = radius / math.sqrt(dim)
    floor = 1 / (1 + math.exp(scale))

    def init(key: jax.Array) -> Float[Array, " dim"]:
        direction = jax.random.normal(key, (dim,))
        return centre + radius * direction / jnp.linalg.norm(direction)

    def value(x: Float[Array, " dim"]) -> Float[Array, ""]:
        q = jnp.sum((x - centre) ** 2)
        # in this form the gradient is a sum of terms of one sign: no digit of it is lost on the plateau
        return 1 - jax.nn.sigmoid(scale * (1 - q)) / (1 + q)

    return Problem(
        init=init,
        loss=lambda x, batch, key: value(x),
        metrics=lambda x, data: {"loss": value(x)},
        source=section(plateau, "Source"),
        steps=500,
        optimum=lambda: floor,
        minimiser=lambda: np.full(dim, centre),
        targets={"train_loss": floor + 1e-3},
    )
