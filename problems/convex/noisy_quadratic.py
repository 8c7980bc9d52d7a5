"""A noisy quadratic with a power-law spectrum: the expected loss of gradient descent is known at every step."""

from typing import Any, Literal, get_args

import jax
import jax.numpy as jnp
import numpy as np
from jaxtyping import Array, Float

from optbench.problems import accept, parameters, section
from optbench.problems.problem import Batch, Problem

Covariance = Literal["hessian", "isotropic"]

RUNGS = ({"noise": 0.1}, {"noise": 1.0}, {"noise": 3.0})


def noisy_quadratic(
    dim: int = 100, power: float = 1.0, covariance: Covariance = "hessian", noise: float = 1.0, seed: int = 0
) -> Problem:
    """Buy steps with batch size: perfect scaling while noise rules, then a plateau where curvature does.

    f(x) = 1/2 sum_i h_i (x_i - x*_i)^2 with h_i = i^-power for x[dim], from x0 = 0, where f = 1; x* comes from `seed`.
    The gradient of one example adds a normal vector to that of f. Its covariance is noise^2 H (hessian), as where
    examples differ most along curved axes, or noise^2 mean(h) I (isotropic), with the same trace. The noise leaves the
    metric exact. Only noise^2 / batch_size matters: ten times the noise is a batch a hundredth of the size.
    The target is 0.02. In 500 steps with batches of 16, adam at 0.01 gets there after 280, and tuned sgd ends at
    0.024; with a tenth of the noise all but lion and rmsprop need less than 200, and with three times the noise none
    gets there.

    Optimum: 0, at x*.
    Source: G. Zhang, L. Li, Z. Nado, J. Martens, S. Sachdeva, G. E. Dahl, C. J. Shallue, R. Grosse, Which Algorithmic
    Choices Matter at Which Batch Sizes? Insights From a Noisy Quadratic Model, 2019.
    """
    accept.whole("dim", dim)
    accept.number("power", power)
    accept.choice("covariance", covariance, get_args(Covariance))
    accept.number("noise", noise)
    accept.whole("seed", seed, low=0)
    eigenvalues, variance, minimiser = _parts(dim, power, covariance, noise, seed)
    deviation = np.sqrt(variance)

    def value(x: Float[Array, " dim"]) -> Float[Array, ""]:
        return 0.5 * jnp.sum(jnp.asarray(eigenvalues, x.dtype) * (x - jnp.asarray(minimiser, x.dtype)) ** 2)

    # measured from x*, so that the loss of a batch is near that of f
    def loss(x: Float[Array, " dim"], batch: Batch, key: jax.Array) -> Float[Array, ""]:
        return value(x) + jnp.mean(batch, axis=0) @ (x - jnp.asarray(minimiser, x.dtype))

    def sample(key: jax.Array, batch_size: int, step: jax.Array) -> Float[Array, "example dim"]:
        draws = jax.random.normal(key, (batch_size, dim))
        return draws * jnp.asarray(deviation, draws.dtype)[None, :]

    return Problem(
        init=lambda key: jnp.zeros(dim),
        loss=loss,
        metrics=lambda x, data: {"loss": value(x)},
        source=section(noisy_quadratic, "Source"),
        sample=sample,
        steps=500,
        batch_size=16,
        optimum=lambda: 0.0,
        minimiser=lambda: minimiser,
        targets={"train_loss": 0.02},
        noisy_loss=True,
    )


def expected_loss_of_sgd(
    steps: Float[np.ndarray, " record"], learning_rate: float, batch_size: int, **settings: Any
) -> Float[np.ndarray, " record"]:
    """Return the expected loss of `noisy_quadratic(**settings)` after so many steps of stochastic gradient descent.

    Axes don't mix: a distance d_i becomes (1 - r h_i) d_i plus noise of variance r^2 c_i / batch_size, step by step,
    where r is the learning rate and c_i the variance of one example's gradient. So E d_i^2 is a geometric sum.
    """
    eigenvalues, variance, minimiser = _parts(**(parameters(noisy_quadratic) | settings))
    decay = (1 - learning_rate * eigenvalues) ** 2
    power = decay ** np.asarray(steps, float)[:, None]
    noise_sums = np.divide(
        1 - power,
        1 - decay,
        out=np.broadcast_to(np.asarray(steps, float)[:, None], power.shape).copy(),
        where=decay != 1,
    )
    moments = power * minimiser**2 + learning_rate**2 * variance / batch_size * noise_sums
    return moments @ eigenvalues / 2


def _parts(dim: int, power: float, covariance: Covariance, noise: float, seed: int) -> tuple[np.ndarray, ...]:
    """Return the eigenvalues, the variances of one example's gradient, and x*, each [dim]."""
    eigenvalues = np.arange(1, dim + 1) ** -float(power)
    minimiser = np.random.RandomState(seed).standard_normal(dim)
    minimiser *= np.sqrt(2 / np.sum(eigenvalues * minimiser**2))
    shape = eigenvalues if covariance == "hessian" else np.full(dim, eigenvalues.mean())
    return eigenvalues, noise**2 * shape, minimiser
