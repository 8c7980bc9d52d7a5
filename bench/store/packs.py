"""Copies of what is small in thousands of parts, kept together beside them: opening each part took minutes.

A pack holds for some hundred parts what their footers say and the rows of their report seeds. It is made of the parts,
may be deleted at any time, and speaks for a part as long as that has the size and the time of change it had. A part
that fails its checks is in none.
"""

import io
import json
import os
import time
from collections.abc import Callable, Iterator, Mapping, Sequence
from contextlib import suppress
from functools import lru_cache
from hashlib import blake2b
from pathlib import Path
from typing import Any, NamedTuple

import pyarrow as pa
import pyarrow.parquet as pq

from optbench.errors import StoreError
from optbench.store.locations import children, replace
from optbench.store.parts import UNREADABLE, Part, TornPart, examined_part, footer_text, part_path
from optbench.store.record import CellRecord
from optbench.store.schema import FIXED, VERSION
from optbench.store.status import Outcome
from optbench.store.trials import BATCH_TRIALS, Trials, column_names, open_part

#: Parts that are worth packs, when so many have to be read, and how many one holds.
MANY, PACKED = 3000, 512
#: A part that was changed so shortly before may change again without its time telling.
SETTLED_SECONDS = 2.0
#: Report seeds of larger parts are read as fast from there.
LARGEST_BYTES = 2**16
#: What is kept of the report seeds beside their metrics: enough to tell how they ended, at any step.
KEPT = ("phase", "seed", "point", "status", "step", "gradient_evaluations", "step_loss")


class Stamp(NamedTuple):
    """What tells a part from another of its name."""

    size: int
    changed_ns: int


def stamp(path: Path | os.DirEntry[str]) -> Stamp | None:
    """Look at a part on a disk; None where it is gone."""
    try:
        there = path.stat()
    except OSError:
        return None
    return Stamp(there.st_size, there.st_mtime_ns)


def read_and_pack(folder: Path, paths: Sequence[Path]) -> list[Part | TornPart | None]:
    """Read the footers of some parts, as `read_part` does, and write a pack of them."""
    copies = [_read_and_copy(path) for path in paths]
    rows = [row for _, row in copies if row is not None]
    if rows:
        content = io.BytesIO()
        pq.write_table(pa.Table.from_pylist(rows), content, compression="zstd", use_dictionary=False)
        # Without it all is slower, and nothing is missing.
        with suppress(OSError, StoreError):
            (folder / "packs").mkdir(exist_ok=True)
            replace(folder / "packs" / _name(content.getvalue()), lambda file: file.write(content.getvalue()))
    return [part for part, _ in copies]


def _read_and_copy(path: Path) -> tuple[Part | TornPart | None, dict[str, Any] | None]:
    """Read a part: (what its footer says, its row in a pack); without a row where it is torn, or of this moment."""
    # Looked at before it is read: of one that is replaced in between, another stamp is kept than it has.
    at, latest = stamp(path), time.time_ns() - SETTLED_SECONDS * 1e9
    with examined_part(path) as (part, file):
        if not isinstance(part, Part) or file is None or at is None or at.changed_ns >= latest:
            return part, None
        report = None
        if part.outcome == Outcome.FINISHED and at.size <= LARGEST_BYTES:
            with suppress(*UNREADABLE):
                report = _serialized(_report_batch(file, part.record.report_trials, _is_kept))
    fields = {"schema": VERSION, "key": path.stem, "footer": footer_text(path.stem, part.record)}
    return part, fields | at._asdict() | {"report": report}


def packed_parts(folder: Path, stamps: Mapping[str, Stamp]) -> Iterator[tuple[str, Part]]:
    """Read what packs say of parts that are still what they were: (key, part)."""
    try:
        packs = children(folder / "packs")
    except StoreError:
        return
    for pack in packs:
        with suppress(*UNREADABLE):
            for key, text, *at in _columns(pack, ["key", "footer", *Stamp._fields]):
                path = part_path(folder, key)
                if stamps.get(path.name) == Stamp(*at):
                    yield key, Part(path, CellRecord.from_json(json.loads(text)), pack)


def _is_kept(name: str) -> bool:
    return name in KEPT or name not in FIXED


def report_batch(part: Part, keep: Callable[[str], bool]) -> pa.RecordBatch | None:
    """Read a part's report seeds as one batch, of those metrics and columns of KEPT that are to be read.

    None where they are not as they are written today: few, in a row group of their own, the last.
    """
    packed = _reports(part.pack).get(part.path.stem) if part.pack else None
    if packed is not None:
        with suppress(*UNREADABLE):
            batch = pa.ipc.open_stream(packed).read_next_batch()
            # Older packs kept less, of what the part itself has.
            if {*KEPT} <= {*batch.schema.names}:
                return batch.select([name for name in batch.schema.names if keep(name)])
    with open_part(part) as trials:
        return _report_batch(trials, part.record.report_trials, lambda name: _is_kept(name) and keep(name))


def _report_batch(trials: Trials, num: int, keep: Callable[[str], bool]) -> pa.RecordBatch | None:
    wanted = [name for name in column_names(trials) if keep(name)]
    if not 0 < num <= BATCH_TRIALS:
        return None
    if not isinstance(trials, pq.ParquetFile):
        batches = trials.select(wanted).to_batches() if len(trials) == num else []
    else:
        last = trials.num_row_groups - 1
        if last < 0 or trials.metadata.row_group(last).num_rows != num:
            return None
        batches = list(trials.iter_batches(num, [last], wanted, use_threads=False))
    if len(batches) != 1 or {*batches[0]["phase"].to_pylist()} != {"report"}:
        return None
    # The schema holds the footer.
    return batches[0].replace_schema_metadata(None)


def _serialized(batch: pa.RecordBatch | None) -> bytes | None:
    if batch is None:
        return None
    content = pa.BufferOutputStream()
    with pa.ipc.new_stream(content, batch.schema) as stream:
        stream.write_batch(batch)
    return content.getvalue().to_pybytes()


@lru_cache(2)
def _reports(pack: Path) -> dict[str, bytes]:
    """Hold the report seeds of a pack, whose parts are asked for one after another; none where it is gone."""
    with suppress(*UNREADABLE):
        return {key: report for key, report in _columns(pack, ["key", "report"]) if report is not None}
    return {}


def _columns(pack: Path, names: Sequence[str]) -> Iterator[tuple]:
    """Read some columns of a pack, row by row. Raises one of UNREADABLE where it isn't what was written, or is gone."""
    content = pack.read_bytes()
    # What Parquet can be made to do by a file that is damaged is best not tried.
    if pack.name != _name(content):
        raise ValueError(f"{pack} is not what was written")
    table = pq.ParquetFile(io.BytesIO(content)).read([*names, "schema"])
    if {*table["schema"].to_pylist()} != {VERSION}:
        raise ValueError(f"{pack} has another schema")
    return zip(*(table[name].to_pylist() for name in names), strict=True)


def _name(content: bytes) -> str:
    return f"{blake2b(content, digest_size=12).hexdigest()}.parquet"
