"""Which cells of a run's folder are finished, failed or torn: one listing, and every part that is there read whole."""

import os
from collections.abc import Iterable
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path
from sys import intern
from typing import Any

from bench.store.run_folder import Part, part_path, read_part

#: Parts that a thread takes at a time: handing one over costs 0.05 ms, reading it 0.6 ms.
TAKEN = 64


def scan(folder: Path, keys: Iterable[str]) -> dict[str, Part]:
    """Read the footers of the parts of some cells, by key in the order asked; cells without a part are left out.

    Each part's pages are read too, against their checksums, on all cores: `read_part` tells why.
    """
    stored = _names(folder / "parts")
    asked = [(key, path) for key in dict.fromkeys(keys) if (path := part_path(folder, key)).name in stored]
    taken = [asked[first : first + TAKEN] for first in range(0, len(asked), TAKEN)]
    with ThreadPoolExecutor(_num_cores(), thread_name_prefix="scan") as pool:
        found = [part for parts in pool.map(_read, taken) for part in parts]
    # One may be gone since they were listed.
    return {key: part for (key, _), part in zip(asked, found, strict=True) if part is not None}


def _read(asked: Iterable[tuple[str, Path]]) -> list[Part | None]:
    return [part and part._replace(footer=_shared(part.footer)) for part in (read_part(path) for _, path in asked)]


def _shared(value: Any) -> Any:
    """Keep one object of each text: the names in a footer are those in all others, and half of what it takes."""
    if isinstance(value, dict):
        return {intern(name): _shared(inner) for name, inner in value.items()}
    return intern(value) if isinstance(value, str) else value


def _names(parts: Path) -> set[str]:
    return {path.name for path in parts.iterdir()} if parts.is_dir() else set()


def _num_cores() -> int:
    return len(os.sched_getaffinity(0)) if hasattr(os, "sched_getaffinity") else os.cpu_count() or 1
