"""Regression with a power law in its spectrum and in its signal, after which the loss falls as a power of the steps."""

import jax
import jax.numpy as jnp
import numpy as np
from jaxtyping import Array, Float

from optbench.problems import accept, section
from optbench.problems.problem import Batch, Problem

RUNGS = ({"signal": 3.0}, {"signal": 2.0}, {"signal": 1.3})


def power_law_regression(
    dim: int = 200,
    spectrum: float = 1.5,
    signal: float = 2.0,
    rotated: bool = True,
    streaming: bool = False,
    seed: int = 0,
) -> Problem:
    """Read off an exponent: where every scale holds some of the signal, the loss is a power of the steps.

    1/2 (w - w*)' H (w - w*) for w[dim], 0 at the start. Along the i-th eigenvector of H the eigenvalue is i^-spectrum,
    and the loss at the start is in proportion to i^-signal, 1 in all. `seed` rotates the eigenvectors off the axes.
    Gradient descent at a learning rate of 1 has fitted, after t steps, what lies along eigenvalues above 1/t: its loss
    falls as t^-((signal - 1) / spectrum), until t nears dim^spectrum.
    With `streaming` a batch is of examples (x, x'w*), with normal x of covariance H: free of other noise, so that the
    noise of the gradient fades out with the error. The metric is the exact expected loss.
    The target is 0.01: momentum at 3 gets there in 37 steps, gradient descent at 1 in 139, and with signal=1.3 in 55
    and never in 500.

    Optimum: 0, at w*.
    Source: B. Bordelon, C. Pehlevan, Learning Curves for SGD on Structured Features, 2021.
    """
    accept.whole("dim", dim)
    accept.positive("spectrum", spectrum)
    accept.positive("signal", signal)
    accept.flag("rotated", rotated)
    accept.flag("streaming", streaming)
    accept.whole("seed", seed, low=0)
    index = np.arange(1, dim + 1, dtype=float)
    # H = root root', so that the loss is a sum of squares
    root = index ** (-spectrum / 2)
    power = index**-signal
    minimiser = np.sqrt(2 * power / power.sum()) / root
    if rotated:
        axes = np.linalg.qr(np.random.RandomState(seed).standard_normal((dim, dim)))[0]
        root, minimiser = axes * root, axes @ minimiser

    def errors(w: Float[Array, " dim"]) -> Float[Array, " eigenvector"]:
        difference, scale = w - jnp.asarray(minimiser, w.dtype), jnp.asarray(root, w.dtype)
        return difference @ scale if rotated else difference * scale

    # a batch holds each x as root^-1 x, whose entries are independent
    def loss(w: Float[Array, " dim"], batch: Batch, key: jax.Array) -> Float[Array, ""]:
        return 0.5 * (jnp.mean((batch @ errors(w)) ** 2) if streaming else jnp.sum(errors(w) ** 2))

    def sample(key: jax.Array, batch_size: int, step: jax.Array) -> Float[Array, "example eigenvector"]:
        return jax.random.normal(key, (batch_size, dim))

    return Problem(
        init=lambda key: jnp.zeros(dim),
        loss=loss,
        metrics=lambda w, data: {"loss": 0.5 * jnp.sum(errors(w) ** 2)},
        source=section(power_law_regression, "Source"),
        sample=sample if streaming else None,
        steps=500,
        batch_size=32 if streaming else "full",
        optimum=lambda: 0.0,
        minimiser=lambda: minimiser,
        targets={"train_loss": 0.01},
        noisy_loss=streaming,
    )
