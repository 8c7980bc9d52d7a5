"""Parts and manifests: written whole or not at all, read back as they were, and told in one line where they are not."""

import json
import math
import os
from dataclasses import replace

import numpy as np
import pyarrow.parquet as pq
import pytest

from optbench.errors import StoreError
from optbench.store import parts, schema
from optbench.store.manifest import read_manifest, write_manifest
from optbench.store.parts import TornPart, footer_text, part_path, read_part, set_aside, write_part
from optbench.store.record import CellRecord
from optbench.store.runs import check_writable, find_run, list_runs
from optbench.store.schema import trial_rows
from optbench.store.timings import Timing, write_timing
from optbench.store.trials import read_rows

RECORD = CellRecord(
    problem="bowl", optimizer="sgd", batch_size=4, num_points=1, seeds=1, report_seeds=0, message="ValueError: boom"
)
CELL = {"key": "key", "problem": "bowl", "optimizer": "sgd", "batch_size": 4}
MANIFEST = {
    "suite": {"dtype": "float32", "report_seeds": 1, "problems": [], "optimizers": []},
    "device": {"device": "cpu"},
    "started": "2025",
    "ended": None,
    "cells": [CELL],
}
TIMING = Timing(
    key="key",
    problem="bowl",
    optimizer="sgd",
    batch_size=4,
    dtype="float32",
    measured="2025",
    device={},
    message="boom",
)
#: Stands for a field that is not there.
DELETED = object()
TRIAL = {
    "phase": "select",
    "problem": "bowl[dim=3]",
    "optimizer": "sgd",
    "batch_size": "full",
    "dtype": "float32",
    "seed": 1,
    "point": 2,
    "hyperparameters": {"learning_rate": 0.1, "momentum": 0.9},
    "schedule": "cosine",
    "status": "ok",
    "step": np.arange(3),
    "examples": np.arange(3) * 32,
    "train_loss": np.array([1.0, np.inf, np.nan]),
    "train_margin": np.array([1.0, 2.0, 3.0]),
}


@pytest.mark.parametrize("outcome", ["finished", "failed"])
def test_what_is_written_is_read(tmp_path, record, outcome):
    written = record(outcome=outcome, message="" if outcome == "finished" else "ValueError: boom")
    write_part(tmp_path, "key", trial_rows([TRIAL, TRIAL | {"phase": "report"}]), written)
    part = read_part(part_path(tmp_path, "key"))
    assert (part.path, part.outcome, part.record) == (tmp_path / "parts" / "key.parquet", outcome, written)
    first, second = read_rows([part]).to_pylist()
    for name in ("phase", "problem", "optimizer", "batch_size", "dtype", "seed", "point", "schedule", "status"):
        assert first[name] == TRIAL[name]
    assert dict(first["hyperparameters"]) == TRIAL["hyperparameters"]
    assert (first["step"], first["examples"], first["train_margin"]) == ([0, 1, 2], [0, 32, 64], [1, 2, 3])
    one, infinite, missing = first["train_loss"]
    assert (one, infinite) == (1, math.inf) and math.isnan(missing)
    # What a row lacks is null.
    assert first["message"] is first["diverged_at"] is first["test_loss"] is first["step_loss"] is None
    assert second["phase"] == "report"


def phases_of_groups(path):
    with pq.ParquetFile(path) as file:
        return [file.read_row_group(group)["phase"].to_pylist() for group in range(file.num_row_groups)]


def test_phases_stand_in_row_groups_of_their_own(grouped):
    assert phases_of_groups(grouped) == [["select"] * 2, ["select"] * 2, ["select"], ["report"] * 2]
    assert [row["seed"] for row in read_rows([read_part(grouped)]).to_pylist()] == [0, 1, 2, 3, 4, 0, 1]


@pytest.mark.parametrize("group", range(4))
def test_a_damaged_page_of_any_row_group_is_torn(grouped, group):
    with pq.ParquetFile(grouped) as file:
        chunks = [file.metadata.row_group(group).column(place) for place in range(file.metadata.num_columns)]
    whole = grouped.read_bytes()
    for chunk in chunks:
        last = chunk.data_page_offset + chunk.total_compressed_size - 1
        grouped.write_bytes(whole[:last] + bytes([whole[last] ^ 1]) + whole[last + 1 :])
        assert read_part(grouped).outcome == "torn", chunk.path_in_schema


def test_nothing_is_read_of_nothing(tmp_path):
    assert read_part(part_path(tmp_path, "key")) is None


