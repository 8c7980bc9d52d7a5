"""`optbench table`: every kind, in every format, of every slice."""

import csv
import io
import json

import pytest

from optbench import tables
from optbench.present.formats import FORMATS
from optbench.results import load
from optbench.store.timings import write_timing

#: What a run with a failed cell says of it, but for the tables that are of timings alone.
OF_CURVES = [name for name in tables.names() if tables.kind(name).of_curves]


def strict(text):
    def refuse(word):
        raise AssertionError(f"{word} is no JSON")

    return json.loads(text, parse_constant=refuse)


def rows(optbench, *words):
    said = optbench(*words)
    assert (said.code, said.err) == (0, "")
    return strict(said.out)


@pytest.fixture(scope="module")
def mixed(tmp_path_factory, write_handmade):
    """Write a cell that trained, one that diverged and one that failed, once for all."""
    folder = tmp_path_factory.mktemp("mixed") / "handmade"
    write_handmade(folder, "sgd", [[3.0, 2.0, 1.0]])
    lost = {"status": "diverged", "diverged_at": 7}
    write_handmade(folder, "adam", [[3.0, float("inf"), float("nan")]], trial=lost)
    write_handmade(folder, "lion", [], outcome="failed", message="ValueError: boom")
    return str(folder.parent)


@pytest.mark.parametrize("kind", tables.names())
@pytest.mark.parametrize("format", FORMATS)
def test_every_table_in_every_format(optbench, mixed, kind, format):
    records = load("handmade", mixed).table(kind).to_records()
    said = optbench("table", "handmade", kind, "--format", format, "--results", mixed)
    assert (said.code, said.err) == (0, "")
    assert all(record["optimizer"] in said.out for record in records)
    if format == "json":
        assert len(strict(said.out)) == len(records)
    elif format == "csv":
        lines = list(csv.reader(io.StringIO(said.out)))
        assert len(lines) == 1 + len(records) and {len(line) for line in lines} == {len(lines[0])}
    elif kind in OF_CURVES and format != "latex":
        assert "lion: ValueError: boom" in said.out


@pytest.mark.parametrize("kind", ["convergence", "trials", "curves", "best"])
def test_a_table_of_cells_or_trials_holds_what_diverged_and_what_failed(optbench, mixed, kind):
    listed = rows(optbench, "table", "handmade", kind, "--format", "json", "--results", mixed)
    assert {row["optimizer"] for row in listed} == {"sgd", "adam", "lion"}


@pytest.mark.parametrize(
    "run", ["handmade", "results/handmade", "./results/handmade/", "latest", "{tmp}/results/handmade"]
)
def test_a_run_is_a_name_a_path_or_latest(optbench, handmade, tmp_path, run):
    handmade("sgd", [[3.0, 2.0, 1.0]])
    assert [row["optimizer"] for row in rows(optbench, "table", run.format(tmp=tmp_path), "--format", "json")] == [
        "sgd"
    ]


def test_runs_elsewhere(optbench, handmade, tmp_path):
    handmade("sgd", [[3.0, 2.0, 1.0]])
    (tmp_path / "results").rename(tmp_path / "elsewhere")
    assert rows(optbench, "table", "handmade", "--results", "elsewhere", "--format", "json")
    assert optbench("table", "handmade").code == 2


def test_columns_and_order(optbench, handmade):
    handmade("sgd", [[3.0, 2.0, 1.0]])
    handmade("adam", [[3.0, 2.0, 0.5]])
    asked = ["table", "handmade", "--columns", "train_loss,optimizer", "--format", "csv"]
    assert optbench(*asked).out.split() == ["train_loss,optimizer", "0.5,adam", "1.0,sgd"]
    assert optbench(*asked, "--sort=-train_loss").out.split() == ["train_loss,optimizer", "1.0,sgd", "0.5,adam"]
    # Also as two words, though the value begins with a minus.
    assert optbench(*asked, "--sort", "-train_loss").out.split() == ["train_loss,optimizer", "1.0,sgd", "0.5,adam"]


