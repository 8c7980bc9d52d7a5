"""What optimizers are compared by where nothing else is asked for: the gap to the optimum, or the train loss."""

import numpy as np
from jaxtyping import Float

from optbench.analyse.outcomes import Outcomes
from optbench.analyse.statistics import median
from optbench.store.record import CellResults


def objective(found: Outcomes, results: CellResults) -> Float[np.ndarray, "seed point"]:
    """Return the gap to the optimum where it is known, else the train loss."""
    losses = found.ends["train_loss"]
    return losses if results.optimum is None else gap(losses, results.optimum, found.dtype)


def gap(losses: Float[np.ndarray, "*any"], optimum: float, dtype: str) -> Float[np.ndarray, "*any"]:
    """Return losses less the optimum, and 0 where what is left is rounding."""
    above = losses - optimum
    # Losses near an optimum are sums of terms of its size.
    return np.where(above <= 4 * rounding(dtype) * abs(optimum), 0.0, above)


def start_of(found: Outcomes, results: CellResults) -> float:
    """Take what `objective` was before the first update: the median over seeds."""
    return median(found.start[:, 0]) - (results.optimum or 0.0)


def rounding(dtype: str) -> float:
    """Return the spacing of a dtype's numbers at 1."""
    return {"float64": 2.0**-52, "float32": 2.0**-23, "bfloat16": 2.0**-7}[dtype]


def kept(value: float, best: float, start: float, dtype: str) -> float:
    """Compute the share of the best's way from the start that a value has gone, in the logarithm: 1 at most.

    Ways end where rounding begins; 0 for what is no better than the start. Linear where the best is below zero.
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
