"""`optbench list`."""

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
    adam = next(row for row in listed if row["optimizer"] == "adam")
    assert [adam[name] for name in ("default_learning_rate", "weight_decay_low", "weight_decay_high")] == [
        1e-3,
        0.018,
        1.8,
    ]


def test_optimizers_are_listed_by_name_and_pattern(optbench):
    names = [row["optimizer"] for row in rows(optbench, "list", "optimizers", "adam*", "--json")]
    assert {"adam", "adamw"} <= set(names) and all(name.startswith("adam") for name in names)
    assert [row["optimizer"] for row in rows(optbench, "list", "optimizers", "muon", "--json")] == ["muon"]
    unknown = optbench("list", "optimizers", "muonn")
    assert unknown.code == 2 and "unknown optimizer 'muonn'; did you mean 'muon'?" in unknown.err


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
