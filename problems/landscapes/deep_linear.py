"""A product of square matrices fitted to a linear map."""

import functools
import itertools
from typing import Literal, get_args

import jax
import jax.numpy as jnp
import numpy as np
from jaxtyping import Array, Float

from optbench.problems import accept, section
from optbench.problems.problem import Batch, Problem

RUNGS = ({"depth": 2}, {"depth": 4}, {"depth": 8})

Init = Literal["orthogonal", "gaussian", "aligned"]
Layers = list[Float[Array, "dim dim"]]


def deep_linear(
    depth: int = 3,
    dim: int = 6,
    condition: float = 5.0,
    init_scale: float = 1.0,
    init: Init = "gaussian",
    seed: int = 0,
) -> Problem:
    """Fit a linear map by a product of matrices: plateaus and stiffness that grow with depth alone.

    f = 1/2 |W_depth ... W_1 - M|^2, summed over the entries, for square matrices of size `dim`: a linear network on
    whitened inputs. The singular values s of M are log-spaced from 1 to 1/condition. Each W starts as `init_scale`
    times a random orthogonal matrix, or a normal one of variance 1/dim (gaussian); aligned draws orthogonal ones whose
    product has the singular vectors of M. Then the modes decouple: under gradient flow mode u follows
    du/dt = depth u^(2 - 2/depth) (s - u) from init_scale^depth, for depth=2 the logistic curve, so larger s are learned
    first. One row of W_1 is reflected where that gives the product's determinant the sign of that of M:
    balanced flows never cross from one sign to the other.
    The target is a hundredth of what is left when all but the smallest s are fitted, 0.01/2 condition^-2. Tuned
    adam gets there in 91 steps at depth 2, 172 at depth 4, 361 at depth 8; gradient descent in 56, 226, and not in 500.

    Optimum: 0, where the product is M.
    Source: A. M. Saxe, J. L. McClelland, S. Ganguli, Exact solutions to the nonlinear dynamics of learning in deep
    linear neural networks, 2014.
    """
    accept.whole("depth", depth)
    accept.whole("dim", dim)
    accept.number("condition", condition, low=1)
    if dim == 1 and condition != 1:
        raise accept.refuse("condition", condition, "1 where dim=1: one singular value has no spread")
    accept.positive("init_scale", init_scale)
    accept.choice("init", init, get_args(Init))
    accept.whole("seed", seed, low=0)

    singular = np.geomspace(1, 1 / condition, dim)
    random = np.random.RandomState(seed)
    left, right = (np.linalg.qr(random.standard_normal((dim, dim)))[0] for _ in range(2))
    target = left * singular @ right.T
    orientation = float(np.sign(np.linalg.det(left) * np.linalg.det(right)))

    def draw(key: jax.Array) -> Layers:
        normal = jax.random.normal(key, (depth, dim, dim))
        layers = normal / dim**0.5 if init == "gaussian" else jnp.linalg.qr(normal)[0]
        if init == "aligned":
            ends = [jnp.asarray(end, normal.dtype)[None] for end in (right, left)]
            frames = jnp.concatenate([ends[0], layers[1:], ends[1]])
            layers = frames[1:] @ frames[:-1].mT
        else:
            sign = orientation * jnp.prod(jnp.linalg.slogdet(layers)[0])
            layers = layers.at[0, 0].multiply(jnp.where(sign < 0, -1, 1))
        return list(init_scale * layers)

    def value(layers: Layers) -> Float[Array, ""]:
        product = functools.reduce(lambda below, layer: layer @ below, layers)
        return 0.5 * jnp.sum((product - jnp.asarray(target, product.dtype)) ** 2)

    def minimiser() -> list[Float[np.ndarray, "dim dim"]]:
        share = np.diag(singular ** (1 / depth))
        frames = [right, *[np.eye(dim)] * (depth - 1), left]
        return [above @ share @ below.T for below, above in itertools.pairwise(frames)]

    def metrics(layers: Layers, data: Batch) -> dict[str, Float[Array, ""]]:
        return {"loss": value(layers)}

    return Problem(
        init=draw,
        loss=lambda layers, batch, key: value(layers),
        metrics=metrics,
        source=section(deep_linear, "Source"),
        steps=500,
        optimum=lambda: 0.0,
        minimiser=minimiser,
        targets={"train_loss": 0.01 / 2 * condition**-2},
    )
