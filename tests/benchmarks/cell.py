"""The cell that every way trains: AdamW on the digits network, 8 learning rates x 4 weight decays x 3 seeds.

200 steps of batches of 128 in float32, and the loss and accuracy on train and test data at 21 records.
"""

from functools import cache

import jax
import numpy as np

from optbench import problems
from optbench.problems.problem import Problem
from optbench.sweep.streams import batch_rows, key_data

STEPS, BATCH, EVERY = 200, 128, 10
RATES = np.geomspace(1e-4, 1e-1, 8)
DECAYS = np.array([0.0, 1e-3, 1e-2, 1e-1])
TRIALS = tuple(f"0/select/{seed}" for seed in range(3))
#: One (learning rate, weight decay) a row.
POINTS = np.stack(np.meshgrid(RATES, DECAYS, indexing="ij"), axis=-1).reshape(-1, 2)
METRICS = ("train_loss", "test_loss", "train_accuracy", "test_accuracy")
#: What every way returns: metrics, seeds, points, records.
SHAPE = (len(METRICS), len(TRIALS), len(POINTS), STEPS // EVERY + 1)

DEVICE = jax.devices()[0]


@cache
def problem() -> Problem:
    return problems.factory("mlp")(data="digits", width=64, depth=1)


@cache
def data():
    """Return the train and the test rows, on the host."""
    narrow = {"f": np.float32, "i": np.int32}
    return jax.tree.map(lambda a: np.asarray(a, narrow[a.dtype.kind]), (problem().train, problem().test))


@cache
def starts():
    """Return the initial parameters of each seed, on the host."""
    draw = jax.jit(lambda key: problem().init(jax.random.wrap_key_data(key)))
    return [jax.tree.map(np.asarray, draw(key)) for key in key_data(TRIALS, "init")[0]]


@cache
def batches() -> np.ndarray:
    """Return the rows [seed, step, example] of the batches."""
    return batch_rows(TRIALS, problem().num_rows, BATCH, 0, STEPS).swapaxes(0, 1)
