"""A run, loaded: its tables, what is missing, and how mistakes are told."""

import math

import pytest

import bench
from bench.store import run_folder
from bench.store.run_folder import StoreError
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
    table = getattr(run, kind)()
    assert table == run.table(kind)
    assert table.title.startswith("handmade: ")
    assert {row["optimizer"] for row in table.to_records()} == {"sgd", "adam"}


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
        ({"kind": "convergenc"}, "unknown table 'convergenc'; .*accepted: convergence, trials, curves, best"),
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


@pytest.mark.parametrize("name", ["nowhere", "latest"])
def test_unknown_run_says_what_to_type(tmp_path, name):
    with pytest.raises(StoreError, match="optbench run smoke"):
        bench.load(name, tmp_path)


def test_unknown_name_of_the_package():
    with pytest.raises(AttributeError, match="'bench' has no attribute 'rum'"):
        _ = bench.rum
