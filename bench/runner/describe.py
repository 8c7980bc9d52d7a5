"""This machine, its versions and its commit, as a run's manifest tells them."""

from typing import Any

from optbench.planning.jobs import pick_device
from optbench.store import manifest
from optbench.sweep import devices


def describe_here() -> dict[str, Any]:
    """Return the manifest of a run without cells that begins here, on jax's own choice of a device."""
    return manifest.describe({}, (), devices.describe(pick_device(None)) | {"devices": 1}, None)
