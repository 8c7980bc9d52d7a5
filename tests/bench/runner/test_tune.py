"""Tuning from Python: budgets, searches, widening, and the best settings as a suite."""

import json
import tomllib

import pytest

import optbench
from optbench.errors import StoreError
from optbench.request import RequestError
from optbench.search import strategies
from optbench.store.trials import read_rows

BOWL = "quadratic[condition=2.0,dim=3]"
ASKED = {"problems": [BOWL], "optimizers": ["sgd"], "steps": 8, "records": 8, "seeds": 2, "report_seeds": 3}
#: One choice for all report seeds.
ASKED |= {"studies": 1, "select_by": "train_loss"}


@pytest.fixture
def tuned(tmp_path):
    """Tune a tiny request: tuned(trials, **options) -> Tuned, under `tmp_path/results`."""
    return lambda trials=8, **options: optbench.tune(results=tmp_path / "results", trials=trials, **ASKED | options)


def rows(tuned, **fields):
    (part,) = tuned.run.parts
    return [row for row in read_rows([part]).to_pylist() if all(row[name] == fields[name] for name in fields)]


def rates(tuned):
    return sorted({dict(row["hyperparameters"])["learning_rate"] for row in rows(tuned, phase="select")})


@pytest.mark.parametrize("search", strategies())
def test_every_search_keeps_to_its_budget(tuned, search):
    if package := strategies()[search].package:
        pytest.importorskip(package)
    done = tuned(9, search=search)
    (part,) = done.run.parts
    # 9 are 4 points on 2 seeds, and one too many.
    assert (part.record.num_points, part.record.seeds) == (4, 2)
    assert len(rows(done, phase="select")) == 8 and len(rows(done, phase="report")) == 3
    assert len(rates(done)) == 4
    assert done.trials == {(BOWL, "sgd", "full"): 8}
    assert done.notes == ("budget: 4 points x 2 seeds = 8 trials for each optimizer",)
    assert done.full_trial_steps == 64
    # Halving: of four points two take 1 step, one 4, and one 8.
    assert done.trial_steps == (2 * (1 + 1 + 4 + 8) if search == "halving" else 64)
    assert done.run.folder.name.startswith("tune-")
    again = tuned(9, search=search)
    assert again.run.folder == done.run.folder and again.run.parts[0].record == part.record


def test_the_budget_is_that_of_each_study(tuned):
    done = tuned(9, studies=3, learning_rate="0.01:1:4")
    assert done.notes == ("budget: 4 points x 2 seeds = 8 trials for each optimizer, in each of 3 studies",)
    assert done.trials == {(BOWL, "sgd", "full"): 3 * 8}
    assert done.full_trial_steps == done.trial_steps == 3 * 64
    # Each study shifts the four rates by a share of their step that is its own.
    assert len(rows(done, phase="select")) == 24 and len(rates(done)) == 12


def test_halving_says_which_trials_it_stopped(tuned):
    done = tuned(search="halving")
    found = [(row["status"], row["gradient_evaluations"][-1]) for row in rows(done, phase="select", seed=0)]
    assert sorted(found) == [("ok", 8), ("stopped", 1), ("stopped", 1), ("stopped", 4)]
    best = done.run.parts[0].results.best_point
    assert rows(done, phase="select", point=best)[0]["status"] == "ok"
    # Dropped is not diverged.
    assert {row["diverged_at"] for row in rows(done)} == {None}


def test_searches_are_kept_apart(tuned):
    folders = {tuned(search=search).run.folder for search in ("grid", "halving", "random", "sobol")}
    assert len(folders) == 4
    keys = {tuned(search=search, name="one").run.parts[0].path.stem for search in ("grid", "halving", "random")}
    assert len(keys) == 3


def test_a_grid_is_what_run_makes_of_it(tuned, tmp_path):
    """The same points have the same key, so that what one computed is kept for the other."""
    done = tuned(search="grid", name="both")
    asked = ASKED | {"learning_rate": "default:4", "throughput": False}
    seen = []
    optbench.run(results=tmp_path / "results", name="both", on_progress=lambda one: seen.append(one.outcome), **asked)
    assert seen == ["kept"]
    assert done.run.parts[0].results.trial_steps == 64


def test_given_learning_rates_stay(tuned):
    assert rates(tuned(learning_rate="0.1,0.2,0.3")) == [0.1, 0.2, 0.3]
    assert rates(tuned(optimizers=["sgd[learning_rate=0.1,0.2]"])) == [0.1, 0.2]
    fewer = tuned(learning_rate="0.1,0.2,0.3").notes
    assert fewer[1:] == ("1 of 1 cells got fewer trials: the next larger grid exceeds the budget",)


