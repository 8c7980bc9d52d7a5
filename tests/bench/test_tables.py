"""A run, loaded: its tables, what is missing, how mistakes are told, and what a large one takes."""

import math
import tracemalloc

import numpy as np
import pytest

import bench
from bench.present.table import write_table
from bench.store import run_folder
from bench.store.run_folder import StoreError
from bench.store.schema import trial_columns
from bench.tables import KINDS


@pytest.fixture
def run(handmade, tmp_path):
    handmade("sgd", [[3.0, 2.0, 1.0]])
    handmade("adam", [[3.0, 2.0, 0.5]], optimum=0.25)
    return bench.load("handmade", tmp_path / "results")


def test_loads_what_is_there(run):
    assert [part.footer["optimizer"] for part in run.parts] == ["adam", "sgd"]
    assert (run.torn, run.missing, run.failed) == ((), 0, ())


@pytest.mark.parametrize("kind", KINDS)
def test_each_kind_is_one_call(run, kind):
    table = getattr(run, kind.replace("-", "_"))()
    assert table == run.table(kind)
    assert table.title.startswith("handmade: ")
    # Nothing was timed.
    timed = kind in ("throughput", "time-to-target")
    assert {row["optimizer"] for row in table.to_records()} == (set() if timed else {"sgd", "adam"})


def test_options_reach_the_table(run):
    table = run.convergence(
        at_step=10, target=2.0, columns=["optimizer", "train_loss", "steps_to_target"], sort="-optimizer"
    )
    assert table.to_records() == [
        {"optimizer": "sgd", "train_loss": 2.0, "steps_to_target": 10.0},
        {"optimizer": "adam", "train_loss": 2.0, "steps_to_target": 10.0},
    ]


def test_converts_to_pandas_and_arrow(run):
    table = run.convergence()
    frame, arrow = table.to_pandas(), table.to_arrow()
    assert frame["train_loss"].tolist() == arrow["train_loss"].to_pylist() == [0.5, 1.0]
    assert arrow["gap"].to_pylist() == [0.25, None]
    assert math.isnan(frame["gap"][1])


@pytest.mark.parametrize(
    ("given", "said"),
    [
        ({"kind": "convergenc"}, "unknown table 'convergenc'; .*accepted: convergence, .*trials, curves"),
        ({"columns": ["optimiser"]}, "unknown column 'optimiser'; did you mean 'optimizer'"),
        ({"sort": "-los"}, "unknown column 'los'"),
    ],
    ids=["kind", "column", "sort"],
)
def test_unknown_is_told_with_what_there_is(run, given, said):
    with pytest.raises(ValueError, match=said):
        run.table(**given)


def test_missing_and_failed_cells_are_noted(run, handmade):
    handmade("lion", [], outcome="failed", message="ValueError: boom")
    manifest = run_folder.read_manifest(run.folder)
    manifest["cells"].append({"key": "never-run", "problem": "bowl"})
    run_folder.write_manifest(run.folder, manifest)
    again = bench.load(run.folder)
    assert [part.footer["optimizer"] for part in again.failed] == ["lion"]
    assert again.missing == 1
    notes = "\n".join(again.trials().notes)
    assert "bowl / lion: ValueError: boom" in notes
    assert "1 of 4 cells are not finished" in notes


def test_convergence_says_how_to_read_it(run):
    notes = "\n".join(run.convergence().notes)
    for said in ("95 % bootstrap intervals", "selection seeds", "float32 on cpu", "at_edge"):
        assert said in notes


#: Trials, records and steps of a large cell.
LARGE = (20_000, 3, 200)


@pytest.fixture(scope="module")
def large(tmp_path_factory):
    """Store 5000 points x 4 seeds of made-up curves, whose best point is the third."""
    trials, records, steps = LARGE
    folder, number = tmp_path_factory.mktemp("large"), np.arange(trials)
    step = np.broadcast_to(np.arange(records) * (steps // (records - 1)), (trials, records))
    loss = np.linspace(1, 2, trials)[:, None] * np.exp(-0.01 * np.arange(steps))
    named = {"phase": "select", "problem": "bowl", "optimizer": "sgd", "batch_size": "full", "dtype": "float32"}
    named |= {"seed": number // 5000, "point": number % 5000, "schedule": "constant", "status": "ok"}
    named |= {"hyperparameters": {"learning_rate": number / trials, "weight_decay": np.zeros(trials)}}
    counted = dict.fromkeys(("step", "examples", "gradient_evaluations"), step)
    losses = {"batch_loss": loss[:, :records], "train_loss": loss[:, :records], "step_loss": loss}
    said = {"outcome": "finished", "problem": "bowl", "optimizer": "sgd", "batch_size": "full", "at_edge": False}
    said |= {"num_points": 5000, "seeds": 4, "report_seeds": 0, "best_point": 2, "best": {"learning_rate": 0.1}}
    said |= {"targets": {"train_loss": 0.5}, "optimum": None, "examples_per_step": 1}
    run_folder.write_part(folder, "key", trial_columns(named | counted | losses, trials), said)
    manifest = {"cells": [{"key": "key"}], "suite": {"dtype": "float32", "report_seeds": 0}}
    run_folder.write_manifest(folder, manifest | {"device": {"device": "cpu"}})
    return folder


@pytest.mark.parametrize(("kind", "rows"), [("convergence", 1), ("trials", LARGE[0]), ("curves", LARGE[0] * LARGE[1])])
def test_a_table_does_not_hold_all_curves(large, tmp_path, kind, rows):
    trials, records, steps = LARGE
    # One of Python's numbers and its place in a list take 32 bytes; five curves are recorded.
    all_bytes = 32 * trials * (steps + 5 * records)
    with (tmp_path / "table.csv").open("w") as file:
        tracemalloc.start()
        write_table(bench.load(large).table(kind), "csv", file)
        _, peak = tracemalloc.get_traced_memory()
        tracemalloc.stop()
    assert peak < all_bytes / (4 if kind == "trials" else 40)
    assert len((tmp_path / "table.csv").read_text().splitlines()) == rows + 1


def test_a_large_cell_is_tabulated_right(large):
    (row,) = bench.load(large).convergence().to_records()
    ends = np.linspace(1, 2, LARGE[0])[2::5000] * np.exp(-0.02)
    assert row["train_loss"] == pytest.approx(np.median(ends))
    assert row["steps_to_target"] == math.ceil(100 * np.median(np.log(2 * ends * np.exp(0.02))))


@pytest.mark.parametrize("name", ["nowhere", "latest"])
def test_unknown_run_says_what_to_type(tmp_path, name):
    with pytest.raises(StoreError, match="optbench run smoke"):
        bench.load(name, tmp_path)


def test_unknown_name_of_the_package():
    with pytest.raises(AttributeError, match="'bench' has no attribute 'rum'"):
        _ = bench.rum
