"""Timings come back as they were written, or not at all."""

import json

import pytest

from optbench.errors import StoreError
from optbench.store.timings import read_timings, write_timing


def path(folder):
    return folder / "timings" / "key.json"


@pytest.mark.parametrize("outcome", ["finished", "failed"])
def test_comes_back(tmp_path, timing, outcome):
    written = timing(batch_size="full", outcome=outcome)
    write_timing(tmp_path, written)
    assert read_timings(tmp_path, ["key", "other"]) == {"key": written}
    assert (written.outcome, written.times is None) == (outcome, outcome == "failed")
    # Whole or not at all: nothing else is left.
    assert list((tmp_path / "timings").iterdir()) == [path(tmp_path)]


def test_is_replaced(tmp_path, timing):
    write_timing(tmp_path, timing())
    write_timing(tmp_path, timing(outcome="failed", message="boom"))
    assert read_timings(tmp_path, ["key"])["key"].message == "boom"


def test_what_stands_on_disk_stays(tmp_path, timing):
    """Other programs read it, and older ones of this kind."""
    write_timing(tmp_path, timing())
    names = "schema key problem optimizer batch_size dtype measured device outcome step_seconds steps_per_call"
    names += " gradient_seconds sgd_seconds trace_seconds compile_seconds first_step_seconds state_bytes peak_bytes"
    names += " flops_per_step bytes_per_step copy_bytes_per_second product_flops_per_second examples_per_step"
    assert list(json.loads(path(tmp_path).read_text())) == [*names.split(), "num_parameters", "restart_steps"]
    write_timing(tmp_path, timing(outcome="failed", message="boom"))
    stored = json.loads(path(tmp_path).read_text())
    assert list(stored) == [*names.split()[:9], "message"]
    assert (stored["outcome"], stored["message"]) == ("failed", "boom")


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
        lambda text: text.replace('"finished"', '"begun"'),
        lambda text: text.replace('"sgd_seconds"', '"seconds"'),
        lambda text: text.replace('"num_parameters": 1', '"num_parameters": "1"'),
        lambda text: "\x00" * len(text),
    ],
    ids=[
        *("half", "all-but-its-end", "empty", "list", "number", "without-a-version", "another-version"),
        *("another-outcome", "without-a-field", "of-another-type", "zeros"),
    ],
)
def test_torn_one_is_not_there(tmp_path, timing, tear):
    write_timing(tmp_path, timing())
    whole = path(tmp_path).read_text()
    assert tear(whole) != whole
    path(tmp_path).write_text(tear(whole))
    assert read_timings(tmp_path, ["key"]) == {}


def test_bytes_that_are_no_text_are_not_there(tmp_path, timing):
    write_timing(tmp_path, timing())
    path(tmp_path).write_bytes(b"\xff\xfe\x00")
    assert read_timings(tmp_path, ["key"]) == {}


def test_is_strict_json(tmp_path, timing):
    write_timing(tmp_path, timing())
    assert json.loads(path(tmp_path).read_text(), parse_constant=pytest.fail)["key"] == "key"


def test_what_is_in_the_way_is_named(tmp_path, timing):
    (tmp_path / "timings").touch()
    with pytest.raises(StoreError, match=r"can't write .*timings"):
        write_timing(tmp_path, timing())
