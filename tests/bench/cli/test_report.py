"""`optbench report`."""

import importlib.util
import json

import pytest


@pytest.fixture
def run(handmade):
    for optimizer in ("sgd", "adamw"):
        handmade(optimizer, [[3.0, 2.0, 1.0]])


def needs_extra():
    pytest.importorskip("altair")
    pytest.importorskip("vl_convert")


def test_the_latest_run_becomes_a_page(optbench, run, tmp_path):
    needs_extra()
    said = optbench("report")
    text = (tmp_path / "report.html").read_text()
    assert said.code == 0 and said.out.startswith("report.html: ") and said.out.endswith(" MB\n")
    assert said.err.startswith("drawing handmade: Which optimizer is best\ndrawing handmade: Results\n")
    assert text.startswith("<!doctype html>") and "handmade" in text


def test_a_page_at_another_place(optbench, run, tmp_path):
    needs_extra()
    assert optbench("report", "handmade", "-o", "pages/a.html").code == 0
    assert [path.name for path in (tmp_path / "pages").iterdir()] == ["a.html"]


def refused(optbench, *words):
    said = optbench("report", *words)
    assert said.code == 2 and said.out == "" and said.err.count("\n") == 1
    return said.err


def test_no_such_run(optbench, run):
    needs_extra()
    assert "no run 'nope'" in refused(optbench, "nope")


def test_an_unwritable_place(optbench, run, tmp_path):
    needs_extra()
    (tmp_path / "file").write_text("")
    assert "can't write" in refused(optbench, "-o", "file/report.html")
    assert "Is a directory" in refused(optbench, "-o", str(tmp_path))


def test_a_run_of_a_newer_schema(optbench, run, tmp_path):
    needs_extra()
    path = tmp_path / "results" / "handmade" / "manifest.json"
    path.write_text(json.dumps(json.loads(path.read_text()) | {"schema": 99}))
    assert "has schema version 99; this optbench reads" in refused(optbench)
    assert not (tmp_path / "report.html").exists()


def test_nothing_finished_is_a_page_that_says_so(optbench, run, tmp_path):
    needs_extra()
    for part in (tmp_path / "results" / "handmade" / "parts").iterdir():
        part.unlink()
    assert optbench("report").code == 0
    assert "Nothing has finished in this run" in (tmp_path / "report.html").read_text()


def test_without_its_extra(optbench, run, monkeypatch):
    find = importlib.util.find_spec
    monkeypatch.setattr("optbench.cli.report.find_spec", lambda name: None if name == "altair" else find(name))
    assert "pip install 'optbench[report]'" in refused(optbench)
