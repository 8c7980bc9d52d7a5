"""The sweep against what people write by hand, on the same cell: run `make benchmarks`.

All ways train on the same batches from the same initial parameters, and must end at the same losses. "cold" starts
with empty compilation caches and counts tracing, compiling and running; "warm" counts running alone. Only the engine
also draws its parameters and batches within that time; the others are given theirs.
"""

import importlib

import jax
import numpy as np
import pytest

from optbench.sweep import devices
from tests.benchmarks import cell, peers_jax

#: Way -> rounds cold and warm: slow ones run once.
WAYS = {"readme_loop": (1, 1), "scan_loop": (3, 5), "hand_written": (5, 10), "engine": (5, 10)}


@pytest.fixture(scope="module", autouse=True)
def _settings():
    with devices.settings("float32", cell.DEVICE):
        yield


@pytest.fixture(scope="module")
def expected():
    """Draw the cell's data outside of what is timed, and train it in one of the ways."""
    return peers_jax.hand_written()()


@pytest.fixture(scope="module")
def compiled():
    """Hand what was compiled cold on to the tests of running alone."""
    return {}


def check(found, expected):
    """Compare the losses at every record: closely for the six lower learning rates.

    There torch, which sums in another order, differs from jax by 5e-4 of a loss, and the ways within jax by 1e-5; ten
    times as much is let pass. At the two highest rates the last bit of a sum decides, and losses differ 30-fold: the
    train loss has to fall.
    """
    found, expected = (a[:2].reshape(2, len(cell.TRIALS), len(cell.RATES), -1) for a in (found, expected))
    np.testing.assert_allclose(found[:, :, :6], expected[:, :, :6], rtol=5e-3)
    chaotic = found[0, :, 6:].reshape(-1, cell.SHAPE[-1])
    assert (chaotic[:, -1] < chaotic[:, 0]).all()


@pytest.mark.benchmark(group="cold: trace, compile, run")
@pytest.mark.parametrize("way", WAYS)
def test_cold(benchmark, way, expected, compiled, keep):
    def everything():
        compiled[way] = getattr(peers_jax, way)()
        return compiled[way]()

    check(benchmark.pedantic(everything, setup=jax.clear_caches, rounds=WAYS[way][0]), expected)
    keep(way, "cold")


@pytest.mark.benchmark(group="warm: run")
@pytest.mark.parametrize("way", WAYS)
def test_warm(benchmark, way, compiled, keep):
    run, rounds = compiled.get(way) or getattr(peers_jax, way)(), WAYS[way][1]
    benchmark.pedantic(run, rounds=rounds, warmup_rounds=int(rounds > 1))
    keep(way, "warm")


@pytest.mark.benchmark(group="warm: run")
@pytest.mark.parametrize("kind", ["foreach", "fused"])
def test_torch(benchmark, kind, expected, keep):
    """Train without compiling: cold and warm are one measurement."""
    pytest.importorskip("torch", reason="torch is missing: pip install optbench[torch]")
    peers_torch = importlib.import_module("tests.benchmarks.peers_torch")
    if reason := peers_torch.unsupported(kind):
        pytest.skip(reason)
    check(benchmark.pedantic(peers_torch.loop(kind), rounds=1), expected)
    keep(f"torch_{kind}", "cold", "warm")
