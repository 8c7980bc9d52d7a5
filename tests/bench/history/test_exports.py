"""An entry in the formats of other tools, read by one of them and held to its own definitions."""

import json
import subprocess
import sys
from math import inf, isclose, nan

import numpy as np
import pytest
from pytest_benchmark.stats import Stats

from optbench.history.exports import FORMATS, benchmark_stats, export
from optbench.history.imports import read_benchmarks
from optbench.request import RequestError

STEPS = [1e-3, 1.1e-3, 1.2e-3, 1.3e-3, 1.4e-3, 1.5e-3, 9e-3]


@pytest.fixture
def entry(keep, quality, seconds):
    """A history of one entry: a cell's gap, step and compile seconds, a target it missed and a cell that failed."""
    rows = [
        quality([0.1, 0.2, 0.4], "gap"),
        quality([inf, inf, 5.0], "steps_to_target"),
        seconds(1.3e-3, samples=STEPS),
        seconds(0.5, "compile_seconds", low=None, high=None, n=1),
        quality([1.0], "failed", optimizer="lion", value=None, message="out of memory"),
    ]
    history = keep(({"commit": "c" * 40 + "-dirty", "label": "one"}, rows))
    return history, history.entries[0]


@pytest.fixture
def exported(entry):
    """Return a function that exports the entry: exported(format) -> (document, notes)."""

    def call(format):
        text, notes = export(*entry, format)
        return json.loads(text), notes

    return call


@pytest.mark.parametrize("format", FORMATS)
def test_what_json_cannot_hold_is_left_out_and_counted(exported, format):
    document, notes = exported(format)
    assert "Infinity" not in json.dumps(document)
    assert notes == [
        "2 of 5 rows are left out, for JSON holds finite numbers alone: 1 steps_to_target, 1 failed",
    ]


def test_nothing_left_out_needs_no_note(keep, quality):
    history = keep([quality([1.0])])
    assert export(history, history.entries[0], "bencher")[1] == []


def test_pytest_benchmark_has_a_benchmark_per_time(exported):
    document, _ = exported("pytest-benchmark")
    step, compiled = document["benchmarks"]
    assert step["name"] == compiled["name"] == "adamw"
    assert step["group"] == "mlp / batch 32: step_seconds"
    assert step["fullname"] == "mlp / adamw / batch 32 / step_seconds"
    assert step["extra_info"] == {"gap": 0.2, "compile_seconds": 0.5, "best": "learning_rate=0.1"}
    assert (step["stats"]["rounds"], step["stats"]["data"]) == (7, STEPS)
    assert (compiled["stats"]["rounds"], compiled["stats"]["data"]) == (1, [0.5])
    assert document["commit_info"]["id"] == "c" * 40 and document["commit_info"]["dirty"] is True
    assert document["datetime"] == "2026-01-01T00:00:00+00:00"
    assert document["machine_info"]["cpu"] == {"brand_raw": "Some CPU", "count": 2}


def test_pytest_benchmark_reads_it(entry, tmp_path):
    for name in ("a.json", "b.json"):
        (tmp_path / name).write_text(export(*entry, "pytest-benchmark")[0])
    command = [sys.executable, "-m", "pytest_benchmark", "compare", "a.json", "b.json", "--time-unit", "us"]
    done = subprocess.run(command, cwd=tmp_path, capture_output=True, text=True, check=True)
    assert done.stderr == ""
    assert "benchmark 'mlp / batch 32: step_seconds': 2 tests" in done.stdout
    assert "1,300.0000 (1.0)" in done.stdout, "the median in microseconds"


@pytest.mark.parametrize("num", [1, 2, 3, 4, 5, 6, 7, 30])
def test_stats_are_those_of_pytest_benchmark(num):
    data = np.random.default_rng(num).exponential(size=num) + 0.1
    ours, theirs = benchmark_stats(data), Stats()
    theirs.data = data.tolist()
    assert {*ours} == {*Stats.fields, "data", "iterations"}
    for name in Stats.fields:
        value = getattr(theirs, name)
        same = ours[name] == value if isinstance(value, str) else isclose(ours[name], value, rel_tol=1e-12)
        assert same, (name, ours[name], value)


def test_what_is_exported_is_imported_again(entry, tmp_path):
    (tmp_path / "one.json").write_text(export(*entry, "pytest-benchmark")[0])
    about, rows = read_benchmarks(tmp_path / "one.json")
    assert (about["commit"], about["suite"]) == ("c" * 40 + "-dirty", "optbench")
    assert [(row["problem"], row["value"]) for row in rows] == [
        ("mlp / adamw / batch 32 / step_seconds", 1.3e-3),
        ("mlp / adamw / batch 32 / compile_seconds", 0.5),
    ]


def test_github_action_benchmark(exported):
    document, _ = exported("github-action-benchmark")
    gap, step, compiled = document
    assert gap["name"] == "mlp / adamw / batch 32 / gap"
    assert (gap["unit"], gap["value"], gap["range"]) == ("loss", 0.2, "[0.1, 0.4]")
    assert gap["extra"].splitlines()[:3] == ["settings: steps=50", "dtype: float32", "best: learning_rate=0.1"]
    assert (step["unit"], compiled["unit"], "range" in compiled) == ("s", "s", False)
    assert {type(value) for row in document for value in row.values()} == {str, float}


def test_bencher_metric_format(exported):
    document, _ = exported("bencher")
    assert document == {
        "mlp / adamw / batch 32": {
            "gap": {"value": 0.2, "lower_value": 0.1, "upper_value": 0.4},
            "step-seconds": {"value": 1.3e-3, "lower_value": 1.3e-3 * 0.995, "upper_value": 1.3e-3 * 1.005},
            "compile-seconds": {"value": 0.5},
        }
    }


def test_infinite_ends_and_nan_are_no_numbers_of_json(keep, quality, seconds):
    history = keep([seconds(1.0, low=-inf, high=inf), quality([nan], "gap")])
    text, notes = export(history, history.entries[0], "bencher")
    assert json.loads(text) == {"mlp / adamw / batch 32": {"step-seconds": {"value": 1.0}}}
    assert "1 gap" in notes[0]


def test_an_unknown_format_is_refused(entry):
    with pytest.raises(RequestError, match="did you mean 'bencher'"):
        export(*entry, "benchr")
