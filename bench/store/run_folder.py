"""A run's folder: `manifest.json` and one Parquet part per cell, each written whole or not at all."""

import json
import os
import time
from collections.abc import Iterable, Iterator, Mapping, Sequence
from contextlib import contextmanager
from itertools import accumulate
from pathlib import Path
from typing import IO, Any, NamedTuple

import pyarrow as pa
import pyarrow.parquet as pq

from bench.store import schema
from bench.store.cell_key import ROOT

#: Trials that are read at a time: their curves as Python's numbers are some MB.
BATCH_TRIALS = 256

#: Values that a check reads at a time: room for them is cleared for each column, so that of 65,536, the default, a part
#: of 34 trials takes 1.4 ms in place of 0.6.
SCANNED_VALUES = 1024


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
                _write_rows(file, rows.replace_schema_metadata(described))
                file.flush()
                os.fsync(file.fileno())
            os.replace(temporary, path)
        finally:
            temporary.unlink(missing_ok=True)


def _write_rows(file: IO[bytes], rows: pa.Table) -> None:
    """Write each phase into row groups of its own, so that it is read without the other."""
    # Losses are mostly float32 in float64: as streams of bytes they take a third less room, and half the time.
    losses = [f"{field.name}.list.element" for field in rows.schema if field.type == pa.list_(pa.float64())]
    options = {"use_dictionary": False, "column_encoding": dict.fromkeys(losses, "BYTE_STREAM_SPLIT")}
    phases = rows["phase"].to_pylist()
    with pq.ParquetWriter(file, rows.schema, compression="zstd", write_page_checksum=True, **options) as writer:
        for phase in dict.fromkeys(phases):
            # The trials of a phase stand together.
            writer.write_table(rows.slice(phases.index(phase), phases.count(phase)), schema.GROUP_TRIALS)


def read_part(path: Path) -> Part | None:
    """Read a part's footer; None where there is none, "torn" where it is no whole part of this schema.

    Its pages are read too, against their checksums: a footer may outlive what stood before it.
    """
    if not path.exists():
        return None
    try:
        with pq.ParquetFile(path, page_checksum_verification=True) as file:
            footer = json.loads((file.metadata.metadata or {})[b"optbench"])
            # Reads and keeps nothing: 20,000 trials of 1000 steps take 0.1 s and 25 MB, with `read` 1.2 s and 550 MB.
            file.scan_contents(batch_size=SCANNED_VALUES)
        whole = footer["schema"] == schema.VERSION and footer["outcome"] in ("finished", "failed")
        return Part(path, footer["outcome"] if whole else "torn", footer)
    except (pa.ArrowException, OSError, KeyError, ValueError, TypeError):
        return Part(path, "torn", {})


def read_rows(parts: Iterable[Part], columns: Sequence[str] | None = None, phase: str | None = None) -> pa.Table:
    """Read the trials of some parts, all columns or some, of both phases or one."""
    batches = [batch for part in parts for batch in read_batches(part, columns, phase)]
    tables = [pa.Table.from_batches([batch]).replace_schema_metadata(None) for batch in batches]
    return pa.concat_tables(tables, promote_options="default") if tables else schema.trial_rows([])


def read_batches(
    part: Part, columns: Sequence[str] | None = None, phase: str | None = None
) -> Iterator[pa.RecordBatch]:
    """Read the trials of a part some hundred at a time, all columns or some, of both phases or one."""
    with open_part(part) as file:
        yield from batches_of(file, columns, phase)


def open_part(part: Part) -> pq.ParquetFile:
    """Open a part: for several looks at it, since opening takes as long as reading its report seeds."""
    return pq.ParquetFile(part.path)


def batches_of(
    file: pq.ParquetFile, columns: Sequence[str] | None = None, phase: str | None = None
) -> Iterator[pa.RecordBatch]:
    """Read the trials of a part that is open, as `read_batches` does; columns that it lacks are left out."""
    # Not `pq.read_table` nor a filter: both import pandas where it is installed, 0.15 s of a table's 0.4 s.
    groups = [group for group, phases in enumerate(_phases(file)) if phase in phases] if phase else None
    wanted = None if columns is None else [*columns]
    # Other threads cost a small part a third more time than they save.
    threads = file.metadata.num_rows > BATCH_TRIALS
    for batch in file.iter_batches(BATCH_TRIALS, groups, wanted, use_threads=threads) if groups != [] else ():
        yield batch if phase is None else _of_phase(batch, phase)


def _phases(file: pq.ParquetFile) -> list[list[str]]:
    """Name the phases of the trials in each row group."""
    # Not the groups' statistics: unlike a page they have no checksum.
    phases = file.read(["phase"], use_threads=False)["phase"].to_pylist()
    counts = [file.metadata.row_group(group).num_rows for group in range(file.num_row_groups)]
    return [phases[stop - count : stop] for count, stop in zip(counts, accumulate(counts), strict=True)]


def _of_phase(batch: pa.RecordBatch, phase: str) -> pa.RecordBatch:
    """Slice a batch of both phases: parts were once written without row groups for each."""
    phases = batch["phase"].to_pylist()
    return batch.slice(phases.index(phase) if phase in phases else 0, phases.count(phase))


def measured_columns(part: Part) -> list[str]:
    """Name a part's lists that hold anything, by what its footer counts."""
    with open_part(part) as file:
        groups = [file.metadata.row_group(group) for group in range(file.num_row_groups)]
    chunks = [group.column(place) for group in groups for place in range(group.num_columns)]
    filled = [chunk for chunk in chunks if chunk.statistics is None or chunk.statistics.null_count < chunk.num_values]
    names = dict.fromkeys(chunk.path_in_schema.rpartition(".list.")[0] for chunk in filled)
    return [name for name in names if name]


def write_manifest(folder: Path, manifest: Mapping[str, Any]) -> None:
    """Write `manifest.json` in one move."""
    write_json(folder / "manifest.json", {"schema": schema.VERSION, **manifest})


def write_json(path: Path, value: Mapping[str, Any]) -> None:
    """Write a small file in one move, in a folder that is made where it is missing."""
    write_file(path, f"{json.dumps(value, indent=2, allow_nan=False)}\n".encode())


def write_file(path: Path, content: bytes) -> None:
    """Write a file in one move, in a folder that is made where it is missing. Raises StoreError."""
    with _one_line(path):
        path.parent.mkdir(parents=True, exist_ok=True)
        temporary = path.with_name(f".{path.name}.{os.getpid()}.tmp")
        try:
            temporary.write_bytes(content)
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
    """Find a run by name, path, "latest", or "reference", also with a suite's name as in "reference/leaderboard".

    Raises StoreError that names the runs there are.
    """
    runs = list_runs(results)
    if run == "latest" and runs:
        return runs[0]
    kept = f"{run}/quick" if run == "reference" else run
    for folder in (results / kept, Path(run), *([ROOT / "results" / kept] if kept.startswith("reference/") else ())):
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
