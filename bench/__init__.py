"""Benchmark optimizers: `from optbench import load, run, supervised, throughput, tune, update_throughput`."""

from importlib import import_module
from typing import TYPE_CHECKING, Any

if TYPE_CHECKING:
    from optbench.problems.own_model import supervised
    from optbench.results import Run, load
    from optbench.runner.compare import compare_optimizers
    from optbench.runner.paths import plot_path
    from optbench.runner.recommend.recommend import recommend
    from optbench.runner.run import run
    from optbench.runner.time_cells import throughput
    from optbench.runner.time_updates import update_throughput
    from optbench.runner.tune import Tuned, tune

__all__ = [
    "Run",
    "Tuned",
    "compare_optimizers",
    "load",
    "plot_path",
    "recommend",
    "run",
    "supervised",
    "throughput",
    "tune",
    "update_throughput",
]

_HOMES = {
    "compare_optimizers": "optbench.runner.compare",
    "plot_path": "optbench.runner.paths",
    "recommend": "optbench.runner.recommend.recommend",
    "run": "optbench.runner.run",
    "load": "optbench.results",
    "Run": "optbench.results",
    "supervised": "optbench.problems.own_model",
    "throughput": "optbench.runner.time_cells",
    "tune": "optbench.runner.tune",
    "Tuned": "optbench.runner.tune",
    "update_throughput": "optbench.runner.time_updates",
}


def __getattr__(name: str) -> Any:
    # Late, so that what needs no jax doesn't wait for it.
    if name not in _HOMES:
        raise AttributeError(f"module 'optbench' has no attribute {name!r}")
    return getattr(import_module(_HOMES[name]), name)
