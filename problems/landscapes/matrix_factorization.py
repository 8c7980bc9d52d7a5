"""A matrix written as a product of two thin ones."""

import jax
import jax.numpy as jnp
import numpy as np
from jaxtyping import Array, Float

from optbench.problems import accept, section
from optbench.problems.problem import Batch, Problem

RUNGS = ({"condition": 10.0}, {"condition": 100.0}, {"condition": 100.0, "imbalance": 10.0})

Factors = dict[str, Float[Array, "..."]]


def matrix_factorization(
    rows: int = 20,
    columns: int = 15,
    rank: int = 3,
    condition: float = 10.0,
    tail: float = 0.0,
    init_scale: float = 0.1,
    imbalance: float = 1.0,
    seed: int = 0,
) -> Problem:
    """Factor a matrix: strict saddles as plateaus, and minima that differ in sharpness, which bounds the step.

    f(U, V) = 1/2 |U V' - M|^2, summed over the entries, for U[rows, rank] and V[columns, rank]. The first `rank`
    singular values of M are log-spaced from 1 to 1/condition, and all others are `tail` times the smallest of them.
    There are no local minima besides the global ones: where some of the singular values are fitted and the others
    not, f is half the sum of squares of the others and the gradient vanishes, so a small start passes by
    plateaus at those heights. Columns of U and V start normal, of norm about `init_scale`; U times, and V over,
    `imbalance`. The metric `sharpness` is the largest eigenvalue of the Gauss-Newton matrix, |U|^2 + |V|^2 in spectral
    norms: at a minimum without tail it is that of the Hessian, at least 2, and the larger the less balanced.
    The target leaves a hundredth of the lowest plateau, 0.01/2 condition^-2, above the floor. With condition=10 tuned
    gradient descent gets there in 150 steps and lbfgs in 19; with 100 lbfgs in 58, momentum in 175, gradient
    descent not in 500; with imbalance=10 as well, lbfgs alone, in 260.

    Optimum: half the sum of squares of the omitted singular values (Eckart-Young).
    Source: P. Baldi, K. Hornik, Neural networks and principal component analysis: learning from examples without local
    minima, 1989; C. Eckart, G. Young, The approximation of one matrix by another of lower rank, 1936.
    """
    accept.whole("rows", rows)
    accept.whole("columns", columns)
    accept.whole("rank", rank)
    if rank > min(rows, columns):
        raise accept.refuse("rank", rank, f"at most {min(rows, columns)}, the lesser of rows and columns")
    accept.number("condition", condition, low=1)
    if rank == 1 and condition != 1:
        raise accept.refuse("condition", condition, "1 where rank=1: one singular value has no spread")
    accept.number("tail", tail, below=1)
    accept.positive("init_scale", init_scale)
    accept.positive("imbalance", imbalance)
    accept.whole("seed", seed, low=0)

    leading = np.geomspace(1, 1 / condition, rank)
    omitted = np.full(min(rows, columns) - rank, tail / condition)
    random = np.random.RandomState(seed)
    left, right = (np.linalg.qr(random.standard_normal((size, min(rows, columns))))[0] for size in (rows, columns))
    matrix = left * np.concatenate([leading, omitted]) @ right.T
    floor = float(0.5 * np.sum(omitted**2))

    def init(key: jax.Array) -> Factors:
        first, second = jax.random.split(key)
        return {
            "left": init_scale * imbalance * jax.random.normal(first, (rows, rank)) / rows**0.5,
            "right": init_scale / imbalance * jax.random.normal(second, (columns, rank)) / columns**0.5,
        }

    def value(factors: Factors) -> Float[Array, ""]:
        product = factors["left"] @ factors["right"].T
        return 0.5 * jnp.sum((product - jnp.asarray(matrix, product.dtype)) ** 2)

    def metrics(factors: Factors, data: Batch) -> dict[str, Float[Array, ""]]:
        tops = [jnp.linalg.eigvalsh(factor.T @ factor)[-1] for factor in factors.values()]
        return {"loss": value(factors), "sharpness": tops[0] + tops[1]}

    return Problem(
        init=init,
        loss=lambda factors, batch, key: value(factors),
        metrics=metrics,
        source=section(matrix_factorization, "Source"),
        steps=500,
        optimum=lambda: floor,
        minimiser=lambda: {"left": left[:, :rank] * leading**0.5, "right": right[:, :rank] * leading**0.5},
        targets={"train_loss": floor + 0.01 / 2 * condition**-2},
    )
