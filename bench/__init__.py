"""Benchmark optimizers: `from optbench import load, run, throughput, tune, update_throughput`."""

from importlib import import_module
from typing import TYPE_CHECKING, Any

if TYPE_CHECKING:
    from optbench.compare import compare_optimizers
    from optbench.execute import run
    from optbench.results import Run, load
    from optbench.timing import throughput
    from optbench.tuning import Tuned, tune
    from optbench.update_timing import update_throughput

__all__ = ["Run", "Tuned", "compare_optimizers", "load", "run", "throughput", "tune", "update_throughput"]

_HOMES = {
    "compare_optimizers": "optbench.compare",
    "run": "optbench.execute",
    "load": "optbench.results",
    "Run": "optbench.results",
    "throughput": "optbench.timing",
    "tune": "optbench.tuning",
    "Tuned": "optbench.tuning",
    "update_throughput": "optbench.update_timing",
}


def __getattr__(name: str) -> Any:
    # Late, so that what needs no jax doesn't wait for it.
    if name not in _HOMES:
        raise AttributeError(f"module 'bench' has no attribute {name!r}")
    return getattr(import_module(_HOMES[name]), name)
