"""What a run says of itself: the suite as it was run, versions, device, commit, and its cells."""

import platform
import subprocess
from collections.abc import Mapping, Sequence
from importlib.metadata import version
from pathlib import Path
from typing import Any

from optbench.planning import source_digest
from optbench.planning.jobs import Job
from optbench.request import Suite
from optbench.store import parts


def manifest_of(asked: Suite, jobs: Sequence[Job], device: Mapping[str, Any], cache_note: str | None) -> dict[str, Any]:
    """Describe a run that begins now on a device."""
    packages = ("optbench", "jax", "jaxlib", "optax", "flax", "numpy", "scipy", "scikit-learn")
    return {
        "suite": asked.model_dump(mode="json"),
        "versions": {package: version(package) for package in packages} | {"python": platform.python_version()},
        "device": dict(device),
        "compile_cache": cache_note or "on",
        "git_commit": _git_commit(),
        "started": parts.now(),
        "ended": None,
        "cells": [
            {"key": job.key, "problem": job.cell.problem, "optimizer": job.cell.optimizer}
            | {"batch_size": job.cell.batch_size}
            for job in jobs
        ],
    }


def _git_commit() -> str | None:
    """Name the commit of the checkout that this code runs from; of an installed copy, that of the current folder.

    Which is where plug-ins lie. "-dirty" where it was edited since; None where neither is under git.
    """
    # An installed copy may lie inside somebody else's checkout.
    own = _git(source_digest.ROOT, "rev-parse", "--show-toplevel")
    folder = source_digest.ROOT if own and Path(own) == source_digest.ROOT else Path()
    return _git(folder, "describe", "--always", "--dirty", "--abbrev=40", "--exclude", "*")


def _git(folder: Path, *words: str) -> str | None:
    options: dict[str, Any] = {"capture_output": True, "text": True, "timeout": 5, "check": True}
    try:
        return subprocess.run(["git", "-C", str(folder), *words], **options).stdout.strip() or None
    except (OSError, subprocess.SubprocessError):
        return None
