"""The axes of figures: their titles, whether they are logarithmic, and the edge that what diverged lies on."""

from collections.abc import Sequence
from math import inf

from optbench.analyse.trials import is_higher_better
from optbench.figures.figure import Options
from optbench.store.parts import Part

X_TITLES = {"steps": "steps", "examples": "examples", "gradients": "gradients", "seconds": "seconds"}


def metric_title(metric: str) -> str:
    """Name a metric as an axis does."""
    return {"gap": "gap to the optimum"}.get(metric, metric.replace("_", " "))


def is_logarithmic(values: Sequence[float], metric: str, options: Options) -> bool:
    """Tell whether an axis of values is logarithmic: as asked, else for losses of which none is below zero."""
    if options.log is False or not any(value > 0 for value in values):
        return False
    return options.log or metric == "gap" or (metric.endswith("loss") and min(values) >= 0)


def is_wide(values: Sequence[float]) -> bool:
    """Tell whether values are too far apart for a linear axis."""
    return bool(values) and max(values) > 8 * max(min(values), 0)


def worse_edge(metric: str, part: Part) -> float:
    """Return the end of an axis of values that what diverged lies beyond: infinity, or -infinity if more is better."""
    return -inf if metric != "gap" and is_higher_better(metric, part.results) else inf


def highest_shown(starts: Sequence[float], values: Sequence[float], log: bool) -> float:
    """Return the value from which on all is drawn on the upper edge: somewhat above the highest start."""
    if not starts:
        return inf
    start, low = max(starts), min(values, default=0.0)
    return 2 * start if log and start > 0 else start + 0.3 * max(start - low, 1e-12)
