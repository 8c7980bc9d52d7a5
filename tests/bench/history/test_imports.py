"""What pytest-benchmark wrote, as an entry."""

import json
import os
import subprocess
import sys
from math import inf

import numpy as np
import pytest

from optbench.errors import StoreError
from optbench.history.entries import read_history, read_samples, write_entry
from optbench.history.imports import MOST_SAMPLES, read_benchmarks

STATS = {"median": 2.0, "q1": 1.5, "q3": 2.5, "rounds": 5}


@pytest.fixture
def written(tmp_path):
    """Return a function that writes a document: written(stats, **fields) -> its path."""

    def write(stats=STATS, benchmark=None, **fields):
        one = {"fullname": "tests/x.py::test_sum[10]", "params": {"n": 10}, "stats": stats} | (benchmark or {})
        cpu = {"brand_raw": "Some CPU", "count": 8}
        document = {
            "machine_info": {"node": "secret", "machine": "x86_64", "python_version": "3.11.7", "cpu": cpu},
            "commit_info": {"id": "c" * 40, "dirty": False, "project": "other"},
            "benchmarks": [one],
            "datetime": "2026-02-03T04:05:06.789+02:00",
            "version": "5.1.0",
        }
        path = tmp_path / "found.json"
        path.write_text(json.dumps(document | fields))
        return path

    return write


def test_an_entry_says_where_it_is_from(written):
    about, _ = read_benchmarks(written())
    said = {name: about[name] for name in ("time", "suite", "run", "commit", "label", "cpu", "cpu_count", "memory_gib")}
    assert said == {
        "time": "2026-02-03T02:05:06Z",
        "suite": "other",
        "run": "found",
        "commit": "c" * 40,
        "label": None,
        "cpu": "Some CPU",
        "cpu_count": 8,
        "memory_gib": None,
    }
    assert about["versions"] == {"python": "3.11.7", "pytest-benchmark": "5.1.0"}
    assert "secret" not in str(about)


@pytest.mark.parametrize(
    ("commit", "expected"),
    [({"id": "abc", "dirty": True}, "abc-dirty"), ({"id": "unversioned"}, None), ({"id": "unknown"}, None), ({}, None)],
)
def test_commits(written, commit, expected):
    assert read_benchmarks(written(commit_info=commit))[0]["commit"] == expected


def test_a_time_without_zone_is_in_utc(written):
    assert read_benchmarks(written(datetime="2026-02-03T04:05:06.789"))[0]["time"] == "2026-02-03T04:05:06Z"


def test_without_data_the_quartiles_stand_for_an_interval(written):
    _, (row,) = read_benchmarks(written())
    assert row["problem"] == "tests/x.py::test_sum[10]" and row["settings"] == "n=10"
    assert (row["measure"], row["value"], row["low"], row["high"], row["n"]) == ("seconds", 2.0, 1.5, 2.5, 5)
    assert "samples" not in row


def test_data_gives_samples_and_an_exact_interval(written):
    data = [3.0, 1.0, 2.0, 4.0, 6.0, 5.0]
    _, (row,) = read_benchmarks(written(STATS | {"data": data, "median": 3.5}))
    # Of six, all of them: both tails hold 2 of 64.
    assert (row["value"], row["low"], row["high"], row["n"], row["samples"]) == (3.5, 1.0, 6.0, 6, data)


def test_few_data_have_an_infinite_interval(written):
    _, (row,) = read_benchmarks(written(STATS | {"data": [1.0, 2.0, 3.0]}))
    assert (row["low"], row["high"]) == (-inf, inf)


def test_much_data_is_thinned_evenly(written):
    _, (row,) = read_benchmarks(written(STATS | {"data": list(range(100_000)), "median": 49_999.5}))
    assert row["n"] == len(row["samples"]) == MOST_SAMPLES
    assert (row["samples"][0], row["samples"][-1]) == (0, 99_999)
    assert set(np.diff(row["samples"])) <= {200.0, 201.0}
    assert row["low"] < 49_999.5 < row["high"]


def test_a_parameter_that_is_no_json_is_left_out(written):
    params = {"f": "UNSERIALIZABLE[<function f at 0x7f00>]", "n": 3}
    assert read_benchmarks(written(benchmark={"params": params}))[1][0]["settings"] == "n=3"
    assert read_benchmarks(written(benchmark={"params": None}))[1][0]["settings"] == ""


@pytest.mark.parametrize(
    ("text", "said"),
    [
        ("", "JSONDecodeError"),
        ("[]", "TypeError"),
        ("{}", "KeyError"),
        ('{"commit_info": {}, "machine_info": {}, "datetime": "today", "benchmarks": []}', "ValueError"),
        ('{"commit_info": {}, "machine_info": {}, "datetime": "2026-01-01", "benchmarks": []}', "holds no benchmark"),
        ('{"commit_info": {}, "machine_info": {}, "datetime": "2026-01-01", "benchmarks": [{}]}', "KeyError"),
    ],
)
def test_what_is_no_benchmark_is_refused_in_one_line(tmp_path, text, said):
    path = tmp_path / "wrong.json"
    path.write_text(text)
    with pytest.raises(StoreError, match=said) as caught:
        read_benchmarks(path)
    assert str(path) in str(caught.value) and "\n" not in str(caught.value)


def test_a_file_that_is_not_there_is_refused(tmp_path):
    with pytest.raises(StoreError, match="No such file"):
        read_benchmarks(tmp_path / "none.json")


def test_a_real_file_becomes_an_entry(tmp_path, place):
    code = "import pytest\n@pytest.mark.parametrize('n', [1, 2])\ndef test_sum(benchmark, n):\n"
    (tmp_path / "test_it.py").write_text(code + "    benchmark.pedantic(sum, (range(n),), rounds=8)\n")
    words = ["-q", "-p", "no:cacheprovider", "-p", "no:randomly", "--benchmark-json=found.json", "test_it.py"]
    # Within a worker of xdist nothing is timed.
    alone = {name: value for name, value in os.environ.items() if not name.startswith("PYTEST_")}
    subprocess.run([sys.executable, "-m", "pytest", *words], cwd=tmp_path, capture_output=True, check=True, env=alone)
    write_entry(place, *read_benchmarks(tmp_path / "found.json"))
    history = read_history(place)
    rows = read_samples(history, history.entries)
    assert [(row["problem"], row["n"], len(row["samples"])) for row in rows] == [
        ("test_it.py::test_sum[1]", 8, 8),
        ("test_it.py::test_sum[2]", 8, 8),
    ]
    assert all(row["low"] <= row["value"] <= row["high"] for row in rows)
