"""Every optimizer of the suite, by name."""

from collections.abc import Iterable, Mapping

from optbench.optimizers import (
    adam,
    adaptive,
    curvature,
    gradient_descent,
    layerwise,
    learning_rate_free,
    schedule_free,
)
from optbench.optimizers.optimizer import NEEDS, Optimizer
from optbench.optimizers.weight_decay import decoupled

__all__ = ["NEEDS", "Optimizer", "catalogue", "decoupled"]

_TABLES = tuple(
    module.TABLE
    for module in (adam, adaptive, curvature, gradient_descent, layerwise, learning_rate_free, schedule_free)
)


def catalogue() -> dict[str, Optimizer]:
    """Return all entries sorted by name."""
    return merge(_TABLES)


def merge(tables: Iterable[Mapping[str, Optimizer]]) -> dict[str, Optimizer]:
    """Merge tables, sorted by name; a name given twice raises ValueError."""
    entries: dict[str, Optimizer] = {}
    for table in tables:
        if twice := entries.keys() & table.keys():
            raise ValueError(f"optimizers given twice: {', '.join(sorted(twice))}")
        entries |= table
    return dict(sorted(entries.items()))
