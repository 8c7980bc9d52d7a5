"""What packs say of parts is what the parts say, or nothing."""

import io
import os
import threading
import time

import pyarrow as pa
import pyarrow.parquet as pq
import pytest

from optbench.analyse.outcomes import Slice
from optbench.analyse.tuned_ends import tuned_ends
from optbench.store import packs
from optbench.store.archive import archived_parts, write_archive
from optbench.store.parts import Part, part_path, read_part, write_part
from optbench.store.scan import _stamps, packing, scan
from optbench.store.schema import trial_rows

KEYS = [*"abcdef", "torn", "failed"]
#: Columns, in the order of a part.
SOME = ("phase", "seed")


def trial(phase, seed, loss, **others):
    named = {"phase": phase, "problem": "bowl", "optimizer": "sgd", "status": "ok", "seed": seed, "point": 0}
    return named | {"step": [0, 10, 20], "train_loss": [1.0, loss, loss / 2]} | others


@pytest.fixture
def written(record):
    """Write a cell of three trials: written(folder, key)."""

    def write(folder, key, scale=1.0, outcome="finished", **others):
        rows = [trial("select", 0, scale, **others)]
        rows += [trial("report", seed, scale + seed, **others) for seed in range(2)]
        write_part(folder, key, trial_rows(rows), record(outcome=outcome, report_seeds=2, targets={"train_loss": 0.1}))
        age(part_path(folder, key), 60)

    return write


def age(path, seconds):
    os.utime(path, ns=(time.time_ns() - seconds * 10**9,) * 2)


@pytest.fixture
def folder(tmp_path, monkeypatch, written):
    """Keep eight cells, one of them torn, in packs of three."""
    monkeypatch.setattr(packs, "MANY", 4)
    monkeypatch.setattr(packs, "PACKED", 3)
    packs._reports.cache_clear()
    for place, key in enumerate(KEYS):
        written(tmp_path, key, 1.0 + place, **({"train_angle": [3.0, 2.0, 1.0]} if key == "b" else {}))
    part_path(tmp_path, "torn").write_bytes(b"nothing")
    written(tmp_path, "failed", outcome="failed")
    return tmp_path


@pytest.fixture
def opened(monkeypatch):
    """Write down which parts are read whole."""
    names, read, examined = [], read_part, packs.examined_part

    def look(call):
        return lambda path: names.append(path.stem) or call(path)

    monkeypatch.setattr("optbench.store.scan.read_part", look(read))
    monkeypatch.setattr(packs, "examined_part", look(examined))
    return names


def told(found):
    """Leave out where a part's report seeds are read."""
    return {key: part._replace(pack=None) if isinstance(part, Part) else part for key, part in found.items()}


def in_pack(parts):
    return [part.path.stem for part in parts if isinstance(part, Part) and part.pack]


def alone(folder):
    """Read each part by itself."""
    parts = {key: read_part(part_path(folder, key)) for key in KEYS}
    return told({key: part for key, part in parts.items() if part is not None})


def ends(parts):
    return repr(tuned_ends([part for part in parts if part.outcome == "finished"], Slice()))


def test_what_was_packed_is_not_read_again(folder, opened):
    first = scan(folder, KEYS)
    assert sorted(opened) == sorted(KEYS)
    opened.clear()
    second = scan(folder, KEYS)
    assert opened == ["torn"]
    assert told(first) == told(second) == alone(folder)
    assert [*second] == KEYS


def test_trials_of_packs_end_as_those_of_parts(folder):
    parts = list(scan(folder, KEYS).values())
    assert in_pack(parts) == [key for key in KEYS if key != "torn"]
    assert "train_angle" in ends(parts)
    assert ends(parts) == ends(alone(folder).values())


def test_report_seeds_of_packs_are_read_without_opening_a_part(folder, monkeypatch):
    parts = [part for part in scan(folder, KEYS).values() if isinstance(part, Part) and part.outcome == "finished"]
    expected = [packs.report_batch(part._replace(pack=None), lambda name: True) for part in parts]
    monkeypatch.setattr(packs, "open_part", lambda part: pytest.fail(f"{part.path} was opened"))
    batches = [packs.report_batch(part, lambda name: True) for part in parts]
    assert [batch.to_pylist() for batch in batches] == [batch.to_pylist() for batch in expected]
    assert [batch["seed"].to_pylist() for batch in batches] == [[0, 1]] * 6
    (only,) = {tuple(packs.report_batch(part, SOME.__contains__).schema.names) for part in parts}
    assert only == SOME


@pytest.mark.parametrize(("num", "is_read"), [(1, True), (2, True), (3, False)])
def test_report_seeds_are_one_batch_where_they_are_few(tmp_path, record, monkeypatch, num, is_read):
    monkeypatch.setattr(packs, "BATCH_TRIALS", 2)
    rows = [trial("report", seed, 1.0 + seed) for seed in range(num)]
    write_part(tmp_path, "key", trial_rows(rows), record(report_seeds=num))
    batch = packs.report_batch(read_part(part_path(tmp_path, "key")), SOME.__contains__)
    assert (batch and batch["seed"].to_pylist()) == ([*range(num)] if is_read else None)


