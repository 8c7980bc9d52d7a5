"""Compile without most optimizations in this folder alone: each program runs a few times only."""

from pathlib import Path

import jax

HERE = Path(__file__).parent


def pytest_runtest_setup():
    jax.config.update("jax_disable_most_optimizations", True)


def pytest_runtest_teardown(nextitem):
    # Not a fixture of the package: without an `__init__.py` that would last to the end of all tests.
    if nextitem is None or HERE not in nextitem.path.parents:
        jax.config.update("jax_disable_most_optimizations", False)
        jax.clear_caches()
