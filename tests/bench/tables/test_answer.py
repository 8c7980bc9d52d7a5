"""The answer of a run: a row an optimizer, and a small matrix against the problems."""

import pytest

from optbench.results import Run
from optbench.store.run import load_stored
from optbench.store.timings import write_timing

SEEDS = 9
LOSSES = {"adam": {"bowl": 1.0, "hill": 2.0, "pit": 2.0}, "sgd": {"bowl": 3.0, "hill": 2.02, "pit": 20.0}}
LOSSES["lion"] = {"bowl": 9.0, "hill": 8.0, "pit": float("inf")}


@pytest.fixture
def run(handmade, tmp_path):
    def make(problems=("bowl", "hill", "pit"), **footer):
        for optimizer, ends in LOSSES.items():
            for problem in problems:
                curves = [[30.0, 25.0, ends[problem] * (1 + seed / 1000)] for seed in range(SEEDS)]
                handmade(optimizer, curves, problem=problem, run="r", **footer)
        return Run(load_stored(tmp_path / "results" / "r"))

    return make


def test_a_row_an_optimizer_best_first(run):
    rows = run(targets={"train_loss": 2.5}).answer().to_records()
    assert [row["optimizer"] for row in rows] == ["adam", "sgd", "lion"]
    # Within 5 % on the hill, sgd is as good there.
    assert [row["among_best"] for row in rows] == [3, 1, 0]
    # Medians over problems of 1, 1, 1; of 3, 1.01, 10; of 9, 4, infinity.
    assert [row["distance"] for row in rows] == pytest.approx([1.0, 3.0, 9.0])
    assert [row["solved"] for row in rows] == [3, 1, 0]
    assert {row["num_tasks"] for row in rows} == {3}
    assert all(row["distance_low"] <= row["distance"] <= row["distance_high"] for row in rows)


def test_step_costs_are_medians_over_timed_cells(run, timing):
    made = run()
    factors = {"adam": iter((3.0, 1.0, 2.0)), "sgd": iter((1.0, 1.1, 1.0)), "lion": iter((9.0, 5.0, 1.0))}
    for cell in made.manifest["cells"]:
        factor = next(factors[cell["optimizer"]])
        names = {"key": cell["key"], "problem": cell["problem"], "optimizer": cell["optimizer"]}
        turns = {"step_seconds": [factor * 1e-3] * 6, "sgd_seconds": [1e-3] * 6, "gradient_seconds": [1e-3] * 6}
        write_timing(made.folder, timing(**names, **turns))
    rows = Run(load_stored(made.folder)).answer().to_records()
    ratios = {row["optimizer"]: row["sgd_ratio"] for row in rows}
    assert ratios == pytest.approx({"adam": 2.0, "sgd": 1.0, "lion": 5.0})


def test_edges_are_counted(run):
    assert [row["at_edge"] for row in run(at_edge=True).answer().to_records()] == [3, 3, 3]


def test_the_matrix_holds_ratios_and_marks_the_best(run):
    table = run().matrix()
    assert table.columns == ("optimizer", "bowl", "hill", "pit")
    assert [tuple(row.values()) for row in table.to_records()] == [
        ("adam", "1.00*", "1.00*", "1.00*"),
        ("sgd", "3.00", "1.01*", "10"),
        ("lion", "9.00", "4.00", "diverged"),
    ]
    assert table.notes == ("train loss over the best one's; *: among the best",)


def test_many_problems_are_the_rows_of_the_matrix(run, monkeypatch):
    monkeypatch.setattr("optbench.tables.matrix.MOST_ACROSS", 2)
    table = run().matrix()
    assert table.columns == ("problem", "best_value", "metric", "adam", "sgd", "lion")
    assert [row["problem"] for row in table.to_records()] == ["bowl", "hill", "pit"]
    assert table.to_records()[0]["best_value"] == pytest.approx(1.004)


def test_of_unfinished_cells_nothing_is_claimed(run):
    made = run()
    for path in (made.folder / "parts").iterdir():
        path.unlink()
    empty = Run(load_stored(made.folder))
    assert [row["among_best"] for row in empty.answer().to_records()] == []
    assert empty.matrix().to_records() == []