def test_any_parquet_reader_reads_a_part(tmp_path):
    write_part(tmp_path, "key", trial_rows([TRIAL]), RECORD)
    table = pq.read_table(part_path(tmp_path, "key"))
    assert set(schema.FIXED) | {*schema.METRICS, "train_margin"} == set(table.column_names)


def test_a_part_is_replaced_whole(tmp_path):
    write_part(tmp_path, "key", trial_rows([TRIAL]), RECORD)
    write_part(tmp_path, "key", trial_rows([TRIAL, TRIAL]), replace(RECORD, message="another"))
    part = read_part(part_path(tmp_path, "key"))
    assert (part.record.message, read_rows([part]).num_rows) == ("another", 2)
    assert [path.name for path in (tmp_path / "parts").iterdir()] == ["key.parquet"]


@pytest.mark.parametrize("fails", ["write", "fsync", "replace"])
def test_a_failing_write_leaves_the_old_part_and_nothing_else(tmp_path, monkeypatch, fails):
    write_part(tmp_path, "key", trial_rows([TRIAL]), RECORD)
    before = part_path(tmp_path, "key").read_bytes()

    def fail(*given, **named):
        if fails == "write":
            given[0].write(b"half of it")
        raise OSError(28, "No space left on device")

    target = {"write": (parts.pq, "ParquetWriter"), "fsync": (os, "fsync"), "replace": (os, "replace")}[fails]
    monkeypatch.setattr(*target, fail)
    with pytest.raises(StoreError, match=r"key\.parquet: No space left on device") as caught:
        write_part(tmp_path, "key", trial_rows([TRIAL, TRIAL]), RECORD)
    assert "\n" not in str(caught.value)
    assert part_path(tmp_path, "key").read_bytes() == before
    assert [path.name for path in (tmp_path / "parts").iterdir()] == ["key.parquet"]


def test_a_failing_manifest_leaves_the_old_one_and_nothing_else(tmp_path, monkeypatch):
    write_manifest(tmp_path, MANIFEST)

    def fail(*_):
        raise OSError(28, "No space left on device")

    monkeypatch.setattr(os, "replace", fail)
    with pytest.raises(StoreError, match="No space left on device"):
        write_manifest(tmp_path, MANIFEST | {"ended": "later"})
    assert read_manifest(tmp_path)["ended"] is None
    assert [path.name for path in tmp_path.iterdir()] == ["manifest.json"]


@pytest.mark.parametrize(
    "change",
    [
        {"outcome": None},
        {"outcome": "half"},
        {"outcome": "torn"},
        {"problem": None},
        {"optimizer": 3},
        {"report_seeds": "two"},
        {"report_seeds": []},
        {"best": "sgd"},
        {"steps": None},
        {"at_edge": DELETED},
        {"batch_size": DELETED},
    ],
    ids=lambda change: str({name: "deleted" if value is DELETED else value for name, value in change.items()}),
)
def test_a_strange_footer_is_torn(tmp_path, record, change):
    footer = json.loads(footer_text("key", record())) | change
    footer = {name: value for name, value in footer.items() if value is not DELETED}
    path = part_path(tmp_path, "key")
    path.parent.mkdir()
    pq.write_table(trial_rows([TRIAL]).replace_schema_metadata({"optbench": json.dumps(footer)}), path)
    assert read_part(path) == TornPart(path, "is torn")


def test_a_parquet_that_is_no_part_is_torn(tmp_path):
    path = part_path(tmp_path, "key")
    path.parent.mkdir()
    pq.write_table(trial_rows([TRIAL]), path)
    assert read_part(path).outcome == "torn"


def test_a_part_of_another_schema_is_torn(tmp_path, monkeypatch):
    with monkeypatch.context() as patch:
        patch.setattr(schema, "VERSION", schema.VERSION + 1)
        write_part(tmp_path, "key", trial_rows([TRIAL]), RECORD)
    part = read_part(part_path(tmp_path, "key"))
    assert (part.outcome, part.message) == ("torn", "has schema 2; this optbench reads 1")


def test_torn_parts_are_set_aside_beside_each_other(tmp_path):
    for number, said in ((1, "key.torn"), (2, "key.2.torn"), (3, "key.3.torn")):
        write_part(tmp_path, "key", trial_rows([TRIAL]), RECORD)
        part_path(tmp_path, "key").write_text(f"torn {number}")
        part = read_part(part_path(tmp_path, "key"))
        assert set_aside(part) == f"part {part.path} is torn: kept as {said}, computed again"
        assert (tmp_path / "parts" / said).read_text() == f"torn {number}"
        assert read_part(part.path) is None
    assert (tmp_path / "parts" / "key.torn").read_text() == "torn 1"
    assert list((tmp_path / "parts").glob("*.parquet")) == []


