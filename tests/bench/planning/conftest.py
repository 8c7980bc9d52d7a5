"""What tests of identity share: a copy of optbench's packages to change, and requests to plan."""

import shutil
from collections.abc import Callable, Mapping
from pathlib import Path
from typing import Any

import pytest

from optbench.planning.code_digest import roots


@pytest.fixture
def copied(tmp_path) -> Mapping[str, Path]:
    """Copy the source of optbench's packages: package -> folder."""
    for package, folder in roots().items():
        shutil.copytree(folder, tmp_path / package, ignore=shutil.ignore_patterns("__pycache__", "*.toml"))
    return {package: tmp_path / package for package in roots()}


@pytest.fixture
def keys() -> Callable[..., list[str]]:
    """Plan a request and return the keys of its cells: keys(problems=[...], optimizers=[...], ...)."""
    from optbench.planning.jobs import pick_device, plan_jobs, resolve_suite

    def call(**asked: Any) -> list[str]:
        small = {"problems": ["quadratic[dim=2]"], "optimizers": ["sgd"], "steps": 4, "learning_rate": "0.1"}
        return [job.key for job in plan_jobs(resolve_suite(None, **small | asked), pick_device("cpu").device_kind)]

    return call
