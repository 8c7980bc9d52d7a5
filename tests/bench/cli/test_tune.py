"""`optbench tune`, as one types it."""

import json

import pytest

BOWL = ("-p", "quadratic[dim=3,condition=2]")
BRIEF = (*BOWL, "--steps", "8", "--records", "8", "--seeds", "2", "--report-seeds", "2", "--studies", "1")


def test_tune_prints_the_best_and_what_to_type_next(optbench, tmp_path):
    said = optbench(
        "tune", *BRIEF, "-o", "sgd", "-o", "adam", "--trials", "9", "--search", "halving", "--output", "best.toml"
    )
    assert said.code == 0
    lines = said.out.splitlines()
    assert lines[0].startswith("tune-") and lines[0].endswith(": the best settings of each optimizer")
    assert "budget: 4 points x 2 seeds = 8 trials for each optimizer" in lines
    # Of each four points two took 1 step, one 4, and one 8.
    trials = next(line for line in lines if line.startswith("16 trials"))
    assert trials.startswith("16 trials with 56 training steps (44 % of training all to the end) in ")
    assert lines[-1] == "wrote best.toml; next: optbench run best.toml"
    assert said.err.splitlines()[-1].startswith("2 cells computed, 0 kept from before, ")
    # The next command is one, and what it is given are two points.
    again = optbench(*lines[-1].partition("optbench ")[2].split(), "--no-throughput", "--json")
    assert again.code == 0
    assert [(row["optimizer"], row["num_points"]) for row in json.loads(again.out)] == [("sgd", 1), ("adam", 1)]


def test_json_is_all_there_is(optbench):
    said = optbench("tune", *BRIEF, "-o", "sgd", "--trials", "8", "--json", "--output", "best.toml")
    assert said.code == 0
    (row,) = json.loads(said.out)
    assert (row["optimizer"], row["num_trials"]) == ("sgd", 8)
    assert {"settings", "train_loss", "train_loss_low", "train_loss_high", "at_edge"} <= row.keys()


def test_a_widened_grid_says_so(optbench):
    words = ["--trials", "6", "--auto-extend", "--learning-rate", "0.01,0.03,0.09"]
    said = optbench("tune", *BRIEF, "-o", "sgd", *words)
    assert said.code == 0
    assert "widening 1 of 1 grids, whose best settings lie at an edge" in said.err
    assert "1 of 1 cells got more trials: their grids were widened" in said.out
    assert "3 cells computed" in said.err


def test_budget_is_the_curve_of_the_best(optbench):
    said = optbench("tune", *BRIEF, "-o", "sgd", "--trials", "8")
    assert "the expected best of k configurations" in said.out
    # All trials were trained to their end, and one optimizer overtakes none.
    assert "8 trials with 64 training steps in " in said.out and "overtakes" not in said.out


def test_a_failed_cell_is_exit_code_one(optbench, plugin):
    spec = plugin("def make(learning_rate):\n    raise ValueError('boom')\n")
    said = optbench("tune", *BRIEF, "-o", spec, "--trials", "8", "--output", "best.toml")
    assert said.code == 1
    assert "ValueError: boom" in said.err and "Traceback" not in said.err
    assert "wrote" not in said.out


#: name -> the words of a request, and what the line must say.
MISTAKES = {
    "trials-missing": ([*BOWL, "-o", "sgd"], ["--trials"]),
    "trials-few": ([*BOWL, "-o", "sgd", "--trials", "3"], ["trials", "3", "4 or more"]),
    "trials-negative": ([*BOWL, "-o", "sgd", "--trials", "-5"], ["trials", "-5", "4 or more"]),
    "trials-word": ([*BOWL, "-o", "sgd", "--trials", "many"], ["trials", "many"]),
    "search": ([*BOWL, "-o", "sgd", "--trials", "8", "--search", "gird"], ["gird", "grid", "halving"]),
    "extend": (
        [*BOWL, "-o", "sgd", "--trials", "8", "--search", "random", "--auto-extend"],
        ["random", "grid or halv"],
    ),
    "grid": ([*BOWL, "-o", "sgd", "--trials", "8", "--learning-rate", "1e-3:1:9"], ["9 points", "pay for 4"]),
    "optimizer": ([*BOWL, "-o", "sdg", "--trials", "8"], ["'sdg'", "'sgd'"]),
    "file-as-optimizer": ([*BOWL, "-o", "a.toml", "--trials", "8"], ["-o a.toml: is no optimizer", "--output a.toml"]),
    "no-toml": ([*BOWL, "-o", "sgd", "--output", "best.json", "--trials", "8"], ["best.json", ".toml"]),
    "several": (["--output", "best.toml", "--trials", "72"], ["5 are asked for", "one -p"]),
    "output-below-a-file": (
        [*BOWL, "-o", "sgd", "--output", "taken/best.toml", "--trials", "8"],
        ["can't write taken"],
    ),
    "output-is-a-folder": (
        [*BOWL, "-o", "sgd", "--output", "folder.toml", "--trials", "8"],
        ["can't write folder.toml"],
    ),
    "devices": ([*BOWL, "-o", "sgd", "--trials", "8", "--device", "cpu", "--devices", "99"], ["99", "accepted"]),
}


@pytest.mark.parametrize(("words", "said"), MISTAKES.values(), ids=MISTAKES)
def test_mistakes(optbench, tmp_path, words, said):
    (tmp_path / "taken").touch()
    (tmp_path / "folder.toml").mkdir()
    answer = optbench("tune", *words)
    assert (answer.code, answer.out, answer.err.count("\n")) == (2, "", 1)
    assert answer.err.startswith("optbench: ")
    assert [word for word in said if word not in answer.err] == []
    # Refused before any work.
    assert not (tmp_path / "results").exists()
