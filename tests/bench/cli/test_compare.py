"""`optbench compare`."""

import json

import pytest


@pytest.fixture
def stored(handmade):
    for name, end in (("sgd", 2.0), ("adam", 1.0)):
        handmade(name, [[8.0 + seed, 4.0, end] for seed in range(10)])


def test_prints_both_tables_and_a_sentence(optbench, stored):
    said = optbench("compare", "adam", "sgd")
    assert (said.code, said.err) == (0, "")
    assert "adam against sgd (run handmade)" in said.out and "over all problems" in said.out
    assert said.out.splitlines()[-1] == "adam against sgd on 1 problem: better on 1"


def test_json_holds_both(optbench, stored):
    found = json.loads(optbench("compare", "adam", "sgd", "--json").out)
    assert [row["verdict"] for row in found["problems"]] == ["better"]
    assert [row["win"] for row in found["overall"]] == [1]


@pytest.mark.parametrize("format", ["github", "latex", "html", "csv"])
def test_renders(optbench, stored, format):
    said = optbench("compare", "adam", "sgd", "--format", format)
    assert said.code == 0 and "adam" in said.out


@pytest.mark.parametrize(("words", "code"), [(("sgd", "adam"), 1), (("adam", "sgd"), 0)], ids=["worse", "better"])
def test_fails_if_worse(optbench, stored, words, code):
    assert optbench("compare", *words, "--fail-if-worse").code == code
    assert optbench("compare", *words).code == 0


def test_options_reach_the_comparison(optbench, stored):
    words = ("compare", "adam", "sgd", "--at-step", "10", "--seeds", "6", "--metric", "train_loss", "--json")
    (row,) = json.loads(optbench(*words).out)["problems"]
    assert (row["value"], row["num_seeds"], row["metric"], row["verdict"]) == (4, 6, "train_loss", "equal")
    words = ("compare", "adam", "sgd", "--target", "4", "--metric", "steps_to_target", "--margin", "0", "--json")
    assert json.loads(optbench(*words).out)["problems"][0]["value"] == 10


MISTAKES = {
    "none": ([], "two are needed"),
    "name": (["adam", "sdg"], "did you mean 'sgd'"),
    "metric": (["adam", "sgd", "--metric", "loss"], "unknown metric 'loss'"),
    "metric-nobody-has": (["adam", "sgd", "--metric", "test_loss"], "no test_loss on a problem in common"),
    "at-step": (["adam", "sgd", "--at-step", "-1"], "at_step: -1"),
    "seeds": (["adam", "sgd", "--seeds", "0"], "seeds: 0"),
    "margin": (["adam", "sgd", "--margin", "-1"], "margin: -1"),
    "margin-nan": (["adam", "sgd", "--margin", "nan"], "margin: nan"),
    "target-nan": (["adam", "sgd", "--target", "nan"], "target: nan"),
    "budget": (["adam", "sgd", "--budget", "9"], "budget: 9 is not accepted; bowl / adam has 1 "),
    "file": (["./nowhere.py:make", "sgd"], "./nowhere.py is not here"),
    "run": (["nowhere:sgd", "sgd"], "'nowhere:sgd' is neither"),
}


@pytest.mark.parametrize("case", MISTAKES)
def test_mistake_is_one_line(optbench, stored, case):
    words, expected = MISTAKES[case]
    said = optbench("compare", *words)
    assert (said.code, said.out, said.err.count("\n")) == (2, "", 1)
    assert expected in said.err


def test_before_any_run(optbench):
    said = optbench("compare", "adam", "sgd")
    assert said.code == 2 and "optbench run quick" in said.err