def test_what_another_process_made_whole_is_not_set_aside(tmp_path):
    path = part_path(tmp_path, "key")
    path.parent.mkdir()
    path.write_text("torn")
    part = read_part(path)
    write_part(tmp_path, "key", trial_rows([TRIAL]), RECORD)
    set_aside(part)
    assert read_part(path).record == RECORD
    path.unlink()
    set_aside(part)
    assert list(path.parent.iterdir()) == []


def test_a_part_that_cannot_be_opened_is_not_torn(tmp_path):
    part_path(tmp_path, "key").mkdir(parents=True)
    with pytest.raises(StoreError, match=r"can't read .*key\.parquet: ") as caught:
        read_part(part_path(tmp_path, "key"))
    assert "\n" not in str(caught.value)


@pytest.mark.parametrize(
    "write",
    [
        lambda folder: write_part(folder, "key", trial_rows([TRIAL]), RECORD),
        lambda folder: write_manifest(folder, MANIFEST),
        lambda folder: write_timing(folder, TIMING),
    ],
    ids=["part", "manifest", "timing"],
)
def test_a_folder_that_is_gone_is_not_made_again(tmp_path, write):
    with pytest.raises(StoreError, match=r"can't write .*gone.*: the run's folder is gone$"):
        write(tmp_path / "gone")
    assert list(tmp_path.iterdir()) == []


def test_a_manifest_is_read_as_it_was(tmp_path):
    assert write_manifest(tmp_path, MANIFEST) == read_manifest(tmp_path) == {"schema": schema.VERSION} | MANIFEST


@pytest.mark.parametrize(
    ("text", "said"),
    [
        (None, "no manifest"),
        ("", "no manifest"),
        ("{", "no manifest"),
        ("[]", "no manifest"),
        ("{}", "no manifest"),
        ('{"schema": 99}', "has schema version 99; this optbench reads 1"),
        ('{"schema": 1}', r"no manifest of a run \(suite is missing\)"),
        (json.dumps({"schema": 1} | MANIFEST | {"cells": [3]}), r"\(cells\[0\]: no object\)"),
        (
            json.dumps({"schema": 1} | MANIFEST | {"cells": [CELL | {"key": "../key"}]}),
            r"\(cells\[0\]: key is no name\)",
        ),
        (json.dumps({"schema": 1} | MANIFEST | {"device": {"device": 3}}), r"\(device: device is no str\)"),
        ("[" * 100_000, "no manifest"),
    ],
    ids=[
        *("missing", "empty", "torn", "list", "no-version", "newer"),
        *("no-suite", "strange-cell", "strange-key", "strange-device", "deep"),
    ],
)
def test_a_bad_manifest_is_told_in_one_line(tmp_path, text, said):
    if text is not None:
        (tmp_path / "manifest.json").write_text(text)
    with pytest.raises(StoreError, match=said) as caught:
        read_manifest(tmp_path)
    assert str(tmp_path / "manifest.json") in str(caught.value)
    assert "\n" not in str(caught.value)


def test_writable_is_tried_without_a_trace(tmp_path):
    check_writable(tmp_path / "results" / "run")
    assert list((tmp_path / "results" / "run").iterdir()) == []


def test_not_writable_is_told_in_one_line(tmp_path):
    (tmp_path / "file").touch()
    with pytest.raises(StoreError, match=r"can't write .*file/run: Not a directory"):
        check_writable(tmp_path / "file" / "run")


class TestFind:
    @pytest.fixture
    def results(self, tmp_path):
        for age, name in enumerate(("new", "middle", "old")):
            (tmp_path / name).mkdir()
            write_manifest(tmp_path / name, MANIFEST)
            os.utime(tmp_path / name / "manifest.json", (1e9 - age, 1e9 - age))
        (tmp_path / "no-run").mkdir()
        return tmp_path

    def test_newest_comes_first(self, results):
        assert [path.name for path in list_runs(results)] == ["new", "middle", "old"]

    def test_latest_is_the_newest(self, results):
        assert find_run(results, "latest") == results / "new"

    def test_name_and_path(self, results):
        assert find_run(results, "old") == results / "old"
        assert find_run(results / "nowhere", str(results / "old")) == results / "old"

    @pytest.mark.parametrize("run", ["older", "no-run", ""])
    def test_unknown_names_those_there_are(self, results, run):
        with pytest.raises(StoreError, match="there are: new, middle, old"):
            find_run(results, run)

    def test_nothing_says_what_to_type(self, tmp_path):
        with pytest.raises(StoreError, match="optbench run smoke"):
            find_run(tmp_path, "latest")
