"""What timing a cell gave: `timings/<key>.json` beside a run's parts, each written whole or not at all."""

import json
from collections.abc import Iterable, Mapping
from pathlib import Path
from typing import Any

from optbench.store import schema
from optbench.store.locations import read_bytes
from optbench.store.runs import write_json


def write_timing(folder: Path, key: str, timing: Mapping[str, Any]) -> None:
    """Write a cell's timing; one that exists is replaced in one move."""
    write_json(folder, _path(folder, key), {"schema": schema.VERSION, "key": key, **timing})


def read_timings(folder: Path, keys: Iterable[str]) -> dict[str, dict[str, Any]]:
    """Read the timings there are of some cells, by key; one that isn't whole counts as not there."""
    found = {key: _read(_path(folder, key)) for key in keys}
    return {key: timing for key, timing in found.items() if timing is not None}


def _path(folder: Path, key: str) -> Path:
    return folder / "timings" / f"{key}.json"


def _read(path: Path) -> dict[str, Any] | None:
    try:
        timing = json.loads(read_bytes(path))
        return timing if timing["schema"] == schema.VERSION else None
    except (OSError, ValueError, KeyError, TypeError, RecursionError):
        return None