@pytest.mark.parametrize("search", ["grid", "halving"])
def test_a_grid_is_widened_until_its_winner_lies_inside(tuned, search):
    """Gradient descent on x^2 and 2 x^2 contracts most at a rate of 2 / 3."""
    said = []
    done = tuned(6, search=search, auto_extend=True, learning_rate="0.01,0.03,0.09", say=said.append)
    assert rates(done) == pytest.approx([0.01, 0.03, 0.09, 0.27, 0.81, 2.43, 7.29])
    assert done.run.parts[0].results.at_edge == ()
    assert said == ["widening 1 of 1 grids, whose best settings lie at an edge"] * 2
    # 3, 5 and 7 points on 2 seeds.
    assert done.trials == {(BOWL, "sgd", "full"): 30}
    assert done.notes[1:] == ("1 of 1 cells got more trials: their grids were widened",)
    assert done.full_trial_steps == 30 * 8


def test_a_widened_run_resumes(tuned):
    options = {"auto_extend": True, "learning_rate": "0.01,0.03,0.09"}
    first = tuned(6, **options)
    seen = []
    second = tuned(6, on_progress=seen.append, **options)
    assert [one.outcome for one in seen] == ["kept"] * 3
    assert second._replace(run=first.run) == first


def test_an_edge_that_moves_on_is_left_in_the_end(tuned, monkeypatch):
    monkeypatch.setattr("optbench.runner.widening.MAX_ROUNDS", 1)
    said = []
    done = tuned(6, auto_extend=True, learning_rate="1e-8,1e-7,1e-6", say=said.append)
    assert said[-1] == done.notes[-1] == f"{BOWL} / sgd: the best settings still lie at an edge"
    assert len(rates(done)) == 5


#: Gradient descent, but for rates above 0.1, which are the best there is or stay at the start, by the seed.
LUCKY = """
import jax, jax.numpy as jnp, optax
from optbench.optimizers.optimizer import Optimizer

def _build(learning_rate, seed):
    lucky = jax.random.bernoulli(jax.random.fold_in(jax.random.key(3), seed), 0.3)
    rate = jnp.where(learning_rate < 0.1, learning_rate, jnp.where(lucky, 2 / 3, 0))
    def update(updates, state, params=None):
        return jax.tree.map(lambda grad: -rate * grad, updates), state
    return optax.GradientTransformation(lambda params: optax.EmptyState(), update)

make = Optimizer(_build, (0.01, 0.09), "gradient descent with luck", needs=frozenset({"seed"}))
"""


def test_a_grid_is_not_widened_to_where_reports_get_worse(tuned, tmp_path):
    """The one selection seed is lucky, and four of the five report seeds are not."""
    plugin = tmp_path / "lucky.py"
    plugin.write_text(LUCKY)
    asked = {"optimizers": [f"{plugin}:make"], "learning_rate": "0.01,0.03,0.09", "seeds": 1, "report_seeds": 5}
    said = []
    done = tuned(3, auto_extend=True, say=said.append, **asked)
    assert rates(done) == [0.01, 0.03, 0.09]
    assert done.run.parts[0].results.at_edge == ("learning_rate",)
    assert said[-1] == done.notes[-1] and "the best settings of a wider grid gave train_loss" in said[-1]
    # The wider grid was trained too.
    assert done.full_trial_steps == (3 + 5) * 8


@pytest.mark.parametrize("search", ["halving", "optuna"])
def test_the_best_suite_reports_the_same(tuned, tmp_path, search):
    if search == "optuna":
        pytest.importorskip("optuna")
    path = tmp_path / "made" / "best.toml"
    asked = {"optimizers": ["sgd", "adam[b1=0.8,0.9]", "sgd_momentum"], "schedule": "constant,cosine[warmup=0.25]"}
    asked |= {"weight_decay": "0,0.1", "batch_size": "4", "dtype": "float64", "seed": 3, "decay": "coupled"}
    asked |= {"problems": ["linear_regression[data=synthetic,rows=20,dim=2]"]}
    done = tuned(40, search=search, output=path, **asked)
    again = optbench.run(str(path), results=tmp_path / "results", throughput=False)
    assert again.folder.name == "best"
    for before, after in zip(done.run.parts, again.parts, strict=True):
        assert after.record.num_points == 1
        pair = [read_rows([part], phase="report").to_pylist() for part in (before, after)]
        for one, other in zip(*pair, strict=True):
            assert (one["seed"], one["schedule"], one["step"]) == (other["seed"], other["schedule"], other["step"])
            assert other["train_loss"] == pytest.approx(one["train_loss"], rel=1e-9)
            assert dict(one["hyperparameters"]) == dict(other["hyperparameters"])


