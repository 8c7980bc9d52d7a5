"""The report seeds of all cells of a run in one Parquet file, with their footers: what is kept of a reference run.

The rows of a cell stand together, in the order of the footers in the file's own metadata; a column that only other
cells have is null. `trials` reads them as it reads those of a part.
"""

import io
import json
from collections.abc import Iterable, Mapping
from functools import lru_cache
from itertools import accumulate
from pathlib import Path
from typing import Any, NamedTuple

import pyarrow as pa
import pyarrow.parquet as pq

from optbench.errors import StoreError
from optbench.store import schema
from optbench.store.locations import as_store_error, read_bytes, replace
from optbench.store.parts import UNREADABLE, Part, column_encoding, part_path
from optbench.store.record import CellRecord

#: Its name in a run's folder.
NAME = "reference.parquet"


class Archive(NamedTuple):
    """The records of some cells by key, all their trials, and where those of each cell lie among them."""

    records: Mapping[str, CellRecord]
    rows: pa.Table
    #: Key -> (its first row, one past its last).
    spans: Mapping[str, tuple[int, int]]


def write_archive(folder: Path, cells: Iterable[tuple[str, CellRecord, pa.Table]]) -> None:
    """Write cells, each its key, its record and its trials, in one move. Raises StoreError, also if there are none."""
    cells = list(cells)
    if not cells:
        raise StoreError(f"{folder}: no cell has finished on report seeds, so there is nothing to keep")
    whole = pa.concat_tables([rows.replace_schema_metadata(None) for _, _, rows in cells], promote_options="default")
    # In the order of a part's columns.
    metrics = sorted({*whole.column_names} - {*schema.FIXED})
    about = [{"key": key, "trials": len(rows), "footer": record.to_json()} for key, record, rows in cells]
    table = whole.select([*schema.FIXED, *metrics])
    options = {"use_dictionary": False, "column_encoding": column_encoding(table.schema)}
    content = io.BytesIO()
    with pq.ParquetWriter(content, table.schema, compression="zstd", write_page_checksum=True, **options) as writer:
        writer.write_table(table, schema.GROUP_TRIALS)
        # Not by the schema, which a file holds twice.
        writer.add_key_value_metadata({"optbench": json.dumps({"schema": schema.VERSION, "cells": about})})
    with as_store_error("write", folder / NAME):
        replace(folder / NAME, lambda file: file.write(content.getvalue()))
    _read.cache_clear()


def archived_parts(folder: Path, keys: Iterable[str]) -> dict[str, Part]:
    """Return the parts of those cells that a folder's archive holds, by key; none if there is no archive.

    Raises StoreError if it can't be read, or is of another schema.
    """
    keys, path = list(keys), folder / NAME
    archive = read_archive(path) if keys else None
    records = archive.records if archive else {}
    return {key: Part(part_path(folder, key), records[key], archive=path) for key in keys if key in records}


def archived_rows(part: Part) -> pa.Table:
    """Return the trials of an archive's cell, with the columns that its own part had.

    Raises StoreError if they are gone, or can't be read.
    """
    archive = part.archive and read_archive(part.archive)
    if not archive or part.path.stem not in archive.spans:
        raise StoreError(f"{part.archive} no longer holds {part.path.stem}")
    # Copied, not sliced: the lists of a slice hold those of all cells.
    rows = archive.rows.take(pa.array(range(*archive.spans[part.path.stem]), pa.int32()))
    own = {*schema.FIXED, *schema.METRICS}
    return rows.select([name for name in rows.column_names if name in own or rows[name].null_count < len(rows)])


def read_archive(path: Path) -> Archive | None:
    """Read an archive, or hand out what was read of it; None if there is none.

    Raises StoreError if it can't be read, or is of another schema.
    """
    with as_store_error("read", path):
        try:
            there = path.stat() if isinstance(path, Path) else None
            return _read(path, there and (there.st_ino, there.st_size, there.st_mtime_ns))
        except (FileNotFoundError, NotADirectoryError):
            return None


@lru_cache(2)
def _read(path: Path, version: Any) -> Archive:
    """Read an archive; `version` tells it from one that took its place."""
    try:
        content = pa.BufferReader(read_bytes(path))
        with pq.ParquetFile(content, page_checksum_verification=True) as file:
            about = json.loads((file.metadata.metadata or {})[b"optbench"])
            if about["schema"] != schema.VERSION:
                raise StoreError(f"{path} has schema {about['schema']}; this optbench reads {schema.VERSION}")
            rows = file.read().replace_schema_metadata(None).combine_chunks()
        keys = [cell["key"] for cell in about["cells"]]
        stops = list(accumulate(cell["trials"] for cell in about["cells"]))
        if stops[-1:] != [len(rows)]:
            raise ValueError("trials of other cells")
        spans = dict(zip(keys, zip([0, *stops], stops, strict=False), strict=True))
        records = {cell["key"]: CellRecord.from_json(cell["footer"]) for cell in about["cells"]}
        return Archive(records, rows, spans)
    except FileNotFoundError:
        raise
    except UNREADABLE as error:
        raise StoreError(f"{path} is torn ({type(error).__name__})") from error
