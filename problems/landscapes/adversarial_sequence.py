"""Linear losses in a row that lead Adam to the worst point of an interval."""

import jax
import jax.numpy as jnp
from jaxtyping import Array, Float, Int

from optbench.problems import accept, section
from optbench.problems.problem import Batch, Problem

RUNGS = ({"period": 10, "spike": 12.0}, {"period": 100, "spike": 110.0}, {"period": 200, "spike": 220.0})


def adversarial_sequence(period: int = 200, spike: float = 220.0, shuffled: bool = False) -> Problem:
    """Follow the mean of rare large gradients and many small ones against it: Adam fails where AMSGrad doesn't.

    A step's loss is a slope times x, for one x from -1 to 1, clipped after each update, 0 at the start. The slope is
    `spike` once in `period` steps, at steps 0, period, 2 period, ..., and -1 otherwise; or, if `shuffled`, `spike`
    with a chance of 1/period for each example, by its key. All are divided by their mean, which is above 0, so the
    metric, the expected loss over a period, is x + 1: 1 at the start, 0 at -1, 2 at +1. Adam's average of squares falls
    between spikes, so its steps away from -1 outgrow those towards it, and it goes to +1: a loss above the initial
    one, which counts as diverged. With its default betas it does so at every learning rate; slopes 3, -1, -1
    (period=3, spike=3) need b1=0 and b2=0.1, as in the paper's proof.
    The target is 0.3. In 2000 steps amsgrad at 0.32 ends at 0.23, tuned sgd at 0.6, and adam never below 1. A spike
    may throw an iterate below the target for a moment, so judge by the last loss: the last step is the one before a
    spike, where an iterate that goes to and fro is worst.

    Optimum: 0, at -1.
    Source: S. J. Reddi, S. Kale, S. Kumar, On the Convergence of Adam and Beyond, 2018.
    """
    accept.whole("period", period, low=2)
    accept.positive("spike", spike)
    if spike <= period - 1:
        raise accept.refuse("spike", spike, f"a number above {period - 1}, the sum of the other slopes of a period")
    accept.flag("shuffled", shuffled)
    mean = (spike - (period - 1)) / period

    def sample(key: jax.Array, batch_size: int, step: Int[Array, ""]) -> Float[Array, " example"]:
        if shuffled:
            rare = jax.random.uniform(key, (batch_size,)) < 1 / period
        else:
            rare = jnp.full((batch_size,), step % period == 0)
        return jnp.where(rare, jnp.asarray(spike / mean, float), -1 / mean)

    def loss(x: Float[Array, ""], batch: Batch, key: jax.Array) -> Float[Array, ""]:
        return jnp.mean(batch) * x

    def project(x: Float[Array, ""]) -> Float[Array, ""]:
        return jnp.clip(x, -1, 1)

    return Problem(
        init=lambda key: jnp.zeros(()),
        loss=loss,
        # projected, as some optimizers are evaluated at an average of iterates that isn't
        metrics=lambda x, data: {"loss": project(x) + 1},
        source=section(adversarial_sequence, "Source"),
        sample=sample,
        steps=max(1, 2000 // period) * period,
        batch_size=1,
        optimum=lambda: 0.0,
        targets={"train_loss": 0.3},
        project=project,
        noisy_loss=True,
    )
