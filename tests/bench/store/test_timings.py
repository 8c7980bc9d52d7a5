"""Timings come back as they were written, or not at all."""

import json

import pytest

from optbench.errors import StoreError
from optbench.store.timings import read_timings, write_timing

TIMING = {"outcome": "finished", "step_seconds": [0.5, 0.25], "compile_seconds": None, "batch_size": "full"}


def path(folder):
    return folder / "timings" / "key.json"


def test_comes_back(tmp_path):
    write_timing(tmp_path, "key", TIMING)
    assert read_timings(tmp_path, ["key", "other"]) == {"key": TIMING | {"schema": 1, "key": "key"}}
    # Whole or not at all: nothing else is left.
    assert list((tmp_path / "timings").iterdir()) == [path(tmp_path)]


def test_is_replaced(tmp_path):
    write_timing(tmp_path, "key", TIMING)
    write_timing(tmp_path, "key", TIMING | {"outcome": "failed"})
    assert read_timings(tmp_path, ["key"])["key"]["outcome"] == "failed"


@pytest.mark.parametrize(
    "tear",
    [
        lambda text: text[:40],
        lambda text: text[:-2],
        lambda text: "",
        lambda text: "[]",
        lambda text: "1",
        lambda text: "{}",
        lambda text: text.replace('"schema": 1', '"schema": 0'),
        lambda text: "\x00" * len(text),
    ],
    ids=["half", "all-but-its-end", "empty", "list", "number", "without-a-version", "another-version", "zeros"],
)
def test_torn_one_is_not_there(tmp_path, tear):
    write_timing(tmp_path, "key", TIMING)
    whole = path(tmp_path).read_text()
    assert tear(whole) != whole
    path(tmp_path).write_text(tear(whole))
    assert read_timings(tmp_path, ["key"]) == {}


def test_bytes_that_are_no_text_are_not_there(tmp_path):
    write_timing(tmp_path, "key", TIMING)
    path(tmp_path).write_bytes(b"\xff\xfe\x00")
    assert read_timings(tmp_path, ["key"]) == {}


def test_is_strict_json(tmp_path):
    write_timing(tmp_path, "key", TIMING)
    assert json.loads(path(tmp_path).read_text(), parse_constant=pytest.fail)["key"] == "key"


def test_what_is_in_the_way_is_named(tmp_path):
    (tmp_path / "timings").touch()
    with pytest.raises(StoreError, match=r"can't write .*timings"):
        write_timing(tmp_path, "key", TIMING)
