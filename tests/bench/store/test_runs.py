"""Folders of runs: what is left of killed ones goes, and what others may still write stays."""

import os
import time
from datetime import UTC, datetime, timedelta
from pathlib import Path

import pytest

import optbench
from optbench.errors import StoreError
from optbench.store import runs
from optbench.store.runs import list_runs, now, remove_stale, write_json


@pytest.mark.parametrize(("minutes", "left"), [(0, True), (-1, True), (1, False), (24 * 60, False)])
@pytest.mark.parametrize("place", [".key.1.tmp", "parts/.key.1.tmp"])
def test_what_has_been_temporary_for_more_than_a_day_is_removed(tmp_path, monkeypatch, place, minutes, left):
    written = 1_000_000.0
    monkeypatch.setattr(runs, "time", _Clock(written + 24 * 3600 + 60 * minutes))
    path = tmp_path / place
    path.parent.mkdir(exist_ok=True)
    path.write_text("half of it")
    os.utime(path, (written, written))
    remove_stale(tmp_path)
    assert path.exists() == left


class _Clock:
    """Stands for the module `time`."""

    def __init__(self, seconds):
        self.time = lambda: seconds


def test_what_is_not_temporary_stays_however_old(tmp_path):
    (tmp_path / "parts").mkdir()
    paths = [tmp_path / name for name in ("manifest.json", ".hidden", "parts/key.parquet", "parts/key.tmp")]
    for path in paths:
        path.write_text("whole")
        os.utime(path, (0, 0))
    remove_stale(tmp_path)
    assert all(path.exists() for path in paths)


def test_a_folder_of_a_run_is_made_once_and_written_again(tmp_path):
    """Of the folders above a file only its own: the run's is not made again."""
    for value in (1, 2):
        write_json(tmp_path, tmp_path / "timings" / "key.json", {"value": value})
    assert (tmp_path / "timings" / "key.json").read_text() == '{\n  "value": 2\n}\n'
    with pytest.raises(ValueError, match="not JSON compliant"):
        write_json(tmp_path, tmp_path / "key.json", {"value": float("nan")})
    with pytest.raises(StoreError, match="the run's folder is gone"):
        write_json(tmp_path / "gone", tmp_path / "gone" / "timings" / "key.json", {})


def test_a_folder_that_is_there_is_not_called_gone(tmp_path):
    """What is missing is something else, such as a temporary file that somebody took away."""

    def write(file):
        raise FileNotFoundError(2, "No such file or directory")

    with pytest.raises(StoreError, match=r"^can't write \S+key: No such file or directory$"):
        runs.write_run_file(tmp_path, tmp_path / "parts" / "key", write)


def test_the_newest_eight_are_named_where_one_is_not_found(tmp_path):
    for number in range(10):
        (tmp_path / f"r{number}").mkdir()
        (tmp_path / f"r{number}" / "manifest.json").write_text("{}")
        os.utime(tmp_path / f"r{number}" / "manifest.json", (1e9 + number, 1e9 + number))
    with pytest.raises(StoreError, match=r"; there are: r9, r8, r7, r6, r5, r4, r3, r2$"):
        runs.find_run(tmp_path, "other")


def test_runs_that_come_with_it_lie_beside_its_code_or_in_a_checkout():
    package = Path(optbench.__file__).parent
    assert {*runs.REFERENCES} == {package.parent / "results", package}


def test_runs_of_one_moment_are_all_listed(tmp_path):
    for name in "ab":
        (tmp_path / name).mkdir()
        (tmp_path / name / "manifest.json").write_text("{}")
        os.utime(tmp_path / name / "manifest.json", (1e9, 1e9))
    (tmp_path / "file").write_text("")
    assert sorted(folder.name for folder in list_runs(tmp_path)) == ["a", "b"]


def test_the_time_is_told_in_utc(monkeypatch):
    monkeypatch.setenv("TZ", "Asia/Tokyo")
    time.tzset()
    try:
        told = datetime.strptime(now(), "%Y-%m-%dT%H:%M:%SZ").replace(tzinfo=UTC)
        assert abs(told - datetime.now(UTC)) < timedelta(hours=1)
    finally:
        monkeypatch.undo()
        time.tzset()
