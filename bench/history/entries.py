"""A history's folder: one Parquet part per entry, on a disk or in object storage, each written whole or not at all."""

import hashlib
import io
import json
from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import Any, NamedTuple

import pyarrow as pa
import pyarrow.parquet as pq

from bench.history import schema
from bench.store import run_folder
from bench.store.run_folder import StoreError

#: What reading a part that is no whole one comes to.
UNREADABLE = (pa.ArrowException, OSError, KeyError, ValueError, TypeError)


class Entry(NamedTuple):
    """One run, summarised; `path` is its part in the history's folder."""

    path: str
    id: str
    time: str
    label: str | None
    suite: str | None
    run: str | None
    commit: str | None
    versions: dict[str, str]
    #: Fingerprint: a digest of what speed depends on.
    machine: str
    #: The machine in words.
    device: str
    num_rows: int


class History(NamedTuple):
    """All entries of a place, oldest first, with their rows but for the samples; `torn` names what can't be read."""

    place: str
    entries: tuple[Entry, ...]
    rows: pa.Table
    torn: tuple[str, ...]


def write_entry(place: str, about: Mapping[str, Any], rows: list[dict[str, Any]]) -> tuple[str, bool]:
    """Write an entry under the digest of what it holds: (its id, whether it is new). Raises StoreError."""
    held = {name: value for name, value in about.items() if name != "label"}
    digest = hashlib.sha256(json.dumps([held, rows], sort_keys=True, default=str).encode()).hexdigest()[:12]
    files, folder = _open(place)
    name = f"{about['time'].replace('-', '').replace(':', '')}-{digest}.parquet"
    path = f"{folder}/{name}"
    try:
        if files.exists(path):
            return digest, False
        content = _content(schema.entry_rows({**about, "entry": digest}, rows))
        if _is_local(files):
            run_folder.write_file(Path(path), content)
        else:
            # One object is put whole or not at all.
            files.pipe_file(path, content)
    except OSError as error:
        raise StoreError(f"can't write {place}: {error}") from error
    return digest, True


def _content(rows: pa.Table) -> bytes:
    described = rows.replace_schema_metadata({"optbench_history": json.dumps({"schema": schema.VERSION})})
    file = io.BytesIO()
    pq.write_table(described, file, compression="zstd", write_page_checksum=True)
    return file.getvalue()


def read_history(place: str) -> History:
    """Read all entries. Raises StoreError where there are none, and where a newer optbench wrote one."""
    files, folder = _open(place)
    tables, entries, torn = [], [], []
    for path in _parts(files, folder):
        try:
            rows = _read(files, path, schema.LIGHT)
        except UNREADABLE:
            torn.append(path)
            continue
        tables.append(rows)
        entries.append(_entry(path, rows))
    if not entries:
        said = f"; {len(torn)} parts there can't be read" if torn else ""
        raise StoreError(f"no history in {place}{said}; begin one: optbench history add RUN")
    order = sorted(range(len(entries)), key=lambda place: (entries[place].time, entries[place].id))
    rows = pa.concat_tables(tables[place] for place in order)
    return History(place, tuple(entries[place] for place in order), rows, tuple(torn))


def read_samples(history: History, entries: Sequence[Entry]) -> list[dict[str, Any]]:
    """Read all columns of some entries' rows. Raises StoreError where a part is damaged where no other read looks."""
    files, _ = _open(history.place)
    found = []
    for entry in entries:
        try:
            found += _read(files, entry.path, schema.COLUMNS).to_pylist()
        except UNREADABLE as error:
            raise StoreError(f"{entry.path} is torn ({type(error).__name__}); delete it to go on without it") from error
    return found


def remove(history: History, entries: Sequence[Entry]) -> None:
    """Delete some entries. Raises StoreError."""
    files, _ = _open(history.place)
    try:
        for entry in entries:
            files.rm_file(entry.path)
    except OSError as error:
        raise StoreError(f"can't write {history.place}: {error}") from error


def _open(place: str) -> tuple[Any, str]:
    """Open a folder or a URL such as s3://bucket/history: (file system, its folder)."""
    from fsspec.core import url_to_fs

    try:
        # Listings are not cached: another process may have added an entry.
        files, folder = url_to_fs(place, use_listings_cache=False)
        return files, folder.rstrip("/")
    except (ImportError, ValueError) as error:
        raise StoreError(f"can't open {place}: {error}") from error


def _is_local(files: Any) -> bool:
    return "file" in (files.protocol if isinstance(files.protocol, tuple | list) else (files.protocol,))


def _parts(files: Any, folder: str) -> list[str]:
    try:
        found = files.ls(folder, detail=False)
    except FileNotFoundError:
        return []
    except OSError as error:
        raise StoreError(f"can't read {folder}: {error}") from error
    names = ((path, path.rpartition("/")[2]) for path in found)
    # A part under way begins with a dot.
    return sorted(path for path, name in names if name.endswith(".parquet") and not name.startswith("."))


def _read(files: Any, path: str, columns: Mapping[str, pa.DataType]) -> pa.Table:
    # As a whole, which is one request of object storage.
    content = pa.BufferReader(files.cat_file(path))
    with pq.ParquetFile(content, page_checksum_verification=True) as part:
        version = json.loads((part.schema_arrow.metadata or {})[b"optbench_history"])["schema"]
        if version > schema.VERSION:
            raise StoreError(f"{path} has history schema {version}; this optbench reads {schema.VERSION}")
        rows = part.read([*columns], use_threads=False).replace_schema_metadata(None).cast(pa.schema(columns))
    if not rows.num_rows:
        raise ValueError("an entry without rows")
    return rows


def _entry(path: str, rows: pa.Table) -> Entry:
    first = {name: rows[name][0].as_py() for name in schema.ENTRY}
    words = [first["device"], first["cpu"] if first["cpu"] != first["device"] else None]
    words += [f"{first['cpu_count']} cores" if first["cpu_count"] else None]
    return Entry(
        path=path,
        id=first["entry"],
        **{name: first[name] for name in ("time", "label", "suite", "run", "commit", "machine")},
        versions=dict(first["versions"] or ()),
        device=", ".join(filter(None, words)),
        num_rows=rows.num_rows,
    )
