"""Where nothing is random, the seeds of a study are trained once, and what they chose is not trained again."""

import pyarrow.compute as pc
import pytest

from optbench import run
from optbench.runner import train_cell
from optbench.runner.tune import tune
from optbench.store.trials import read_rows

CURVES = ["train_loss", "test_loss", "step_loss", "gradient_evaluations", "status"]


@pytest.fixture
def trained(monkeypatch, tmp_path):
    """Return what runs a cell: (rows, the number of trials that each program trained)."""
    shapes = []
    sweep = train_cell.sweep

    def counted(compiled, points):
        shapes.append((len(compiled.trials), len(points)))
        return sweep(compiled, points)

    monkeypatch.setattr(train_cell, "sweep", counted)

    def runs(**changes):
        asked = {
            "problems": ["linear_regression[data=synthetic,rows=40,dim=3]"],
            "optimizers": ["adam"],
            "learning_rate": "0.01:0.1:2",
        }
        asked |= {"steps": 12, "records": 3, "seeds": 3, "report_seeds": 4, "throughput": False}
        (part,) = run(results=tmp_path, name=f"run{len(shapes)}", **asked | changes).parts
        return read_rows([part]), shapes

    return runs


def phase(rows, name, **where):
    chosen = rows.filter(pc.equal(rows["phase"], name))
    for column, value in where.items():
        chosen = chosen.filter(pc.equal(chosen[column], value))
    return chosen


def test_each_study_trains_one_seed_and_reports_what_it_chose(trained):
    rows, shapes = trained()
    # Four studies of two points, for three seeds each in the rows.
    assert shapes == [(4, 2)]
    select, report = phase(rows, "select"), phase(rows, "report")
    assert select.num_rows == 4 * 3 * 2 and report.num_rows % 4 == 0
    for study in range(4):
        seeds = [phase(select, "select", seed=3 * study + seed).select(CURVES).to_pylist() for seed in range(3)]
        assert seeds[0] == seeds[1] == seeds[2]
        selected = {
            str(dict(row["hyperparameters"])): row for row in phase(select, "select", seed=3 * study).to_pylist()
        }
        for row in phase(report, "report", seed=study).to_pylist():
            trial = selected[str(dict(row["hyperparameters"]))]
            assert {name: row[name] for name in CURVES} == {name: trial[name] for name in CURVES}
    # Studies are shifted against each other: they are no copies.
    first, second = (phase(select, "select", seed=seed)["train_loss"].to_pylist() for seed in (0, 3))
    assert first != second


def test_a_single_study_reports_one_trial_for_all_seeds(trained):
    rows, shapes = trained(studies=1)
    assert shapes == [(1, 2)]
    losses = phase(rows, "report")["train_loss"].to_pylist()
    assert len(losses) >= 4 and all(loss == losses[0] for loss in losses)


@pytest.mark.parametrize(
    ("changes", "expected"),
    [
        # Batches are random: all seeds are trained, and the choices by three criteria again.
        ({"batch_size": "8"}, [(12, 2), (4, 3)]),
        # Probes of the end are measured in a phase of their own.
        ({"probes": ["seed_distance"]}, [(4, 2), (4, 3)]),
        ({"report_seeds": 0}, [(1, 2)]),
    ],
    ids=["batches", "probes", "no-report"],
)
def test_what_else_has_to_be_trained(trained, changes, expected):
    assert trained(**changes)[1] == expected


@pytest.mark.parametrize("search", ["grid", "halving", "optuna"])
def test_every_search_trains_a_study_once(tmp_path, monkeypatch, search):
    if search == "optuna":
        pytest.importorskip("optuna")
    compiled = []
    compile_sweep = train_cell.compile_sweep
    monkeypatch.setattr(train_cell, "compile_sweep", lambda *given: compiled.append(given[2]) or compile_sweep(*given))
    asked = {"problems": ["linear_regression[data=synthetic,rows=40,dim=3]"], "optimizers": ["adam"]}
    asked |= {"steps": 12, "records": 4, "seeds": 2, "report_seeds": 2, "studies": 1}
    tuned = tune(search=search, trials=8, results=tmp_path, **asked)
    assert [len(trials) for trials in compiled] == [1]
    rows = read_rows(tuned.run.parts)
    assert phase(rows, "select")["seed"].unique().to_pylist() == [0, 1]
    losses = phase(rows, "report")["train_loss"].to_pylist()
    assert losses[0] == losses[-1]
    assert tuned.trial_steps <= tuned.full_trial_steps
