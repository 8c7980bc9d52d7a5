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
    """Return all optimizers by name, sorted."""
    return merge(_TABLES)


def merge(tables: Iterable[Mapping[str, Optimizer]]) -> dict[str, Optimizer]:
    """Return the entries of tables, sorted by name. Raises ValueError for a name in two tables."""
    entries: dict[str, Optimizer] = {}
    for table in tables:
        if duplicates := entries.keys() & table.keys():
            raise ValueError(f"optimizers given twice: {', '.join(sorted(duplicates))}")
        entries |= table
    return dict(sorted(entries.items()))