def test_the_best_suite_holds_settings_for_each_batch_size(tuned, tmp_path):
    path = tmp_path / "best.toml"
    asked = {"problems": ["linear_regression[data=synthetic,rows=20,dim=2]"], "batch_size": "4,12"}
    done = tuned(8, output=path, optimizers=["sgd", "adam"], **asked)
    suite = tomllib.loads(path.read_text())
    assert [task["batch_size"] for task in suite["problems"]] == ["4", "12"]
    entries = [(entry["spec"], entry["batch_size"]) for entry in suite["optimizers"]]
    assert entries == [("sgd", "4"), ("adam", "4"), ("sgd", "12"), ("adam", "12")]
    again = optbench.run(str(path), results=tmp_path / "results", throughput=False)
    before = {tuple(part.record.names.values()): part.results.best["learning_rate"] for part in done.run.parts}
    after = {tuple(part.record.names.values()): part.results.best["learning_rate"] for part in again.parts}
    assert after == before and len(after) == 4


def test_no_cell_begins_after_the_minutes(tuned):
    done = tuned(8, optimizers=["sgd", "adam"], max_minutes=1e-9)
    assert (done.run.parts, done.run.missing) == ((), 2)


def test_the_best_suite_names_what_it_holds(tuned, tmp_path):
    path = tmp_path / "best.toml"
    tuned(output=path)
    suite = tomllib.loads(path.read_text())
    assert suite["name"] == "best"
    assert suite["description"] == "Best settings by optbench tune: grid, 8 trials for each optimizer."
    assert suite["problems"] == [{"spec": BOWL, "batch_size": "full", "steps": 8}]
    (entry,) = suite["optimizers"]
    assert (entry["spec"], entry["weight_decay"], entry["schedule"]) == ("sgd", 0.0, "constant")
    assert (suite["report_seeds"], suite["record_every"], suite["dtype"]) == (3, 1, "float32")


def test_what_failed_is_left_out_of_the_best_suite(tuned, tmp_path, plugin):
    spec = plugin("def make(learning_rate):\n    raise ValueError('boom')\n")
    path = tmp_path / "best.toml"
    done = tuned(output=path, optimizers=["sgd", spec])
    assert len(done.run.failed) == 1
    assert [entry["spec"] for entry in tomllib.loads(path.read_text())["optimizers"]] == ["sgd"]


def test_nothing_is_written_where_all_failed(tuned, tmp_path, plugin):
    spec = plugin("def make(learning_rate):\n    raise ValueError('boom')\n")
    path = tmp_path / "best.toml"
    assert len(tuned(output=path, optimizers=[spec]).run.failed) == 1
    assert not path.exists()


@pytest.mark.parametrize(
    ("options", "said"),
    [
        ({"trials": 3}, r"trials: 3 is not accepted; accepted: 4 or more, which are two points on 2 seeds"),
        ({"trials": -1}, r"trials: -1 is not accepted"),
        (
            {"search": "gird"},
            r"unknown search 'gird'; did you mean 'grid'\? accepted: grid, random, sobol, halving, optuna$",
        ),
        ({"search": "sobol", "auto_extend": True}, r"sobol has no grid to widen; accepted: with grid or halving"),
        ({"learning_rate": "1e-3:1:5"}, r"sgd: its grid has 5 points, and --trials pay for 4"),
        ({"output": "best.txt"}, r"output: 'best.txt' is not accepted; accepted: a file that ends in .toml"),
        (
            {"output": "best.toml", "problems": [BOWL, "saddle"]},
            r"of one problem, and 2 are asked for .*; accepted: one -p",
        ),
    ],
    ids=str,
)
def test_mistakes_are_told_before_any_work(tuned, tmp_path, options, said):
    with pytest.raises(RequestError, match=said):
        tuned(**options)
    assert not (tmp_path / "results").exists()


@pytest.mark.parametrize("place", ["taken/best.toml", "folder.toml"])
def test_an_output_that_cannot_be_written(tuned, tmp_path, place):
    (tmp_path / "taken").touch()
    (tmp_path / "folder.toml").mkdir()
    with pytest.raises(StoreError, match="can't write "):
        tuned(output=tmp_path / place)
    assert not (tmp_path / "results").exists()


def test_optuna_that_is_not_there(tuned, monkeypatch):
    monkeypatch.setattr("optbench.runner.tune.find_spec", lambda name: None)
    with pytest.raises(RequestError, match=r"needs the extra optuna: pip install 'optbench\[optuna\]'"):
        tuned(search="optuna")


def test_several_problems_have_budgets_of_their_own(tuned):
    done = tuned(problems=[BOWL, "quadratic[condition=3.0,dim=3]"], optimizers=["sgd", "adam"])
    assert set(done.trials.values()) == {8} and len(done.trials) == 4
    assert json.loads((done.run.folder / "manifest.json").read_text())["ended"]
