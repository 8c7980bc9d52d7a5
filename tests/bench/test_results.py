"""A run, loaded: its tables, what is missing, how mistakes are told, and what a large one takes."""

import inspect
import math
import tracemalloc

import numpy as np
import pytest

import optbench
from optbench.errors import StoreError
from optbench.present.formats import write_table
from optbench.results import Run
from optbench.store.manifest import read_manifest, write_manifest
from optbench.store.parts import write_part
from optbench.store.schema import trial_columns
from optbench.tables import kind as kind_of
from optbench.tables import names

TRIED = {0.1: [[3.0, 2.5, 2.0]], 0.2: [[3.0, 2.0, 1.0]]}


@pytest.fixture
def run(handmade, tmp_path):
    handmade("sgd", [[3.0, 2.0, 1.0]], tried=TRIED)
    handmade("adam", [[3.0, 2.0, 0.5]], tried=TRIED, optimum=0.25)
    return optbench.load("handmade", tmp_path / "results")


def test_loads_what_is_there(run):
    assert [part.record.optimizer for part in run.parts] == ["adam", "sgd"]
    assert (run.torn, run.missing, run.failed) == ((), 0, ())


def test_a_run_has_a_method_for_every_kind_of_table():
    methods = {name for name, member in inspect.getmembers(Run, inspect.isfunction) if not name.startswith("_")}
    assert methods - {"only", "table"} == {name.replace("-", "_") for name in names()}


@pytest.mark.parametrize("kind", names())
def test_each_kind_is_one_call(run, kind):
    table = getattr(run, kind.replace("-", "_"))()
    assert table == run.table(kind)
    assert table.title == f"handmade: {kind_of(kind).meaning}"
    # Nothing was timed, nor run at two batch sizes.
    without = kind in ("throughput", "time-to-target", "batch-scaling")
    assert {row["optimizer"] for row in table.to_records()} == (set() if without else {"sgd", "adam"})


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
        (
            {"kind": "convergenc"},
            "unknown table 'convergenc'; .*accepted: answer, matrix, convergence, .*trials, curves",
        ),
        ({"columns": ["optimiser"]}, "unknown column 'optimiser'; did you mean 'optimizer'"),
        ({"sort": "-los"}, "unknown column 'los'"),
    ],
    ids=["kind", "column", "sort"],
)
def test_unknown_is_told_with_what_there_is(run, given, said):
    with pytest.raises(ValueError, match=said):
        run.table(**given)


class TestSlices:
    @pytest.fixture
    def run(self, handmade, tmp_path):
        """On the bowl and on two hills, by sgd, adam and adam[b1=0.8]."""
        for problem in ("bowl", "hill", "hill[steep=true]"):
            for optimizer in ("sgd", "adam", "adam[b1=0.8]"):
                handmade(optimizer, [[3.0, 2.0, 1.0], [3.0, 2.5, 1.5]], tried=TRIED, problem=problem)
        return optbench.load("handmade", tmp_path / "results")

    @pytest.mark.parametrize("kind", [kind for kind in names() if kind not in ("throughput", "batch-scaling")])
    def test_of_problems_and_optimizers(self, run, kind):
        rows = run.table(kind, problems=["hill"], optimizers=["sgd"]).to_records()
        assert {row["optimizer"] for row in rows} <= {"sgd"}
        assert {row.get("problem", "hill") for row in rows} <= {"hill", "all"}
        assert rows or kind == "time-to-target"

    @pytest.mark.parametrize(("kind", "records"), [("trials", 1), ("curves", 3)])
    @pytest.mark.parametrize("seeds", [1, 2, 9])
    def test_of_seeds_in_lists(self, run, kind, records, seeds):
        """There are two points on one selection seed, and two report seeds."""
        table = run.table(kind, problems=["bowl"], optimizers=["sgd"], seeds=seeds)
        assert len(table.to_records()) == records * (2 + min(seeds, 2))

    @pytest.mark.parametrize(
        ("wanted", "found"),
        [
            (["bowl"], ["bowl"]),
            (["hill"], ["hill"]),
            (["hill*"], ["hill", "hill[steep=true]"]),
            (["hill[steep=true]"], ["hill[steep=true]"]),
            (["?owl", "hill"], ["bowl", "hill"]),
            (["*"], ["bowl", "hill", "hill[steep=true]"]),
            ([], ["bowl", "hill", "hill[steep=true]"]),
        ],
        ids=str,
    )
    def test_by_label_family_or_pattern(self, run, wanted, found):
        assert list(dict.fromkeys(part.record.problem for part in run.only(wanted).parts)) == found

    def test_a_family_stands_for_its_members(self, run):
        """Unless one of them is called like it."""
        members = run.only(["hill[steep=true]"])
        assert members.only(["hill"]).parts == members.parts
        assert len(run.only(optimizers=["ad*"]).parts) == 6

    @pytest.mark.parametrize(
        ("given", "said"),
        [
            ({"problems": ["hil"]}, "unknown problem 'hil'; did you mean 'hill'"),
            ({"optimizers": ["lion"]}, "unknown optimizer 'lion'; accepted: adam, adam.b1=0.8., sgd"),
            ({"problems": ["bowl"], "optimizers": ["sg?", "adm"]}, "unknown optimizer 'adm'; did you mean 'adam'"),
            ({"problems": [""]}, "unknown problem ''"),
            ({"seeds": 0}, "seeds: 0 is not accepted; accepted: integers >= 1"),
            ({"seeds": -2}, "seeds: -2 is not accepted"),
            ({"at_step": -1}, "at_step: -1 is not accepted; accepted: integers >= 0"),
            ({"target": math.nan}, "target: nan is not accepted; accepted: finite numbers"),
        ],
        ids=str,
    )
    @pytest.mark.parametrize("kind", ["convergence", "budget", "ecdf"])
    def test_mistakes(self, run, kind, given, said):
        with pytest.raises(ValueError, match=said):
            run.table(kind, **given)

    def test_are_told_in_the_title(self, run):
        assert run.profile().title == "handmade: performance profiles"
        said = "handmade: performance profiles, at step 10, to train_loss <= 2, of 1 seed"
        assert run.profile(at_step=10, target=2.0, seeds=1).title == said

    def test_of_seeds_are_told_by_their_number(self, run):
        assert any("over a fresh report seed" in note for note in run.convergence(seeds=1).notes)


