"""`optbench list` and `optbench table`."""

import csv
import io
import json
import os

import pytest


def strict(text):
    def refuse(word):
        raise AssertionError(f"{word} is no JSON")

    return json.loads(text, parse_constant=refuse)


def rows(optbench, *words):
    said = optbench(*words)
    assert (said.code, said.err) == (0, "")
    return strict(said.out)


def test_list_problems(optbench):
    from optbench import problems

    listed = rows(optbench, "list", "problems", "--json")
    assert {row["problem"] for row in listed} == set(problems.families())
    quadratic = next(row for row in listed if row["problem"] == "quadratic")
    assert "rotated=true" in quadratic["parameters"]
    assert quadratic["kind"] == "convex"
    assert quadratic["reveals"].startswith("Minimise a convex quadratic")
    assert quadratic["optimum"] == "0, at x*"
    assert quadratic["rungs"] == [f"quadratic[condition={condition}]" for condition in ("1e2", "1e3", "1e5")]


def test_list_problems_by_kind_with_lines_that_end(optbench):
    said = optbench("list", "problems")
    assert said.code == 0 and max(map(len, said.out.splitlines())) < 180
    assert said.out.index("\nquadratic ") < said.out.index("\nmlp ")


def test_one_problem_is_told_whole(optbench):
    said = optbench("list", "problems", "quadratic")
    assert said.code == 0
    assert all(
        text in said.out for text in ("H (x - x*)", "B. T. Polyak", "dim=100", "hard: -p 'quadratic[condition=1e5]'")
    )
    unknown = optbench("list", "problems", "quadritic")
    assert unknown.code == 2 and "did you mean 'quadratic'?" in unknown.err


def test_list_optimizers(optbench):
    from optbench import optimizers

    listed = rows(optbench, "list", "optimizers", "--json")
    assert [row["optimizer"] for row in listed] == list(optimizers.catalogue())
    assert all(row["source"] and row["learning_rate_low"] < row["learning_rate_high"] for row in listed)


def test_list_suites(optbench):
    listed = rows(optbench, "list", "suites", "--json")
    assert [row["suite"] for row in listed] == ["landscape", "leaderboard", "networks", "quick", "smoke", "standard"]


def test_list_runs_newest_first(optbench, handmade, tmp_path):
    assert rows(optbench, "list", "runs", "--json") == []
    handmade("sgd", [[3.0, 2.0, 1.0]])
    other = tmp_path / "results" / "older"
    other.mkdir()
    (other / "manifest.json").write_bytes((tmp_path / "results" / "handmade" / "manifest.json").read_bytes())
    os.utime(other / "manifest.json", (0, 0))
    listed = rows(optbench, "list", "runs", "--json")
    assert [(row["run"], row["stored"], row["cells"]) for row in listed] == [("handmade", 1, 1), ("older", 0, 1)]


def test_list_runs_of_nothing_says_what_to_type(optbench):
    assert "optbench run smoke" in optbench("list", "runs").out


@pytest.mark.parametrize("text", ["", "{", '{"schema": 99}', "[]"], ids=["empty", "torn", "newer", "list"])
def test_one_bad_manifest_does_not_hide_the_other_runs(optbench, handmade, tmp_path, text):
    handmade("sgd", [[3.0, 2.0, 1.0]])
    (tmp_path / "results" / "bad").mkdir()
    (tmp_path / "results" / "bad" / "manifest.json").write_text(text)
    said = optbench("list", "runs")
    assert said.code == 0
    assert "handmade" in said.out
    assert "bad" in said.out + said.err


@pytest.mark.parametrize("kind", ["convergence", "trials", "curves", "best", "ranks", "profile", "ecdf"])
@pytest.mark.parametrize("format", ["plain", "github", "latex", "html", "csv", "json"])
def test_every_table_in_every_format(optbench, handmade, kind, format):
    handmade("sgd", [[3.0, 2.0, 1.0]])
    handmade("adam", [[3.0, float("inf"), float("nan")]], trial={"status": "diverged", "diverged_at": 7})
    handmade("lion", [], outcome="failed", message="ValueError: boom")
    said = optbench("table", "handmade", kind, "--format", format)
    assert (said.code, said.err) == (0, "")
    assert all(name in said.out for name in ("sgd", "adam", "lion"))
    if format == "json":
        assert strict(said.out)
    if format == "csv":
        assert {len(line) for line in csv.reader(io.StringIO(said.out))} == {said.out.splitlines()[0].count(",") + 1}


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


#: The kinds that compare: what they are called, and the words of every slice.
KINDS = ("sensitivity", "budget", "batch-scaling", "ranks", "ert", "ecdf", "profile", "defaults")
SLICES = ("--at-step 10", "--target 2", "--seeds 1", "--problem bowl", "-p b*", "--optimizer sgd", "-o s?d")


class TestSlices:
    @pytest.fixture(autouse=True)
    def cells(self, handmade):
        for problem in ("bowl", "hill"):
            for optimizer in ("sgd", "adam"):
                for size in (4, 8):
                    tried = {0.1: [[8.0, 4.0, 2.0]] * 2, 0.2: [[8.0, 2.0, 0.5]] * 2}
                    fields = {"problem": problem, "batch_size": size, "examples_per_step": size}
                    handmade(optimizer, [[8.0, 2.0, 0.5]] * 3, tried=tried, **fields)

    @pytest.mark.parametrize("kind", KINDS)
    @pytest.mark.parametrize("words", SLICES)
    def test_of_every_kind(self, optbench, kind, words):
        found = rows(optbench, "table", "handmade", kind, *words.split(), "--format", "json")
        named = {(row.get("problem"), row["optimizer"]) for row in found}
        problems = {"bowl"} if "b" in words.split()[-1] else {"bowl", "hill"}
        optimizers = {"sgd"} if "d" in words.split()[-1] else {"sgd", "adam"}
        assert {optimizer for _, optimizer in named} == optimizers
        assert {problem for problem, _ in named} - {None, "all"} in (problems, set())

    def test_all_at_once(self, optbench):
        words = "--at-step 10 --target 2 --seeds 2 -p bowl -p hill -o sgd --columns problem,ert_steps,num_seeds"
        found = rows(optbench, "table", "handmade", "ert", *words.split(), "--format", "json")
        assert found == [
            {"problem": name, "ert_steps": 10, "num_seeds": 2} for name in ("bowl", "bowl", "hill", "hill")
        ]

    def test_are_told(self, optbench):
        said = optbench("table", "handmade", "ert", "--target", "0.25", "--at-step", "10", "-o", "sgd", "-p", "hill")
        assert said.out.startswith("handmade: expected running time to each target, at step 10, to train_loss <= 0.25")
        assert "\nnobody reached train_loss <= 0.25 on hill\n" in said.out


def test_a_run_without_finished_cells_says_so(optbench, handmade):
    handmade("sgd", [], select=[], outcome="failed", message="ValueError: boom")
    for kind in KINDS:
        said = optbench("table", "handmade", kind)
        assert (said.code, said.err) == (0, "")
        assert "bowl / sgd: ValueError: boom" in said.out and "no cell has finished" in said.out


def test_help_names_every_kind(optbench):
    from optbench import tables

    said = " ".join(optbench("table", "--help").out.replace("│", " ").split())
    assert [kind for kind in tables.names() if kind not in said] == []