def test_at_step_and_target(optbench, handmade):
    """The target 2 is met at step 10; negative targets are numbers too."""
    handmade("sgd", [[3.0, 2.0, -1.0]])
    asked = ["table", "handmade", "--columns", "train_loss,steps_to_target", "--format", "csv"]
    assert optbench(*asked).out.split()[1] == "-1.0,20.0"
    assert optbench(*asked, "--at-step", "15").out.split()[1].startswith("2.0,")
    assert optbench(*asked, "--target", "2").out.split()[1] == "-1.0,10.0"
    assert optbench(*asked, "--target", "-1").out.split()[1] == "-1.0,20.0"


SLICES = ("--at-step 10", "--target 2", "--seeds 1", "--problem bowl", "-p b*", "--optimizer sgd", "-o s?d")


@pytest.fixture(scope="module")
def results(tmp_path_factory, write_handmade, timing):
    """Write two problems by two optimizers by two batch sizes, and what timing them would give, once for all."""
    folder = tmp_path_factory.mktemp("slices") / "handmade"
    for problem in ("bowl", "hill"):
        for optimizer in ("sgd", "adam"):
            for size in (4, 8):
                tried = {0.1: [[8.0, 4.0, 2.0]] * 2, 0.2: [[8.0, 2.0, 0.5]] * 2}
                fields = {"problem": problem, "batch_size": size, "examples_per_step": size}
                # Of optimizers with the same numbers only one is ranked.
                ends = [[8.0, 2.0, 0.5 if optimizer == "sgd" else 0.6]] * 3
                part = write_handmade(folder, optimizer, ends, tried=tried, **fields)
                write_timing(folder, timing(key=part.path.stem, **part.record.names))
    return str(folder.parent)


class TestSlices:
    @pytest.mark.parametrize("kind", tables.names())
    @pytest.mark.parametrize("words", SLICES)
    def test_of_every_kind(self, optbench, results, kind, words):
        sliced = rows(optbench, "table", "handmade", kind, *words.split(), "--format", "json", "--results", results)
        problems = {"bowl"} if "b" in words.split()[-1] else {"bowl", "hill"}
        optimizers = {"sgd"} if "d" in words.split()[-1] else {"sgd", "adam"}
        assert {row["optimizer"] for row in sliced} == optimizers
        # Tables over all problems name none, or all.
        assert {row.get("problem") for row in sliced} - {None, "all"} in (problems, set())

    def test_all_at_once(self, optbench, results):
        words = "--at-step 10 --target 2 --seeds 2 -p bowl -p hill -o sgd --columns problem,ert_steps,num_seeds"
        found = rows(optbench, "table", "handmade", "ert", *words.split(), "--format", "json", "--results", results)
        assert found == [
            {"problem": name, "ert_steps": 10, "num_seeds": 2} for name in ("bowl", "bowl", "hill", "hill")
        ]

    def test_are_told(self, optbench, results):
        said = optbench(
            "table",
            "handmade",
            "ert",
            "--results",
            results,
            "--target",
            "0.25",
            "--at-step",
            "10",
            "-o",
            "sgd",
            "-p",
            "hill",
        )
        assert said.out.replace("\n  ", " ").startswith(
            "handmade: expected running time to each target, at step 10, to train_loss <= 0.25"
        )
        assert "\nno optimizer reached train_loss <= 0.25 on hill\n" in said.out


@pytest.mark.parametrize("kind", OF_CURVES)
def test_a_run_without_finished_cells_says_so(optbench, handmade, kind):
    handmade("sgd", [], select=[], outcome="failed", message="ValueError: boom")
    said = optbench("table", "handmade", kind)
    assert (said.code, said.err) == (0, "")
    assert "bowl / sgd: ValueError: boom" in said.out and "no cell has finished" in said.out


def test_help_names_every_kind_and_every_format(optbench):
    words = " ".join(optbench("table", "--help").out.replace("│", " ").split())
    *others, final = tables.names()
    assert f"{', '.join(others)} or {final}." in words
    assert f"choices: {', '.join(FORMATS)}" in words
