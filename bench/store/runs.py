"""Folders of runs: which there are, and how a file of one is written."""

import json
import time
from collections.abc import Callable, Mapping
from contextlib import suppress
from pathlib import Path
from typing import IO, Any
from uuid import uuid4

from optbench.errors import StoreError
from optbench.store.locations import ROOT, as_store_error, children, has_folders, locate, make_folder, replace

#: Folders that hold `reference`, the runs that come with optbench: of a checkout, and of an installed copy.
REFERENCES = (ROOT / "results", Path(__file__).resolve().parents[1])

#: A file is written in seconds: one that is still temporary after so long belongs to nobody.
STALE_SECONDS = 86_400


def write_run_file(folder: Path, path: Path, write: Callable[[IO[bytes]], Any]) -> None:
    """Write a file of a run, whose folder is not made again: somebody took it away."""
    with as_store_error("write", path):
        try:
            if path.parent != folder and has_folders(path):
                path.parent.mkdir(exist_ok=True)
            replace(path, write)
        except FileNotFoundError as error:
            if not isinstance(folder, Path) or folder.is_dir():
                raise
            raise StoreError(f"can't write {path}: the run's folder is gone") from error


def write_json(folder: Path, path: Path, value: Mapping[str, Any]) -> None:
    """Write a small file of a run in one move. Raises StoreError, also where the run's folder is gone."""
    content = f"{json.dumps(value, indent=2, allow_nan=False)}\n".encode()
    write_run_file(folder, path, lambda file: file.write(content))


def check_writable(folder: Path) -> None:
    """Make the folder and try it, so that a run that can't be kept fails before it computes anything."""
    folder = locate(folder)
    with as_store_error("write", folder):
        make_folder(folder)
        probe = folder / f".probe.{uuid4().hex}.tmp"
        probe.write_bytes(b"")
        probe.unlink()


def remove_stale(folder: Path) -> None:
    """Remove what killed runs were writing a day ago or longer: younger files may be another run's, also elsewhere."""
    for path in [*folder.glob(".*.tmp"), *folder.glob("*/.*.tmp")]:
        with suppress(OSError):
            if time.time() - path.stat().st_mtime > STALE_SECONDS:
                path.unlink()


def list_runs(results: Path) -> list[Path]:
    """List the run folders under a results folder, newest manifest first. Raises StoreError."""
    written = [(_written(folder / "manifest.json"), folder) for folder in children(results)]
    runs = [(when, folder) for when, folder in written if when is not None]
    return [folder for _, folder in sorted(runs, key=lambda one: one[0], reverse=True)]


def _written(path: Path) -> float | None:
    """Tell when a file was written; None where there is none."""
    with as_store_error("read", path):
        try:
            return path.stat().st_mtime
        except (FileNotFoundError, NotADirectoryError):
            return None


def find_run(results: Path, run: str) -> Path:
    """Find a run by name, path, "latest", or "reference", also with a suite's name as in "reference/leaderboard".

    Raises StoreError that names the runs there are.
    """
    if run == "latest" and (runs := list_runs(results)):
        return runs[0]
    name = f"{run}/quick" if run == "reference" else run
    references = [folder / name for folder in REFERENCES] if name.startswith("reference/") else []
    for folder in (results / name, locate(run), *references):
        if run and (folder / "manifest.json").is_file():
            return folder
    names = ", ".join(folder.name for folder in list_runs(results)[:8]) or "none yet (make one: optbench run smoke)"
    raise StoreError(f"no run {run!r} under {results}; there are: {names}")


def now() -> str:
    """Tell the time, in UTC to the second."""
    return time.strftime("%Y-%m-%dT%H:%M:%SZ", time.gmtime())
