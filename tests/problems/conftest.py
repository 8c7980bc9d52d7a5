"""What every test of the problems shares."""

import jax
import pytest


@pytest.fixture(scope="package", autouse=True)
def _compile_quickly():
    """Compile without most optimizations: each program runs a few times only. Nothing compiled so is left to others."""
    jax.config.update("jax_disable_most_optimizations", True)
    yield
    jax.config.update("jax_disable_most_optimizations", False)
    jax.clear_caches()
