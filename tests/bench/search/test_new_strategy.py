"""A search strategy is one file: whoever adds it writes nothing else."""

import json
import subprocess
import sys

import pytest

import optbench
from optbench import search

#: From the largest learning rate on, each is half of the one before, two at a time.
LADDER = '''
"""A ladder of learning rates, down from the largest."""

from optbench.search.strategy import Strategy


def ladder(space, measure):
    lows = {name: values[0] for name, values in space.axes.items()}
    low, *_, high = space.axes["learning_rate"]
    rates = [max(low, high * 0.5**number) for number in range(space.budget)]
    for first in range(0, space.budget, 2):
        scores = measure(tuple(lows | {"learning_rate": rate} for rate in rates[first : first + 2]))
        assert len(scores) == len(rates[first : first + 2])


STRATEGY = Strategy("a ladder down from the largest learning rate", propose=ladder, together=2)
'''
#: Learning rates at equal distances, and the first value of any other axis.
EVEN = '''
"""Learning rates at equal distances."""

from optbench.search.space import rounded
from optbench.search.strategy import Strategy


def even(space):
    lows = {name: values[0] for name, values in space.axes.items()}
    low, *_, high = space.axes["learning_rate"]
    rates = [rounded(low + (high - low) * index / (space.budget - 1)) for index in range(space.budget)]
    return tuple(lows | {"learning_rate": rate} for rate in rates)


STRATEGY = Strategy("learning rates at equal distances", even)
'''
ASKED = {"problems": ["quadratic[condition=2.0,dim=3]"], "optimizers": ["sgd"], "steps": 8, "records": 8}
ASKED |= {"seeds": 2, "report_seeds": 3}


def forget(*names):
    """Import strategies anew the next time."""
    for name in names:
        sys.modules.pop(f"optbench.search.{name}", None)
        vars(search).pop(name, None)


@pytest.fixture
def added(tmp_path, monkeypatch):
    """Add both files to the folder of strategies, as far as this test sees; they lie in the folder returned."""
    folder = tmp_path / "more"
    folder.mkdir()
    (folder / "ladder.py").write_text(LADDER)
    (folder / "even.py").write_text(EVEN)
    monkeypatch.setattr(search, "__path__", [*search.__path__, str(folder)])
    yield folder
    forget("ladder", "even")


def trained_rates(done):
    (part,) = done.run.parts
    rows = done.run.trials().to_records()
    assert part.outcome == "finished"
    return sorted({row["learning_rate"] for row in rows if row["phase"] == "select"})


@pytest.mark.parametrize("name", ["ladder", "even"])
def test_it_is_one_of_the_strategies_and_keeps_their_promises(added, keeps_its_promises, name):
    assert set(search.strategies()) > {"grid", "ladder", "even"}
    keeps_its_promises(search.strategy(name))


@pytest.mark.parametrize(
    ("name", "rates"), [("ladder", [0.1, 0.2, 0.4, 0.8]), ("even", [0.1, 0.333333, 0.566667, 0.8])]
)
def test_it_tunes(added, tmp_path, name, rates):
    done = optbench.tune(trials=8, search=name, learning_rate="0.1,0.8", results=tmp_path / "results", **ASKED)
    assert trained_rates(done) == rates
    # In each of three studies.
    assert done.trials == {("quadratic[condition=2.0,dim=3]", "sgd", "full"): 3 * 8}


def test_what_it_proposes_with_is_part_of_the_key(added, tmp_path, monkeypatch):
    options = {"trials": 4, "learning_rate": "0.1,0.8", "results": tmp_path / "results", "name": "same", **ASKED}
    outcomes = []

    def tune():
        optbench.tune(search="ladder", on_progress=lambda progress: outcomes.append(progress.outcome), **options)

    tune()
    tune()
    # Elsewhere: a file of optbench is read once, as it was when it was imported.
    other = tmp_path / "other"
    other.mkdir()
    (other / "ladder.py").write_text(LADDER.replace("0.5**number", "0.25**number"))
    monkeypatch.setattr(search, "__path__", [*search.__path__[:-1], str(other)])
    forget("ladder")
    tune()
    assert outcomes == ["started", "finished", "kept", "started", "finished"]


#: Commands of one process in which the folder of strategies has one file more.
PROCESS = """
import sys
from optbench import search
from optbench.cli import main
search.__path__.append(sys.argv.pop(1))
for words in " ".join(sys.argv[1:]).split(" then "):
    if main(words.split()):
        sys.exit(f"failed: {words}")
"""


def test_the_command_line_knows_it(added, tmp_path):
    request = "-p quadratic[condition=2.0,dim=3] -o sgd --steps 8 --records 8 --seeds 2 --report-seeds 3"
    tune = f"tune {request} --learning-rate 0.1,0.8 --trials 8 --search ladder --name mine --json"
    words = f"tune --help then {tune} then report mine -o page.html".split()
    code = [sys.executable, "-c", PROCESS, str(added), *words]
    done = subprocess.run(code, cwd=tmp_path, capture_output=True, text=True)
    assert done.returncode == 0, done.stderr
    help_text, _, answer = done.stdout.partition("\n[\n")
    shown = " ".join(help_text.replace("│", " ").split())
    assert "ladder: a ladder down from the largest learning rate" in shown
    assert "[choices: grid, even, random, sobol, halving, ladder, optuna]" in shown
    (row,) = json.loads("[" + answer.partition("\n]")[0] + "]")
    # The same points as a grid of their own have the same winner.
    plain = optbench.run(learning_rate="0.1,0.2,0.4,0.8", results=tmp_path / "results", throughput=False, **ASKED)
    (expected,) = plain.best().to_records()
    assert (row["settings"], row["at_edge"]) == (expected["settings"], expected["at_edge"])
    assert row["train_loss"] == pytest.approx(expected["train_loss"], rel=1e-6)
    page = (tmp_path / "page.html").read_text()
    assert "ladder, 8 trials for each optimizer" in page
    assert "--search ladder --trials 8" in page
