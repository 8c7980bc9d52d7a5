"""Least squares on a stream of fresh samples, whose target may move."""

from typing import Any

import jax
import jax.numpy as jnp
import numpy as np
from jaxtyping import Array, Float, Int

from optbench.problems import accept, parameters, section
from optbench.problems.problem import Problem

RUNGS = ({"drift": 0.0}, {"drift": 0.001}, {"drift": 0.005})

#: Updates after which the target rests, which are the default steps of a run.
_JOURNEY = 500


def online_regression(
    dim: int = 20, condition: float = 100.0, noise: float = 0.1, drift: float = 0.0, seed: int = 0
) -> Problem:
    """Learn from samples seen once, with noise that shrinks with the error, and keep up with a target that moves.

    1/2 mean (x'w - y)^2 for w[dim], 0 at the start; x is normal, with independent features of variances log-spaced
    from 1 to 1/condition, y = x'w*_t + noise e, with e normal. A batch misjudges the Hessian too, so the noise in the
    gradient scales with the error, and fades out with it where noise=0.
    The target w*_t turns by `drift` radians a step in a plane drawn, as w*, from `seed`, until it comes to rest in w*
    after 500 steps. All along w = 0 is 1 above the floor. The metric knows no step: it is the exact expected loss for
    the target at rest, w*. After 500 steps it says how well the moving target was tracked, before how far w is from
    where the target is going; the loss of the batches is that of the moving target.
    The target is 0.03 above the floor. Where nothing drifts, sgd at 0.3 gets there in 20 steps; with a drift all ten
    do, but only as w*_t nears its place of rest, and it is the last loss that tells how close they keep.

    Optimum: noise^2 / 2, at w*.
    Source: B. Widrow, J. M. McCool, M. G. Larimore, C. R. Johnson, Stationary and nonstationary learning
    characteristics of the LMS adaptive filter, 1976.
    """
    accept.whole("dim", dim, low=2)
    accept.number("condition", condition, low=1)
    accept.number("noise", noise)
    accept.number("drift", drift)
    accept.whole("seed", seed, low=0)
    variance, aims = _parts(dim, condition, seed)
    floor = noise**2 / 2

    def sample(key: jax.Array, batch_size: int, step: Int[Array, ""]) -> tuple[Array, Array]:
        features_key, noise_key = jax.random.split(key)
        draws = jax.random.normal(features_key, (batch_size, dim))
        x = draws * jnp.asarray(np.sqrt(variance), draws.dtype)[None, :]
        angle = drift * jnp.maximum(_JOURNEY - step, 0).astype(x.dtype)
        w, ahead = jnp.asarray(aims, x.dtype)
        target = jnp.cos(angle) * w + jnp.sin(angle) * ahead
        return x, x @ target + noise * jax.random.normal(noise_key, (batch_size,))

    def loss(w: Float[Array, " dim"], batch: tuple[Array, Array], key: jax.Array) -> Float[Array, ""]:
        x, y = batch
        return 0.5 * jnp.mean((x @ w - y) ** 2)

    def metrics(w: Float[Array, " dim"], data: Any) -> dict[str, Float[Array, ""]]:
        error = w - jnp.asarray(aims[0], w.dtype)
        return {"loss": 0.5 * jnp.sum(jnp.asarray(variance, w.dtype) * error**2) + floor}

    return Problem(
        init=lambda key: jnp.zeros(dim),
        loss=loss,
        metrics=metrics,
        source=section(online_regression, "Source"),
        sample=sample,
        steps=_JOURNEY,
        batch_size=8,
        optimum=lambda: floor,
        minimiser=lambda: aims[0],
        targets={"train_loss": floor + 0.03},
        noisy_loss=True,
    )


def expected_losses_of_sgd(
    num_steps: int, learning_rate: float, batch_size: int, **settings: Any
) -> Float[np.ndarray, " step"]:
    """Return the expected metric of `online_regression(**settings)` after 0 to `num_steps` steps of gradient descent.

    With S the covariance of x, an average A over a batch of x x' has E A M A = S M S + (S M S + S tr(S M)) / batch_size
    for any symmetric M: the mean and the second moment of w - w*_t each follow a recursion of their own.
    """
    settings = parameters(online_regression) | settings
    variance, aims = _parts(settings["dim"], settings["condition"], settings["seed"])
    angle = settings["drift"] * np.maximum(_JOURNEY - np.arange(num_steps + 1), 0)
    targets = np.cos(angle)[:, None] * aims[0] + np.sin(angle)[:, None] * aims[1]
    decay = 1 - learning_rate * variance
    mean = -targets[0]
    second = np.outer(mean, mean)
    losses = np.empty(num_steps + 1)
    for step in range(num_steps + 1):
        # w - w* is w - w*_t plus the remaining way of the target
        rest = targets[step] - aims[0]
        losses[step] = variance @ (np.diag(second) + 2 * mean * rest + rest**2) / 2 + settings["noise"] ** 2 / 2
        if step < num_steps:
            spread = np.outer(variance, variance) * second
            spread += np.diag(variance) * (variance @ np.diag(second) + settings["noise"] ** 2)
            second = np.outer(decay, decay) * second + learning_rate**2 / batch_size * spread
            mean = decay * mean
            shift = targets[step] - targets[step + 1]
            second += np.outer(mean, shift) + np.outer(shift, mean) + np.outer(shift, shift)
            mean = mean + shift
    return losses


def _parts(dim: int, condition: float, seed: int) -> tuple[Float[np.ndarray, " dim"], Float[np.ndarray, "2 dim"]]:
    """Return the variances of the features, and w* with the target a quarter of a turn before it."""
    variance = np.geomspace(1, 1 / condition, dim)
    first, second = np.random.RandomState(seed).standard_normal((2, dim))
    # at a right angle in the metric of the loss, so that turning doesn't change the loss of w = 0
    second -= first * (variance @ (first * second)) / (variance @ first**2)
    aims = np.stack([first, second])
    return variance, aims * np.sqrt(2 / (aims**2 @ variance))[:, None]
