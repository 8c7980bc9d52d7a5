"""Histories written by hand."""

from collections.abc import Callable, Mapping, Sequence
from typing import Any

import numpy as np
import pytest

from bench.history.entries import History, read_history, write_entry
from bench.history.summary import machine_facts

#: A machine, and another one.
HERE = {"device": "cpu", "driver": "cpu", "cpu": "Some CPU", "cpu_count": 2, "host_memory_bytes": 2**34}
THERE = HERE | {"cpu": "Another CPU"}


def _about(number: int, **fields: Any) -> dict[str, Any]:
    """Describe entry number so many: an hour after the one before."""
    machine = machine_facts(fields.pop("device", HERE))
    time = str(np.datetime64("2026-01-01T00:00:00") + np.timedelta64(number, "h")) + "Z"
    versions = {"optbench": "0.1.0", "jax": "0.10.2", "optax": "0.2.8"}
    told = {"time": time, "suite": "smoke", "run": "smoke", "commit": f"{number:040x}", "versions": versions}
    return told | {"label": None} | machine | fields


def _quality(costs: Sequence[float], measure: str = "train_loss", **fields: Any) -> dict[str, Any]:
    """Make a row of a measure by seed."""
    costs = [float(cost) for cost in costs]
    named = {"problem": "mlp", "optimizer": "adamw", "batch_size": "32", "dtype": "float32", "settings": "steps=50"}
    middle = float(np.median(costs))
    kept = {"seeds": list(range(len(costs))), "samples": costs, "n": len(costs), "start": 2.0, "least": 1e-7}
    ends = {"low": min(costs), "high": max(costs), "key": "k", "best": "learning_rate=0.1"}
    return named | {"measure": measure, "value": middle} | kept | ends | fields


def _seconds(seconds: float, measure: str = "step_seconds", width: float = 0.005, **fields: Any) -> dict[str, Any]:
    """Make a row of a measure in seconds, whose interval is so wide a share on each side."""
    row = _quality([seconds], measure) | {"seeds": None, "start": None, "least": None, "n": 20}
    return row | {"low": seconds * (1 - width), "high": seconds * (1 + width)} | fields


@pytest.fixture
def about() -> Callable[..., dict[str, Any]]:
    """Return a function that describes entry number so many."""
    return _about


@pytest.fixture
def quality() -> Callable[..., dict[str, Any]]:
    """Return a function that makes a row of costs by seed."""
    return _quality


@pytest.fixture
def seconds() -> Callable[..., dict[str, Any]]:
    """Return a function that makes a row of seconds."""
    return _seconds


@pytest.fixture
def other_machine() -> dict[str, Any]:
    """Describe a machine that no other entry is of."""
    return THERE


@pytest.fixture
def place(tmp_path) -> str:
    """Name a folder for a history."""
    return str(tmp_path / "history")


@pytest.fixture
def keep(place) -> Callable[..., History]:
    """Return a function that adds entries, each a list of rows or (fields of the entry, rows), and reads all."""

    def call(*entries: list[dict[str, Any]] | tuple[Mapping[str, Any], list[dict[str, Any]]]) -> History:
        for number, entry in enumerate(entries):
            fields, rows = entry if isinstance(entry, tuple) else ({}, entry)
            write_entry(place, _about(number, **fields), rows)
        return read_history(place)

    return call
