"""The objective that optimizers are compared by if no metric is named: the gap to the optimum, or the train loss."""

import numpy as np
from jaxtyping import Float

from optbench.analyse.outcomes import Outcomes
from optbench.analyse.statistics import median
from optbench.store.record import CellResults


def objective(trials: Outcomes, results: CellResults) -> Float[np.ndarray, "seed point"]:
    """Return the gap of each trial to the optimum if it is known, else the train loss."""
    losses = trials.ends["train_loss"]
    return losses if results.optimum is None else gap(losses, results.optimum, trials.dtype)


def gap(losses: Float[np.ndarray, "*any"], optimum: float, dtype: str) -> Float[np.ndarray, "*any"]:
    """Return losses less the optimum, and 0 for differences that rounding explains."""
    above = losses - optimum
    # Losses near an optimum are sums of terms of its size.
    return np.where(above <= 4 * rounding(dtype) * abs(optimum), 0.0, above)


def initial_objective(trials: Outcomes, results: CellResults) -> float:
    """Return the median over seeds of the objective before the first update."""
    return median(trials.start[:, 0]) - (results.optimum or 0.0)


def rounding(dtype: str) -> float:
    """Return the spacing at 1 of the numbers that a dtype's losses are: bfloat16 takes them in float32."""
    return {"float64": 2.0**-52, "float32": 2.0**-23, "bfloat16": 2.0**-23}[dtype]


def progress(value: float, best: float, start: float, dtype: str) -> float:
    """Return the progress from the start to a value as a share of the progress to the best, in the logarithm.

    It lies between 0, for a value no better than the start, and 1. Losses below rounding count as rounding; if the
    best is below zero, the share is linear.
    """
    if not value < start:
        return 0.0
    # At an earlier step than the one it was chosen by, the best may be behind.
    if value <= best:
        return 1.0
    if best < 0:
        return (start - value) / (start - best)
    least = max(best, rounding(dtype) * start)
    return float(np.log(start / max(value, least)) / np.log(start / least))
