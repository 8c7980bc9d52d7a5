"""How programs are compiled on each kind of device."""

from types import SimpleNamespace

import jax
import pytest

from optbench.sweep import devices


@pytest.mark.parametrize("options", [devices.sweep_options, devices.timing_options], ids=["sweep", "timing"])
def test_options_of_a_cpu_are_its_own(options):
    assert options(SimpleNamespace(platform="cpu")) == {}


@pytest.mark.parametrize("options", [devices.sweep_options, devices.timing_options], ids=["sweep", "timing"])
def test_options_of_a_gpu_are_known_to_the_compiler(options):
    """It refuses names that it doesn't know, also where there is no such device."""
    lowered = jax.jit(lambda x: x + 1).lower(1.0)
    asked = options(SimpleNamespace(platform="gpu"))
    assert lowered.compile(asked)(1.0) == 2.0
    with pytest.raises(Exception, match="No such compile option"):
        lowered.compile(asked | {"xla_gpu_no_such_thing": True})


def test_only_sweeps_give_up_speed_for_the_same_numbers():
    gpu = SimpleNamespace(platform="gpu")
    assert devices.sweep_options(gpu).items() > devices.timing_options(gpu).items()
