"""A run's folder: `manifest.json` and one Parquet part per cell, each written whole or not at all."""

import itertools
import json
import os
import time
from collections.abc import Callable, Iterator, Mapping
from contextlib import contextmanager, suppress
from pathlib import Path
from typing import IO, Any, NamedTuple
from uuid import uuid4

import pyarrow as pa
import pyarrow.parquet as pq

from optbench.planning.source_digest import ROOT
from optbench.store import schema
from optbench.store.locations import (
    StoreError,
    children,
    has_folders,
    make_folder,
    one_line,
    place,
    read_bytes,
    replace,
)
from optbench.store.manifest_shape import fault

#: A file is written in seconds: one that is still temporary after so long belongs to nobody.
STALE_SECONDS = 86_400

#: Values that a check reads at a time: room for them is cleared for each column, so that of 65,536, the default, a part
#: of 34 trials takes 1.4 ms in place of 0.6.
SCANNED_VALUES = 1024


#: What reading a file that is no whole part comes to.
UNREADABLE = (pa.ArrowException, OSError, KeyError, ValueError, TypeError, RecursionError)


class Part(NamedTuple):
    """What the footer of a part says; `outcome` is "finished", "failed" or "torn", and `message` why it is torn."""

    path: Path
    outcome: str
    footer: dict[str, Any]
    message: str = ""
    #: Where a copy of its report seeds is quicker to read: see `packs`.
    pack: Path | None = None


def part_path(folder: Path, key: str) -> Path:
    """Locate a cell's part."""
    return folder / "parts" / f"{key}.parquet"


def write_part(folder: Path, key: str, rows: pa.Table, footer: Mapping[str, Any]) -> None:
    """Write a cell's part; one that exists is replaced in one move. Raises StoreError."""
    described = {"optbench": json.dumps({"schema": schema.VERSION, "key": key, **footer})}
    _put(folder, part_path(folder, key), lambda file: _write_rows(file, rows.replace_schema_metadata(described)))


def _put(folder: Path, path: Path, write: Callable[[IO[bytes]], Any]) -> None:
    """Write a file of a run, whose folder is not made again: somebody took it away."""
    with one_line("write", path):
        try:
            if path.parent != folder and has_folders(path):
                path.parent.mkdir(exist_ok=True)
            replace(path, write)
        except FileNotFoundError as error:
            if not isinstance(folder, Path) or folder.is_dir():
                raise
            raise StoreError(f"can't write {path}: the run's folder is gone") from error


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

    Its pages are read too, against their checksums: a footer may outlive what stood before it. Raises StoreError for
    what can't be opened, which may be whole.
    """
    with examined_part(path) as (part, _):
        return part


@contextmanager
def examined_part(path: Path) -> Iterator[tuple[Part | None, pq.ParquetFile | None]]:
    """Read a part's footer as `read_part` does, and hold it open for a look at its trials; not where it is torn."""
    with one_line("read", path):
        try:
            source = open_file(path)
        except (FileNotFoundError, NotADirectoryError):
            source = None
    if source is None:
        yield None, None
        return
    with source:
        yield _examine(path, source)


def _examine(path: Path, source: pa.NativeFile) -> tuple[Part, pq.ParquetFile | None]:
    try:
        file = pq.ParquetFile(source, page_checksum_verification=True)
        footer = json.loads((file.metadata.metadata or {})[b"optbench"])
        version, outcome = footer["schema"], footer["outcome"]
        if version != schema.VERSION:
            return Part(path, "torn", {}, f"has schema {version}; this optbench reads {schema.VERSION}"), None
        # Reads and keeps nothing: 20,000 trials of 1000 steps take 0.1 s and 25 MB, with `read` 1.2 s and 550 MB.
        file.scan_contents(batch_size=SCANNED_VALUES)
        if _is_consistent(file) and outcome in ("finished", "failed"):
            return Part(path, outcome, footer), file
    except UNREADABLE:
        pass
    return Part(path, "torn", {}, "is torn"), None


