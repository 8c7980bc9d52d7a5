"""Every command that keeps or reads runs does so in object storage as well."""

import json
from pathlib import Path

import pytest

from optbench.store.locations import children, locate


@pytest.fixture
def results(bucket) -> str:
    return f"{bucket}/results"


@pytest.fixture
def kept(optbench, words, results):
    """Run a tiny request there, and return the words that ask for it again."""
    command = ["run", *words, "-o", "sgd", "-o", "adam", "--learning-rate", "0.1,0.5", "--name", "mine"]
    command += ["--results", results]
    said = optbench(*command)
    assert said.code == 0, said.err
    assert (
        f"kept in {results}/mine; next: optbench table {results}/mine best; optbench report {results}/mine" in said.out
    )
    assert f"--results {results}" in said.out
    return command


def test_run_goes_on_and_tables_are_the_same(optbench, kept, results):
    again = optbench(*kept)
    assert again.code == 0 and "0 cells computed, 2 kept from before" in again.err
    for words in (["mine", "--results", results], ["latest", "--results", results], [f"{results}/mine"]):
        said = optbench("table", *words, "--format", "json")
        assert [row["optimizer"] for row in json.loads(said.out)] in (["sgd", "adam"], ["adam", "sgd"])
    (listed,) = json.loads(optbench("list", "runs", "--results", results, "--json").out)
    assert (listed["run"], listed["stored"], listed["cells"]) == ("mine", 2, 2)


def test_throughput_compare_and_tune(optbench, kept, words, results):
    asked = [word for word in kept[1:] if word != "--no-throughput"]
    timed = optbench("throughput", *asked, "--min-time", "10ms", "--repeats", "6", "--json")
    assert timed.code == 0 and len(json.loads(timed.out)) == 2
    assert len(children(locate(results) / "mine" / "timings")) == 2
    for names in (["sgd", "adam"], ["mine:sgd", "mine:adam"], [f"{results}/mine:sgd", "adam"]):
        compared = optbench("compare", *names, "--results", results)
        assert compared.code == 0 and "sgd" in compared.out
    asked = [word for word in words if word != "--no-throughput"]
    tuned = optbench("tune", *asked, "-o", "sgd", "--trials", "2", "--name", "tuned", "--results", results)
    assert tuned.code == 0 and f"results in {results}/tuned" in tuned.out


def test_report_plot_and_history(optbench, kept, results, bucket):
    pytest.importorskip("altair", reason="needs the extra report")
    added = optbench("history", "add", "mine", "--results", results, "--history", f"{results}/history")
    assert added.code == 0, added.err
    assert [path.suffix for path in children(locate(f"{results}/history"))] == [".parquet"]
    reported = optbench("report", "mine", "--results", results, "-o", "page.html")
    assert reported.code == 0 and Path("page.html").is_file()
    drawn = optbench("plot", "mine", "curves", "--output", "curves.svg", "--results", results)
    assert drawn.code == 0 and Path("curves.svg").is_file()


@pytest.mark.parametrize(
    "words",
    [["run"], ["table"], ["list", "runs"], ["throughput"], ["compare", "sgd", "adam"], ["history", "add"]],
    ids=" ".join,
)
def test_an_unknown_protocol_is_one_line(optbench, words):
    said = optbench(*words, "--results", "nosuch://bucket/results")
    assert said.code == 2 and said.out == ""
    assert said.err.startswith("optbench: can't open nosuch://bucket/results: ") and said.err.count("\n") == 1
