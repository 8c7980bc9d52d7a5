"""Parts of a run: one Parquet file per cell, written whole or not at all, and checked when it is read."""

import itertools
import json
import os
from collections.abc import Iterable, Iterator, Sequence
from contextlib import contextmanager, suppress
from pathlib import Path
from typing import IO, NamedTuple

import pyarrow as pa
import pyarrow.parquet as pq

from optbench.store import schema
from optbench.store.locations import (
    as_store_error,
    read_bytes,
)
from optbench.store.record import CellRecord, CellResults
from optbench.store.runs import write_run_file
from optbench.store.status import Outcome

#: Values that a check reads at a time: room for them is cleared for each column, so that of 65,536, the default, a part
#: of 34 trials takes 1.4 ms in place of 0.6.
SCANNED_VALUES = 1024


#: What reading a file that is no whole part comes to.
UNREADABLE = (pa.ArrowException, OSError, KeyError, ValueError, TypeError, RecursionError)


class Part(NamedTuple):
    """A part that is whole: where it lies, and what its footer says of its cell."""

    path: Path
    record: CellRecord
    #: Where a copy of its report seeds is quicker to read: see `packs`.
    pack: Path | None = None
    #: The file that holds its trials, where those of all cells stand together: see `archive`.
    archive: Path | None = None

    @property
    def outcome(self) -> Outcome:
        """Return whether the cell finished or failed."""
        return self.record.outcome

    @property
    def results(self) -> CellResults:
        """Return what training the cell gave. Raises ValueError for one that failed."""
        if self.record.results is None:
            raise ValueError(f"{self.record.problem} / {self.record.optimizer} failed: {self.record.message}")
        return self.record.results


class TornPart(NamedTuple):
    """A file that is no whole part of this schema: it has no record, and `message` says what is wrong with it."""

    path: Path
    message: str = "is torn"

    @property
    def outcome(self) -> Outcome:
        """Return "torn"."""
        return Outcome.TORN


def part_path(folder: Path, key: str) -> Path:
    """Locate a cell's part."""
    return folder / "parts" / f"{key}.parquet"


def write_part(folder: Path, key: str, rows: pa.Table, record: CellRecord) -> None:
    """Write a cell's part; one that exists is replaced in one move. Raises StoreError."""
    described = {"optbench": footer_text(key, record)}
    write_run_file(
        folder, part_path(folder, key), lambda file: _write_rows(file, rows.replace_schema_metadata(described))
    )


def adopt_parts(folder: Path, keys: Iterable[str], others: Sequence[Path]) -> None:
    """Copy finished parts that a run lacks from other runs: a key stands for one set of numbers. Raises StoreError."""
    lacking = (key for key in keys if others and not part_path(folder, key).is_file())
    for key in lacking:
        for path in (part_path(other, key) for other in others):
            part = read_part(path)
            if part is not None and part.outcome == Outcome.FINISHED:
                content = read_bytes(path)
                write_run_file(folder, part_path(folder, key), lambda file, content=content: file.write(content))
                break


def footer_text(key: str, record: CellRecord) -> str:
    """Return what stands in the footer of a cell's part."""
    return json.dumps({"schema": schema.VERSION, "key": key, **record.to_json()})


def _write_rows(file: IO[bytes], rows: pa.Table) -> None:
    """Write each phase into row groups of its own, so that it is read without the other."""
    options = {"use_dictionary": False, "column_encoding": column_encoding(rows.schema)}
    phases = rows["phase"].to_pylist()
    with pq.ParquetWriter(file, rows.schema, compression="zstd", write_page_checksum=True, **options) as writer:
        for phase in dict.fromkeys(phases):
            # The trials of a phase stand together.
            writer.write_table(rows.slice(phases.index(phase), phases.count(phase)), schema.GROUP_TRIALS)


def column_encoding(columns: pa.Schema) -> dict[str, str]:
    """Return how Parquet writes losses: mostly float32 in float64, which as streams of bytes take a third less room."""
    losses = [f"{field.name}.list.element" for field in columns if field.type == pa.list_(pa.float64())]
    return dict.fromkeys(losses, "BYTE_STREAM_SPLIT")


def read_part(path: Path) -> Part | TornPart | None:
    """Read a part's footer; None where there is none, a TornPart where it is no whole part of this schema.

    Its pages are read too, against their checksums: a footer may outlive what stood before it. Raises StoreError for
    what can't be opened, which may be whole.
    """
    with examined_part(path) as (part, _):
        return part


@contextmanager
def examined_part(path: Path) -> Iterator[tuple[Part | TornPart | None, pq.ParquetFile | None]]:
    """Read a part's footer as `read_part` does, and hold it open for a look at its trials; not where it is torn."""
    with as_store_error("read", path):
        try:
            source = open_file(path)
        except (FileNotFoundError, NotADirectoryError):
            source = None
    if source is None:
        yield None, None
        return
    with source:
        yield _examine(path, source)


def _examine(path: Path, source: pa.NativeFile) -> tuple[Part | TornPart, pq.ParquetFile | None]:
    try:
        file = pq.ParquetFile(source, page_checksum_verification=True)
        footer = json.loads((file.metadata.metadata or {})[b"optbench"])
        version = footer["schema"]
        if version != schema.VERSION:
            return TornPart(path, f"has schema {version}; this optbench reads {schema.VERSION}"), None
        record = CellRecord.from_json(footer)
        # Reads and keeps nothing: 20,000 trials of 1000 steps take 0.1 s and 25 MB, with `read` 1.2 s and 550 MB.
        file.scan_contents(batch_size=SCANNED_VALUES)
        if _is_consistent(file):
            return Part(path, record), file
    except UNREADABLE:
        pass
    return TornPart(path), None


def _is_consistent(file: pq.ParquetFile) -> bool:
    """Compare the two places that name each column: where types differ, pyarrow's statistics end the process."""
    columns = [file.metadata.schema.column(locate) for locate in range(file.metadata.num_columns)]
    expected = [(column.path, column.physical_type) for column in columns]
    groups = [file.metadata.row_group(number) for number in range(file.num_row_groups)]
    chunks = [[group.column(locate) for locate in range(group.num_columns)] for group in groups]
    return all([(chunk.path_in_schema, chunk.physical_type) for chunk in group] == expected for group in chunks)


def open_file(path: Path) -> pa.NativeFile:
    """Open a part's file; of object storage the whole: one request, where a reader of columns makes many."""
    return pa.OSFile(os.fsencode(path)) if isinstance(path, Path) else pa.BufferReader(read_bytes(path))


def set_aside(part: TornPart) -> str:
    """Move a torn part out of the way, where nothing replaces it, and say so in one line. Raises StoreError."""
    path, aside = part.path, _free_name(part.path)
    with as_store_error("write", path):
        # Another process may have moved it since, or put a whole one there.
        if isinstance(read_part(path), TornPart):
            with suppress(FileNotFoundError):
                path.rename(aside)
    return f"part {path} {part.message}: kept as {aside.name}, computed again"


def _free_name(path: Path) -> Path:
    """Name what nothing has the name of yet: key.torn, key.2.torn, ..."""
    names = itertools.chain([f"{path.stem}.torn"], (f"{path.stem}.{number}.torn" for number in itertools.count(2)))
    return next(one for name in names if not (one := path.with_name(name)).exists())
