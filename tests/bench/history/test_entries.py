"""A history's parts: written once, read whole, on a disk and in object storage."""

import subprocess
import sys
from pathlib import Path

import pyarrow.parquet as pq
import pytest

from optbench.errors import StoreError
from optbench.history import schema
from optbench.history.entries import read_history, read_samples, remove, write_entry


def test_what_is_written_is_read(keep, quality):
    history = keep([quality([0.3, 0.1, 0.2])], ({"label": "v1"}, [quality([0.1, 0.2, 0.3])]))
    first, second = history.entries
    assert (first.label, second.label, second.num_rows) == (None, "v1", 1)
    assert first.versions["optax"] == "0.2.8" and first.device == "cpu, Some CPU, 2 cores"
    (row,) = read_samples(history, [first])
    assert row["samples"] == [0.3, 0.1, 0.2] and row["seeds"] == [0, 1, 2] and row["value"] == 0.2
    assert history.rows.num_rows == 2 and history.rows.column_names == [*schema.LIGHT]


def test_adding_twice_changes_nothing(place, about, quality):
    first = write_entry(place, about(0), [quality([1.0])])
    content = {path: path.read_bytes() for path in Path(place).iterdir()}
    assert write_entry(place, about(0, label="again"), [quality([1.0])]) == (first[0], False)
    assert {path: path.read_bytes() for path in Path(place).iterdir()} == content
    assert write_entry(place, about(1), [quality([1.0])])[1]


def test_entries_come_in_the_order_they_were_measured(place, about, quality):
    for number in (2, 0, 1):
        write_entry(place, about(number, label=str(number)), [quality([1.0])])
    assert [entry.label for entry in read_history(place).entries] == ["0", "1", "2"]


@pytest.mark.parametrize("damage", [lambda content: content[:200], lambda content: b"", lambda content: b"no parquet"])
def test_a_torn_part_is_named_and_skipped(place, keep, quality, damage):
    torn = Path(keep([quality([1.0])], [quality([2.0])]).entries[0].path)
    torn.write_bytes(damage(torn.read_bytes()))
    history = read_history(place)
    assert history.torn == (str(torn),) and len(history.entries) == 1


def change(path, column):
    """Change a byte of what a part holds in a column."""
    rows = pq.ParquetFile(path).metadata.row_group(0)
    (chunk,) = (one for one in map(rows.column, range(rows.num_columns)) if one.path_in_schema == column)
    content = bytearray(Path(path).read_bytes())
    # The last byte of its pages, which begin with a dictionary where there is one.
    content[(chunk.dictionary_page_offset or chunk.data_page_offset) + chunk.total_compressed_size - 1] ^= 255
    Path(path).write_bytes(content)


def test_a_changed_byte_is_seen(place, keep, quality):
    path = keep([quality([1.25] * 400)], [quality([2.0])]).entries[0].path
    change(path, "value")
    assert read_history(place).torn == (path,)


def test_a_changed_sample_is_seen_where_it_is_read(place, keep, quality):
    history = keep([quality([1.25] * 400)], [quality([2.0])])
    change(history.entries[0].path, "samples.list.element")
    with pytest.raises(StoreError, match="is damaged"):
        read_samples(read_history(place), history.entries)


def test_a_part_under_way_is_no_part(place, keep, quality):
    keep([quality([1.0])])
    (Path(place) / ".20260101T000000Z-0.parquet.1.tmp").write_text("half")
    (Path(place) / ".hidden.parquet").write_text("half")
    assert read_history(place).torn == ()


def test_a_newer_schema_is_refused(place, about, quality, monkeypatch):
    with monkeypatch.context() as patch:
        patch.setattr(schema, "VERSION", schema.VERSION + 1)
        write_entry(place, about(0), [quality([1.0])])
    with pytest.raises(StoreError, match="history schema 2; this optbench reads 1"):
        read_history(place)


def test_nothing_there_says_how_to_begin(place):
    with pytest.raises(StoreError, match="begin one: optbench history add"):
        read_history(place)


def test_unwritable_places_are_one_line(tmp_path, about, quality):
    (tmp_path / "file").write_text("")
    with pytest.raises(StoreError, match="can't write"):
        write_entry(str(tmp_path / "file" / "history"), about(0), [quality([1.0])])
    with pytest.raises(StoreError, match="can't open"):
        read_history("nosuch://bucket/history")


def test_remove_deletes_what_is_named(place, keep, quality):
    history = keep([quality([1.0])], [quality([2.0])], [quality([3.0])])
    remove(history, history.entries[:2])
    assert [entry.id for entry in read_history(place).entries] == [history.entries[2].id]


ADD = """
import sys
from optbench.history.entries import write_entry
number = int(sys.argv[2])
about = {"time": "2026-01-01T00:00:00Z", "label": str(number), "versions": {}, "machine": "m", "commit": str(number)}
sys.stdin.readline()
write_entry(sys.argv[1], about, [{"problem": "p", "optimizer": "o", "measure": "gap", "value": float(number)}])
"""


def test_processes_that_add_at_the_same_moment_lose_nothing(place):
    command = [sys.executable, "-c", ADD, place]
    adding = [subprocess.Popen([*command, str(number)], stdin=subprocess.PIPE) for number in range(4)]
    for process in adding:
        assert process.stdin is not None
        process.stdin.close()
    assert [process.wait(60) for process in adding] == [0] * 4
    history = read_history(place)
    assert {entry.label for entry in history.entries} == {"0", "1", "2", "3"} and history.torn == ()


def test_object_storage_is_the_same(bucket, about, quality):
    bucket = f"{bucket}/history"
    with pytest.raises(StoreError, match="no history"):
        read_history(bucket)
    for number in range(3):
        write_entry(bucket, about(number), [quality([number + 1.0])])
    assert not write_entry(bucket, about(2), [quality([3.0])])[1]
    history = read_history(bucket)
    assert [row["samples"] for row in read_samples(history, history.entries)] == [[1.0], [2.0], [3.0]]
    remove(history, history.entries[:1])
    assert len(read_history(bucket).entries) == 2
