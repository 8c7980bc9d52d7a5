"""Points shared out over several devices: the tests themselves are in `four_devices.py`."""

import os
import subprocess
import sys
from pathlib import Path

import jax

from optbench.sweep import devices, sharding


def test_several_devices_give_what_one_gives():
    """In a process of its own, since XLA counts the devices of a CPU once."""
    # Most of it is compiling, which takes half as long at level 0.
    flags = "--xla_force_host_platform_device_count=4 --xla_backend_optimization_level=0 "
    flags += os.environ.get("XLA_FLAGS", "")
    tests = Path(__file__).with_name("four_devices.py")
    done = subprocess.run(
        [sys.executable, "-m", "pytest", "-q", "-p", "no:cacheprovider", "--durations=5", tests],
        env=os.environ | {"XLA_FLAGS": flags, "JAX_PLATFORMS": "cpu"},
        cwd=Path(__file__).parents[3],
        capture_output=True,
        text=True,
    )
    assert done.returncode == 0, done.stdout + done.stderr


def test_one_device_takes_no_mesh_and_the_plain_jit():
    device = jax.devices()[0]
    assert sharding.share([device]) is None
    double = lambda x: 2 * x  # noqa: E731
    plain, shared = jax.jit(double), sharding.jit(double, None, sharding.TRIALS, sharding.TRIALS)
    assert shared.lower(1.0).as_text() == plain.lower(1.0).as_text()


class Device:
    """A device that says how many bytes it has, as GPUs do."""

    def __init__(self, limit, used):
        self.stats = {"bytes_limit": limit, "bytes_in_use": used}

    def memory_stats(self):
        return self.stats


def test_the_device_with_the_least_memory_sets_the_limit():
    roomy, busy = Device(1000, 0), Device(1000, 400)
    assert devices.memory_limit_bytes(roomy) == devices.USABLE * 1000
    assert devices.memory_limit_bytes(roomy, busy) == devices.USABLE * 600
