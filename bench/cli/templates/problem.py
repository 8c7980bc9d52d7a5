"""A problem of your own: `optbench run -p ./THIS_FILE.py:make -o adamw -o sgd`.

Write for one training run: `optbench` batches it over seeds and hyperparameters.
"""

import jax
import jax.numpy as jnp
import numpy as np

from optbench.problems.problem import Problem


def make(rows: int = 512, dim: int = 16, noise: float = 0.1) -> Problem:
    """Fit a line to noisy points."""
    rng = np.random.default_rng(0)
    x = rng.standard_normal((rows, dim))
    y = x @ rng.standard_normal(dim) + noise * rng.standard_normal(rows)

    def init(key: jax.Array) -> jax.Array:
        return jax.random.normal(key, (dim,))

    def loss(params, batch, key):
        inputs, targets = batch
        return jnp.mean((inputs @ params - targets) ** 2) / 2

    def metrics(params, data):
        return {"loss": loss(params, data, None)}

    return Problem(
        init=init,
        loss=loss,
        metrics=metrics,
        train=(x, y),
        batch_size=32,
        targets={"train_loss": noise**2},
        source="your name, your paper, its year",
    )
