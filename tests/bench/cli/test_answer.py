"""What a run ends with."""

import pytest

from optbench.cli.answer import print_answer
from optbench.results import Run
from optbench.store.run import load_stored


@pytest.fixture
def run(handmade, tmp_path, monkeypatch):
    monkeypatch.chdir(tmp_path)

    def make(problems):
        for index, optimizer in enumerate(("adam", "sgd[momentum=0.9]")):
            for problem in problems:
                curves = [[30.0, 20.0, (index + 1) * (1 + seed / 100)] for seed in range(9)]
                handmade(optimizer, curves, problem=problem, run="r", targets={})
        return Run(load_stored(tmp_path / "results" / "r"))

    return make


@pytest.mark.parametrize("width", [60, 80, 120])
def test_sentences_come_first_then_two_small_tables_then_what_to_type(run, capsys, monkeypatch, width):
    monkeypatch.setenv("COLUMNS", str(width))
    print_answer(run(["bowl", "hill", "pit"]), True)
    text = capsys.readouterr().out
    assert text.startswith("adam is the best on all 3 problems")
    table = text.splitlines().index(next(line for line in text.splitlines() if line.startswith("optimizer")))
    assert "among" in text.splitlines()[table]
    assert "optbench compare adam 'sgd[momentum=0.9]'" in text
    # Commands stay on a line, to be copied.
    lines = [line for line in text.splitlines() if "optbench " not in line]
    assert max(map(len, lines)) <= width


def test_one_problem_has_its_whole_table(run, capsys):
    print_answer(run(["bowl"]), True)
    text = capsys.readouterr().out
    assert "how far each tuned optimizer came" in text and "adam is the best on the one problem" in text


def test_many_problems_end_without_the_matrix(run, capsys):
    print_answer(run([f"p{number}" for number in range(10)]), True)
    text = capsys.readouterr().out
    assert "adam is the best on all 10 problems" in text and "p7" not in text