def _is_consistent(file: pq.ParquetFile) -> bool:
    """Compare the two places that name each column: where types differ, pyarrow's statistics end the process."""
    columns = [file.metadata.schema.column(place) for place in range(file.metadata.num_columns)]
    named = [(column.path, column.physical_type) for column in columns]
    groups = [file.metadata.row_group(number) for number in range(file.num_row_groups)]
    chunks = [[group.column(place) for place in range(group.num_columns)] for group in groups]
    return all([(chunk.path_in_schema, chunk.physical_type) for chunk in group] == named for group in chunks)


def open_file(path: Path) -> pa.NativeFile:
    """Open a part's file; of object storage the whole: one request, where a reader of columns makes many."""
    return pa.OSFile(os.fsencode(path)) if isinstance(path, Path) else pa.BufferReader(read_bytes(path))


def set_aside(part: Part) -> str:
    """Move a torn part out of the way, where nothing replaces it, and say so in one line. Raises StoreError."""
    path, aside = part.path, _free_name(part.path)
    with one_line("write", path):
        # Another process may have moved it since, or put a whole one there.
        found = read_part(path)
        if found is not None and found.outcome == "torn":
            with suppress(FileNotFoundError):
                path.rename(aside)
    return f"part {path} {part.message}: kept as {aside.name}, computed again"


def _free_name(path: Path) -> Path:
    """Name what nothing has the name of yet: key.torn, key.2.torn, ..."""
    names = itertools.chain([f"{path.stem}.torn"], (f"{path.stem}.{number}.torn" for number in itertools.count(2)))
    return next(one for name in names if not (one := path.with_name(name)).exists())


def write_manifest(folder: Path, manifest: Mapping[str, Any]) -> dict[str, Any]:
    """Write `manifest.json` in one move, and return it as it would be read. Raises StoreError."""
    written = {"schema": schema.VERSION, **manifest}
    write_json(folder, folder / "manifest.json", written)
    return written


def write_json(folder: Path, path: Path, value: Mapping[str, Any]) -> None:
    """Write a small file of a run in one move. Raises StoreError, also where the run's folder is gone."""
    content = f"{json.dumps(value, indent=2, allow_nan=False)}\n".encode()
    _put(folder, path, lambda file: file.write(content))


def read_manifest(folder: Path) -> dict[str, Any]:
    """Read a run's manifest. Raises StoreError where it is missing, torn or of another schema."""
    path = folder / "manifest.json"
    try:
        manifest = json.loads(read_bytes(path))
        version = manifest["schema"]
    except (OSError, KeyError, ValueError, TypeError, RecursionError) as error:
        raise StoreError(f"{path} is no manifest of a run ({type(error).__name__})") from error
    if version != schema.VERSION:
        raise StoreError(f"{path} has schema version {version!r}; this optbench reads {schema.VERSION}")
    if lacking := fault(manifest):
        raise StoreError(f"{path} is no manifest of a run ({lacking})")
    return manifest


def check_writable(folder: Path) -> None:
    """Make the folder and try it, so that a run that can't be kept fails before it computes anything."""
    with one_line("write", folder):
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
    found = [(when, folder) for when, folder in written if when is not None]
    return [folder for _, folder in sorted(found, key=lambda one: one[0], reverse=True)]


def _written(path: Path) -> float | None:
    """Tell when a file was written; None where there is none."""
    with one_line("read", path):
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
    kept = f"{run}/quick" if run == "reference" else run
    for folder in (results / kept, place(run), *([ROOT / "results" / kept] if kept.startswith("reference/") else ())):
        if run and (folder / "manifest.json").is_file():
            return folder
    names = ", ".join(folder.name for folder in list_runs(results)[:8]) or "none yet (make one: optbench run smoke)"
    raise StoreError(f"no run {run!r} under {results}; there are: {names}")


def now() -> str:
    """Tell the time, in UTC to the second."""
    return time.strftime("%Y-%m-%dT%H:%M:%SZ", time.gmtime())
