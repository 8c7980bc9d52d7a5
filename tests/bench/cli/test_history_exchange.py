"""`optbench history export`, `import` and `backfill`."""

import json

import pytest

from optbench.history import backfill as filling
from optbench.history.backfill import VersionResult
from optbench.history.entries import read_history, write_entry
from optbench.history.record import summarise
from optbench.results import load


@pytest.fixture
def kept(optbench, handmade):
    handmade("sgd", [[3.0, 2.0, 1.5]])
    write_entry("results/history", *summarise(load("handmade"))[:2])


@pytest.fixture
def heard(monkeypatch):
    """What a backfill was asked for, in place of doing it."""
    asked = []

    def backfill(*given, **_):
        asked.append(given[:2])
        return [VersionResult("0.2.6", "added", "9 rows", 3.2), VersionResult("0.2.7", "failed", "no tree", 1.0)][
            : len(given[1])
        ]

    monkeypatch.setattr(filling, "backfill", backfill)
    return asked


def test_an_entry_is_printed_and_what_is_left_out_said_beside(optbench, kept):
    said = optbench("history", "export", "--format", "bencher")
    assert said.code == 0 and json.loads(said.out)["bowl / sgd / batch 4"]["train-loss"]["value"] == 1.5
    assert "rows are left out" in said.err


def test_an_entry_is_written_to_a_file(optbench, kept, tmp_path):
    said = optbench("history", "export", "latest", "--format", "pytest-benchmark", "-o", "made/one.json")
    assert (said.code, said.out) == (0, "") and "wrote made/one.json" in said.err
    assert json.loads((tmp_path / "made" / "one.json").read_text())["benchmarks"] == []


@pytest.mark.parametrize(
    ("words", "said"),
    [
        (("export", "--format", "benchr"), "did you mean 'bencher'"),
        (("export", "nowhere", "--format", "bencher"), "no entry 'nowhere'"),
        (("export", "--format", "bencher", "--history", "nowhere"), "no history in nowhere"),
        (("import",), "import needs a file"),
        (("import", "none.json"), "can't read none.json"),
        (("backfill", "--package", "optx", "--versions", "1"), "did you mean 'optax'"),
        (("backfill", "--package", "optax", "--versions", "1", "smokey"), "did you mean 'smoke'"),
        (("backfill", "--package", "optax", "--versions", "1", "smoke", "-o", "adm"), "did you mean 'adam'"),
        (("backfill", "--package", "optax", "--versions", "1", "smoke", "--thrughput"), "Unknown option"),
        (("backfill", "--package", "optax", "--versions", "1", "smoke", "--name", "x"), "--name and --results are not"),
    ],
)
def test_a_mistake_is_one_line(optbench, kept, heard, words, said):
    found = optbench("history", *words)
    assert found.code == 2 and said in found.err and found.err.count("\n") == 1
    assert heard == []


def test_a_file_is_imported_once(optbench, tmp_path):
    document = {"commit_info": {}, "machine_info": {}, "datetime": "2026-01-02", "version": "5.1.0"}
    stats = {"median": 1.0, "q1": 0.5, "q3": 2.0, "rounds": 9}
    document["benchmarks"] = [{"fullname": "a.py::test", "stats": stats}]
    (tmp_path / "a.json").write_text(json.dumps(document))
    first, again = (optbench("history", "import", "a.json", "--label", "one") for _ in "ab")
    assert "a.json: 1 rows, added as" in first.out and "already there as" in again.out
    assert [entry.label for entry in read_history(str(tmp_path / "results/history")).entries] == ["one"]


def test_words_after_the_suite_are_those_of_a_run(optbench, heard):
    words = ("--package", "optax", "--versions", "0.2.6,0.2.7,0.2.6", "--label", "old", "smoke", "--no-throughput")
    said = optbench("history", "backfill", *words)
    ((asked, versions),) = heard
    assert versions == ["0.2.6", "0.2.7"], "each once"
    assert (asked.suite, asked.words, asked.label) == ("smoke", ("--no-throughput",), "old")
    assert said.code == 1 and "no tree" in said.out, "one of them failed"


def test_a_backfill_without_failures_ends_with_0(optbench, heard):
    assert optbench("history", "backfill", "--package", "optax", "--versions", "0.2.6").code == 0
