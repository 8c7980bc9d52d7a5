"""A run's folder: `manifest.json` and one Parquet part per cell, each written whole or not at all."""

import json
import os
import time
from collections.abc import Iterable, Iterator, Mapping
from contextlib import contextmanager
from pathlib import Path
from typing import Any, NamedTuple

import pyarrow as pa
import pyarrow.parquet as pq

from bench.store import schema


class StoreError(Exception):
    """Tell in one line what can't be read or written."""


class Part(NamedTuple):
    """What the footer of a part says; `outcome` is "finished", "failed" or "torn"."""

    path: Path
    outcome: str
    footer: dict[str, Any]


def part_path(folder: Path, key: str) -> Path:
    """Locate a cell's part."""
    return folder / "parts" / f"{key}.parquet"


def write_part(folder: Path, key: str, rows: pa.Table, footer: Mapping[str, Any]) -> None:
    """Write a cell's part; one that exists is replaced in one move."""
    described = {"optbench": json.dumps({"schema": schema.VERSION, "key": key, **footer})}
    path = part_path(folder, key)
    with _one_line(path):
        path.parent.mkdir(parents=True, exist_ok=True)
        temporary = path.with_name(f".{path.name}.{os.getpid()}.tmp")
        try:
            with temporary.open("wb") as file:
                described_rows = rows.replace_schema_metadata(described)
                pq.write_table(described_rows, file, compression="zstd", write_page_checksum=True)
                file.flush()
                os.fsync(file.fileno())
            os.replace(temporary, path)
        finally:
            temporary.unlink(missing_ok=True)


def read_part(path: Path) -> Part | None:
    """Read a part's footer; None where there is none, "torn" where it is no whole part of this schema.

    Its pages are read too, against their checksums: a footer may outlive what stood before it.
    """
    if not path.exists():
        return None
    try:
        with pq.ParquetFile(path, page_checksum_verification=True) as file:
            file.read()
            footer = json.loads((file.schema_arrow.metadata or {})[b"optbench"])
        whole = footer["schema"] == schema.VERSION and footer["outcome"] in ("finished", "failed")
        return Part(path, footer["outcome"] if whole else "torn", footer)
    except (pa.ArrowException, OSError, KeyError, ValueError, TypeError):
        return Part(path, "torn", {})


def read_rows(parts: Iterable[Part], columns: list[str] | None = None, phase: str | None = None) -> pa.Table:
    """Read the trials of some parts, all columns or some, of both phases or one."""
    tables = []
    for part in parts:
        # Not `pq.read_table` nor a filter: both import pandas where it is installed, 0.15 s of a table's 0.4 s.
        with pq.ParquetFile(part.path) as file:
            table = file.read(columns).replace_schema_metadata(None)
        if phase is not None:
            # The trials of a phase stand together.
            phases = table["phase"].to_pylist()
            table = table.slice(phases.index(phase) if phase in phases else 0, phases.count(phase))
        tables.append(table)
    return pa.concat_tables(tables, promote_options="default") if tables else schema.trial_rows([])


def write_manifest(folder: Path, manifest: Mapping[str, Any]) -> None:
    """Write `manifest.json` in one move."""
    path = folder / "manifest.json"
    with _one_line(path):
        folder.mkdir(parents=True, exist_ok=True)
        temporary = path.with_name(f".manifest.json.{os.getpid()}.tmp")
        try:
            temporary.write_text(json.dumps({"schema": schema.VERSION, **manifest}, indent=2, allow_nan=False) + "\n")
            os.replace(temporary, path)
        finally:
            temporary.unlink(missing_ok=True)


def read_manifest(folder: Path) -> dict[str, Any]:
    """Read a run's manifest. Raises StoreError where it is missing, torn or of another schema."""
    path = folder / "manifest.json"
    try:
        manifest = json.loads(path.read_text())
        version = manifest["schema"]
    except (OSError, ValueError, KeyError, TypeError) as error:
        raise StoreError(f"{path} is no manifest of a run ({type(error).__name__})") from error
    if version != schema.VERSION:
        raise StoreError(f"{path} has schema version {version}; this optbench reads {schema.VERSION}")
    return manifest


def check_writable(folder: Path) -> None:
    """Make the folder and try it, so that a run that can't be kept fails before it computes anything."""
    with _one_line(folder):
        folder.mkdir(parents=True, exist_ok=True)
        probe = folder / f".probe.{os.getpid()}.tmp"
        probe.write_text("")
        probe.unlink()


def list_runs(results: Path) -> list[Path]:
    """List the run folders under a results folder, newest manifest first."""
    manifests = sorted(results.glob("*/manifest.json"), key=lambda path: path.stat().st_mtime, reverse=True)
    return [path.parent for path in manifests]


def find_run(results: Path, run: str) -> Path:
    """Find a run by name, path, or "latest". Raises StoreError that names the runs there are."""
    runs = list_runs(results)
    if run == "latest" and runs:
        return runs[0]
    for folder in (results / run, Path(run)):
        if run and (folder / "manifest.json").is_file():
            return folder
    names = ", ".join(folder.name for folder in runs[:8]) or "none yet (make one: optbench run smoke)"
    raise StoreError(f"no run {run!r} under {results}; there are: {names}")


def now() -> str:
    """Tell the time, in UTC to the second."""
    return time.strftime("%Y-%m-%dT%H:%M:%SZ", time.gmtime())


@contextmanager
def _one_line(path: Path) -> Iterator[None]:
    """Turn an OSError into a StoreError that says which path and why."""
    try:
        yield
    except OSError as error:
        raise StoreError(f"can't write {path}: {error.strerror or error}") from error
