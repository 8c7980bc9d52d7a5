"""What a run says of itself: the suite as it was run, versions, device, commit, and its cells."""

import platform
import subprocess
from collections.abc import Sequence
from importlib.metadata import version
from pathlib import Path
from typing import Any

from bench.jobs import Job
from bench.measure import devices
from bench.request import Suite
from bench.store import cell_key, run_folder


def manifest_of(
    asked: Suite, jobs: Sequence[Job], device: devices.Device, cache_note: str | None, num_devices: int = 1
) -> dict[str, Any]:
    """Describe a run that begins now, on so many devices like this one."""
    packages = ("optbench", "jax", "jaxlib", "optax", "flax", "numpy", "scipy", "scikit-learn")
    return {
        "suite": asked.model_dump(mode="json"),
        "versions": {package: version(package) for package in packages} | {"python": platform.python_version()},
        "device": devices.describe(device) | {"devices": num_devices},
        "compile_cache": cache_note or "on",
        "git_commit": _git_commit(),
        "started": run_folder.now(),
        "ended": None,
        "cells": [
            {"key": job.key, "problem": job.cell.problem, "optimizer": job.cell.optimizer}
            | {"batch_size": job.cell.batch_size}
            for job in jobs
        ],
    }


def _git_commit() -> str | None:
    """Name the commit of the checkout that this code runs from, where it is one; "-dirty" where it was edited since."""
    git = ["git", "-C", str(cell_key.ROOT)]
    options: dict[str, Any] = {"capture_output": True, "text": True, "timeout": 5, "check": True}
    try:
        # An installed copy may lie inside somebody else's checkout.
        top = subprocess.run([*git, "rev-parse", "--show-toplevel"], **options).stdout.strip()
        if Path(top) != cell_key.ROOT:
            return None
        described = [*git, "describe", "--always", "--dirty", "--abbrev=40", "--exclude", "*"]
        return subprocess.run(described, **options).stdout.strip()
    except (OSError, subprocess.SubprocessError):
        return None