def test_missing_and_failed_cells_are_noted(run, handmade):
    handmade("lion", [], outcome="failed", message="ValueError: boom")
    manifest = read_manifest(run.folder)
    manifest["cells"].append({"key": "never-run", "problem": "bowl", "optimizer": "adam"})
    write_manifest(run.folder, manifest)
    again = optbench.load(run.folder)
    assert [part.record.optimizer for part in again.failed] == ["lion"]
    assert again.missing == 1
    notes = "\n".join(again.trials().notes)
    assert "bowl / lion: ValueError: boom" in notes
    assert "1 of 4 cells are not finished" in notes


def test_convergence_says_how_to_read_it(run):
    notes = "\n".join(run.convergence().notes)
    for said in ("95 % bootstrap intervals", "float32 on cpu", "a target is reached"):
        assert said in notes


#: Trials, records and steps of a large cell.
LARGE = (20_000, 3, 200)


@pytest.fixture(scope="module")
def large(tmp_path_factory, record):
    """Store 5000 points x 4 seeds of made-up curves, whose best point is the third."""
    trials, records, steps = LARGE
    folder, number = tmp_path_factory.mktemp("large"), np.arange(trials)
    step = np.broadcast_to(np.arange(records) * (steps // (records - 1)), (trials, records))
    start = np.linspace(1, 2, trials)[:, None]
    loss, recorded = start * np.exp(-0.01 * np.arange(steps)), start * np.exp(-0.01 * step)
    named = {"phase": "select", "problem": "bowl", "optimizer": "sgd", "batch_size": "full", "dtype": "float32"}
    named |= {"seed": number // 5000, "point": number % 5000, "schedule": "constant", "status": "ok"}
    named |= {"hyperparameters": {"learning_rate": number / trials, "weight_decay": np.zeros(trials)}}
    counted = dict.fromkeys(("step", "examples", "gradient_evaluations"), step)
    losses = {"batch_loss": recorded, "train_loss": recorded, "step_loss": loss}
    counts = {"num_points": 5000, "seeds": 4, "report_seeds": 0, "best_point": 2, "steps": steps}
    tried = record(batch_size="full", targets={"train_loss": 0.5}, examples_per_step=1, **counts)
    write_part(folder, "key", trial_columns(named | counted | losses, trials), tried)
    cells = [{"key": "key", "problem": "bowl", "optimizer": "sgd"}]
    manifest = {"cells": cells, "suite": {"dtype": "float32", "report_seeds": 0}}
    write_manifest(folder, manifest | {"device": {"device": "cpu"}})
    return folder


@pytest.mark.parametrize(
    ("kind", "rows", "share"),
    [
        *(("convergence", 1, 36), ("trials", LARGE[0], 4), ("curves", LARGE[0] * LARGE[1], 40), ("ranks", 1, 36)),
        *(("sensitivity", 1, 10), ("budget", 1, 10), ("defaults", 2, 10), ("batch-scaling", 0, 40)),
        *(("ert", 1, 36), ("ecdf", 1, 12), ("profile", 1, 36)),
    ],
)
def test_a_table_does_not_hold_all_curves(large, tmp_path, kind, rows, share):
    trials, records, steps = LARGE
    # One of Python's numbers and its place in a list take 32 bytes; five curves are recorded.
    all_bytes = 32 * trials * (steps + 5 * records)
    with (tmp_path / "table.csv").open("w") as file:
        tracemalloc.start()
        write_table(optbench.load(large).table(kind), "csv", file)
        _, peak = tracemalloc.get_traced_memory()
        tracemalloc.stop()
    assert peak < all_bytes / share
    assert len((tmp_path / "table.csv").read_text().splitlines()) == rows + 1


def test_a_large_cell_is_tabulated_right(large):
    (row,) = optbench.load(large).convergence().to_records()
    starts = np.linspace(1, 2, LARGE[0])[2::5000]
    assert row["train_loss"] == pytest.approx(np.median(starts) * np.exp(-2))
    assert row["steps_to_target"] == math.ceil(100 * np.median(np.log(2 * starts)))


@pytest.mark.parametrize("name", ["nowhere", "latest"])
def test_unknown_run_says_what_to_type(tmp_path, name):
    with pytest.raises(StoreError, match="optbench run smoke"):
        optbench.load(name, tmp_path)


def test_unknown_name_of_the_package():
    with pytest.raises(AttributeError, match="'optbench' has no attribute 'rum'"):
        _ = optbench.rum
