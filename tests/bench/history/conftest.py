"""Histories of several entries, written by hand."""

from collections.abc import Callable, Mapping
from typing import Any

import pytest

from optbench.history.entries import History, read_history, write_entry


@pytest.fixture
def other_machine() -> dict[str, Any]:
    """Describe a machine that no other entry is of."""
    return {"device": "cpu", "driver": "cpu", "cpu": "Another CPU", "cpu_count": 2, "host_memory_bytes": 2**34}


@pytest.fixture
def place(tmp_path) -> str:
    """Name a folder for a history."""
    return str(tmp_path / "history")


@pytest.fixture
def keep(place, about) -> Callable[..., History]:
    """Return a function that adds entries, each a list of rows or (fields of the entry, rows), and reads all."""

    def call(*entries: list[dict[str, Any]] | tuple[Mapping[str, Any], list[dict[str, Any]]]) -> History:
        for number, entry in enumerate(entries):
            fields, rows = entry if isinstance(entry, tuple) else ({}, entry)
            write_entry(place, about(number, **fields), rows)
        return read_history(place)

    return call
