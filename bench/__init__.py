"""Benchmark optimizers: `from bench import load, run, throughput, tune, update_throughput`."""

from importlib import import_module
from typing import TYPE_CHECKING, Any

if TYPE_CHECKING:
    from bench.compare import compare_optimizers
    from bench.execute import run
    from bench.tables import Run, load
    from bench.timing import throughput
    from bench.tuning import Tuned, tune
    from bench.update_timing import update_throughput

__all__ = ["Run", "Tuned", "compare_optimizers", "load", "run", "throughput", "tune", "update_throughput"]

_HOMES = {
    "compare_optimizers": "bench.compare",
    "run": "bench.execute",
    "load": "bench.tables",
    "Run": "bench.tables",
    "throughput": "bench.timing",
    "tune": "bench.tuning",
    "Tuned": "bench.tuning",
    "update_throughput": "bench.update_timing",
}


def __getattr__(name: str) -> Any:
    # Late, so that what needs no jax doesn't wait for it.
    if name not in _HOMES:
        raise AttributeError(f"module 'bench' has no attribute {name!r}")
    return getattr(import_module(_HOMES[name]), name)
