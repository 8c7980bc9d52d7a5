"""An optimizer's own name stands in tables, LaTeX, words to type again and comparisons."""

import pytest

from optbench.cli import main

MINE = """
import optax
def make(learning_rate, momentum=0.9):
    return optax.sgd(learning_rate, momentum)
"""


@pytest.fixture
def ran(plugin, words, tmp_path, monkeypatch):
    """Train two versions of one file, under two names."""
    monkeypatch.chdir(tmp_path)
    plugin(MINE, "mine")
    (tmp_path / "before").mkdir()
    plugin(MINE.replace("0.9", "0.5"), "before/mine")
    named = ["-o", "New one=./mine.py:make", "-o", "Old=./before/mine.py:make", "-o", "sgd"]
    assert main(["run", "-p", "Bowl=quadratic[dim=3,condition=2]", *words[2:], *named, "--learning-rate", "0.1"]) == 0


def test_names_are_used_wherever_an_optimizer_is(ran, capsys, tmp_path):
    capsys.readouterr()
    assert main(["table", "latest", "-o", "New*", "-o", "Old", "--format", "latex"]) == 0
    shown = capsys.readouterr().out
    assert "New one" in shown and "Old" in shown and "Bowl" in shown
    assert "mine.py" not in shown and "sgd" not in shown
    assert main(["table", "latest", "best", "-o", "Old", "--format", "csv"]) == 0
    assert "-o 'Old=./before/mine.py:make[learning_rate=0.1,weight_decay=0.0]'" in capsys.readouterr().out
    # A comparison trains the file as it is now, under its name, and one that is given only now.
    for mine, reused in (("New one", 1), ("Third=./mine.py:make[momentum=0.1]", 0)):
        assert main(["compare", mine, "Old"]) in (0, 1)
        out = capsys.readouterr().out
        assert f"{mine.partition('=')[0]} against Old on 1 problem" in out, reused


def test_a_comparison_of_what_is_trained_already_makes_no_run_of_its_own(ran, capsys, tmp_path):
    before = sorted((tmp_path / "results").iterdir())
    assert main(["compare", "New one", "sgd"]) == 0
    assert sorted((tmp_path / "results").iterdir()) == before
    assert "New one against sgd on 1 problem" in capsys.readouterr().out
