"""The trials that a part holds: some hundred at a time, all columns or some."""

from collections.abc import Iterable, Iterator, Sequence
from contextlib import contextmanager
from itertools import accumulate

import pyarrow as pa
import pyarrow.parquet as pq

from optbench.errors import StoreError, reason
from optbench.store import schema
from optbench.store.archive import archived_rows
from optbench.store.parts import UNREADABLE, Part, open_file

#: Trials that are read at a time: their curves as Python's numbers are some MB.
BATCH_TRIALS = 256
#: A part that is open: its file, or its trials out of an archive.
Trials = pq.ParquetFile | pa.Table


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


@contextmanager
def open_part(part: Part) -> Iterator[Trials]:
    """Open a part: for several looks at it, since opening takes as long as reading its report seeds.

    Raises StoreError, also for what is damaged since it was looked at.
    """
    if part.archive is not None:
        yield archived_rows(part)
        return
    try:
        with open_file(part.path) as source, pq.ParquetFile(source) as file:
            yield file
    except UNREADABLE as error:
        raise StoreError(f"can't read {part.path}: {reason(error)}") from error


def batches_of(
    trials: Trials, columns: Sequence[str] | None = None, phase: str | None = None
) -> Iterator[pa.RecordBatch]:
    """Read the trials of a part that is open, as `read_batches` does; columns that it lacks are left out."""
    for batch in _batches(trials, columns, phase):
        yield batch if phase is None else _of_phase(batch, phase)


def _batches(trials: Trials, columns: Sequence[str] | None, phase: str | None) -> Iterator[pa.RecordBatch]:
    """Read the trials that may be of a phase: of a file whole row groups."""
    if not isinstance(trials, pq.ParquetFile):
        wanted = [name for name in columns or trials.column_names if name in trials.column_names]
        yield from trials.select(wanted).to_batches(max_chunksize=BATCH_TRIALS)
        return
    # Not `pq.read_table` nor a filter: both import pandas where it is installed, 0.15 s of a table's 0.4 s.
    groups = [group for group, phases in enumerate(_phases(trials)) if phase in phases] if phase else None
    if groups == []:
        return
    # Other threads cost a small part a third more time than they save.
    threads = trials.metadata.num_rows > BATCH_TRIALS
    yield from trials.iter_batches(BATCH_TRIALS, groups, columns and [*columns], use_threads=threads)


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


def column_names(trials: Trials) -> list[str]:
    """Name the columns of a part that is open."""
    if not isinstance(trials, pq.ParquetFile):
        return trials.column_names
    # By its Parquet schema, as the Arrow one takes longer to make.
    schema = trials.metadata.schema
    return [*dict.fromkeys(schema.column(index).path.partition(".")[0] for index in range(trials.metadata.num_columns))]


def measured_columns(part: Part) -> list[str]:
    """Name a part's lists that hold anything."""
    with open_part(part) as trials:
        if not isinstance(trials, pq.ParquetFile):
            lists = [field.name for field in trials.schema if isinstance(field.type, pa.ListType)]
            values = {name: trials[name].combine_chunks().flatten() for name in lists}
            return [name for name, column in values.items() if column.null_count < len(column)]
        return _measured_columns(trials)


def _measured_columns(file: pq.ParquetFile) -> list[str]:
    """Name the lists that hold anything by what the footer counts."""
    groups = [file.metadata.row_group(group) for group in range(file.num_row_groups)]
    chunks = [group.column(index) for group in groups for index in range(group.num_columns)]
    filled = [chunk for chunk in chunks if not (told := chunk.statistics) or (told.null_count or 0) < chunk.num_values]
    names = dict.fromkeys(chunk.path_in_schema.rpartition(".list.")[0] for chunk in filled)
    return [name for name in names if name]
