"""A history's folder: one Parquet part per entry, on a disk or in object storage, each written whole or not at all."""

import hashlib
import io
import json
from collections.abc import Mapping, Sequence
from typing import Any, NamedTuple

import pyarrow as pa
import pyarrow.parquet as pq

from optbench.errors import StoreError
from optbench.history import schema
from optbench.store.locations import as_store_error, children, read_bytes, write_file
from optbench.store.locations import locate as locate
from optbench.store.parts import UNREADABLE


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
    content = {name: value for name, value in about.items() if name != "label"}
    digest = hashlib.sha256(json.dumps([content, rows], sort_keys=True, default=str).encode()).hexdigest()[:12]
    path = locate(place) / f"{about['time'].replace('-', '').replace(':', '')}-{digest}.parquet"
    with as_store_error("write", path):
        if path.exists():
            return digest, False
    write_file(path, _content({**about, "entry": digest}, rows))
    return digest, True


def _content(about: Mapping[str, Any], rows: list[dict[str, Any]]) -> bytes:
    """Make a part; what the entry says of itself stands in its footer as well, where it is read at once."""
    footer = {"schema": schema.VERSION, **{name: about.get(name) for name in schema.ENTRY}}
    described = schema.entry_rows(about, rows).replace_schema_metadata({"optbench_history": json.dumps(footer)})
    file = io.BytesIO()
    pq.write_table(described, file, compression="zstd", write_page_checksum=True)
    return file.getvalue()


def read_history(place: str) -> History:
    """Read all entries. Raises StoreError where there are none, and where a newer optbench wrote one."""
    tables, entries, torn = [], [], []
    # A part under way begins with a dot.
    paths = (path for path in children(locate(place)) if path.suffix == ".parquet" and not path.name.startswith("."))
    for path in map(str, paths):
        try:
            about, rows = _read(path, schema.LIGHT)
            entry = _entry(path, about, rows.num_rows)
        except UNREADABLE:
            torn.append(path)
            continue
        tables.append(rows)
        entries.append(entry)
    if not entries:
        damage = f"; {len(torn)} parts there can't be read" if torn else ""
        raise StoreError(f"no history in {place}{damage}; begin one: optbench history add RUN")
    order = sorted(range(len(entries)), key=lambda index: (entries[index].time, entries[index].id))
    rows = pa.concat_tables(tables[index] for index in order)
    return History(place, tuple(entries[index] for index in order), rows, tuple(torn))


def read_samples(
    history: History, entries: Sequence[Entry], columns: Mapping[str, pa.DataType] = schema.HEAVY
) -> list[dict[str, Any]]:
    """Read some entries' rows with their samples. Raises StoreError for damage where no other read looks."""
    samples = []
    for entry in entries:
        try:
            samples += _read(entry.path, columns)[1].to_pylist()
        except UNREADABLE as error:
            raise StoreError(
                f"{entry.path} is damaged ({type(error).__name__}); delete it to continue without it"
            ) from error
    return samples


def remove(history: History, entries: Sequence[Entry]) -> None:
    """Delete some entries. Raises StoreError."""
    for path in (locate(entry.path) for entry in entries):
        with as_store_error("write", path):
            path.unlink()


def _read(path: str, columns: Mapping[str, pa.DataType]) -> tuple[dict[str, Any], pa.Table]:
    """Read what an entry says of itself, and some columns of its rows."""
    content = pa.BufferReader(read_bytes(locate(path)))
    with pq.ParquetFile(content, page_checksum_verification=True) as part:
        about = json.loads((part.schema_arrow.metadata or {})[b"optbench_history"])
        if about["schema"] > schema.VERSION:
            raise StoreError(f"{path} has history schema {about['schema']}; this optbench reads {schema.VERSION}")
        rows = part.read([*columns], use_threads=False).replace_schema_metadata(None).cast(pa.schema(columns))
    if not rows.num_rows:
        raise ValueError("an entry without rows")
    return about, rows


def _entry(path: str, about: Mapping[str, Any], num_rows: int) -> Entry:
    words = [about["device"], about["cpu"] if about["cpu"] != about["device"] else None]
    words += [f"{about['cpu_count']} cores" if about["cpu_count"] else None]
    return Entry(
        path=path,
        id=about["entry"],
        **{name: about[name] for name in ("time", "label", "suite", "run", "commit", "machine")},
        versions=about["versions"] or {},
        device=", ".join(filter(None, words)),
        num_rows=num_rows,
    )