@pytest.mark.parametrize(("report_seeds", "seeds"), [(2, [0, 1]), (3, None)], ids=["all", "not-all"])
def test_report_seeds_of_an_archive_are_one_batch(tmp_path, record, report_seeds, seeds):
    rows = trial_rows([trial("report", seed, 1.0 + seed) for seed in range(2)])
    write_archive(tmp_path, [("key", record(report_seeds=report_seeds), rows), ("other", record(), rows)])
    part = archived_parts(tmp_path, ["key"])["key"]
    batch = packs.report_batch(part, SOME.__contains__)
    assert (batch and batch["seed"].to_pylist()) == seeds


@pytest.mark.parametrize("phases", [["select"] * 2, ["report"], []], ids=["of-no-report", "fewer", "none"])
def test_report_seeds_that_are_not_there_are_no_batch(tmp_path, record, phases):
    rows = [trial(phase, seed, 1.0) for seed, phase in enumerate(phases)]
    write_part(tmp_path, "key", trial_rows(rows), record(report_seeds=2))
    assert packs.report_batch(read_part(part_path(tmp_path, "key")), lambda name: True) is None


def test_fewer_are_not_packed(folder):
    assert in_pack(scan(folder, "abc").values()) == []
    assert not (folder / "packs").exists()


@pytest.mark.parametrize(
    "change",
    [
        lambda folder, written: written(folder, "a", 7.0),
        lambda folder, _: part_path(folder, "a").unlink(),
        lambda folder, _: part_path(folder, "a").write_bytes(b"x" * part_path(folder, "a").stat().st_size),
        lambda folder, _: age(part_path(folder, "a"), 3600),
    ],
    ids=["replaced", "removed", "damaged", "touched"],
)
def test_what_has_changed_is_read_again(folder, opened, written, change):
    scan(folder, KEYS)
    change(folder, written)
    opened.clear()
    found = scan(folder, KEYS)
    assert {*opened} == {"torn", "a"} & {path.stem for path in (folder / "parts").iterdir()}
    assert told(found) == alone(folder)


def test_what_was_written_just_now_is_not_packed(folder):
    age(part_path(folder, "a"), 1)
    assert {*KEYS} - {*in_pack(scan(folder, KEYS).values())} == {"a", "torn"}


@pytest.mark.parametrize("place", [0, 4, 100, -200, -9, -1])
def test_a_damaged_pack_is_none(folder, place):
    scan(folder, KEYS)
    for pack in (folder / "packs").iterdir():
        content = bytearray(pack.read_bytes())
        content[place] ^= 1
        pack.write_bytes(content)
    found = scan(folder, KEYS)
    assert told(found) == alone(folder)


def test_a_pack_that_vanishes_is_not_missed(folder):
    parts = list(scan(folder, KEYS).values())
    for pack in (folder / "packs").iterdir():
        pack.unlink()
    packs._reports.cache_clear()
    assert ends(parts) == ends(alone(folder).values())


def test_without_room_for_packs_all_is_read(folder, monkeypatch):
    def full(path, write):
        raise OSError(28, "No space left on device")

    monkeypatch.setattr(packs, "replace", full)
    assert told(scan(folder, KEYS)) == alone(folder)


@pytest.mark.parametrize("report_seeds", [-1, 3])
def test_a_part_that_says_nonsense_of_its_seeds_stops_no_scan(folder, record, report_seeds):
    write_part(folder, "a", trial_rows([trial("report", 0, 1.0)]), record(report_seeds=report_seeds))
    age(part_path(folder, "a"), 60)
    assert told(scan(folder, KEYS)) == told(scan(folder, KEYS)) == alone(folder)


def test_a_pack_of_somebody_who_means_harm_is_none(folder):
    scan(folder, KEYS)
    for place, pack in enumerate([*(folder / "packs").iterdir()]):
        table = pq.read_table(pack)
        column = ["footer", "report", "size"][place]
        table = table.set_column(table.schema.get_field_index(column), column, pa.array([b"{]"] * len(table)))
        content = io.BytesIO()
        pq.write_table(table, content)
        pack.unlink()
        pack.with_name(packs._name(content.getvalue())).write_bytes(content.getvalue())
    parts = scan(folder, KEYS)
    assert told(parts) == alone(folder)
    assert ends([*parts.values()]) == ends(alone(folder).values())


def test_large_parts_are_read_themselves(folder, monkeypatch):
    monkeypatch.setattr(packs, "LARGEST_BYTES", 0)
    parts = list(scan(folder, KEYS).values())
    assert {*packs._reports(parts[0].pack)} == set()
    assert ends(parts) == ends(alone(folder).values())


def test_parts_are_packed_while_they_are_written(folder):
    with packing(folder) as note:
        for key in KEYS[:3]:
            note(key)
        assert not (folder / "packs").exists()
        note(KEYS[3])
    assert sorted(dict(packs.packed_parts(folder, _stamps(folder / "parts")))) == KEYS[:4]


def test_what_ends_the_writing_waits_for_no_pack(folder, monkeypatch):
    held = threading.Event()
    monkeypatch.setattr(packs, "read_and_pack", lambda folder, paths: held.wait() and [])

    def interrupted():
        with packing(folder) as note:
            for key in KEYS:
                note(key)
            raise KeyboardInterrupt

    with pytest.raises(KeyboardInterrupt):
        interrupted()
    # Had it waited, this would never be reached.
    held.set()
    # What is still under way is not for the next test to find.
    for thread in threading.enumerate():
        if thread.name.startswith("packing"):
            thread.join()
