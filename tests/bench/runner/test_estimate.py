"""Count and estimate, and leave nothing behind."""

import pytest

from optbench.runner.estimate import plan

ASKED = {
    "problems": ["quadratic[dim=3,condition=2]"],
    "optimizers": ["sgd", "adam"],
    "learning_rate": "0.1,0.5",
    "steps": 4,
    "seeds": 3,
    "report_seeds": 5,
    "records": 2,
}


@pytest.fixture
def planned(tmp_path):
    def call(**overrides):
        return plan(results=tmp_path / "results", name="tiny", **ASKED | overrides).to_records()

    return call


def test_counts_and_estimates(planned, tmp_path):
    row, total = planned()
    assert (row["problem"], row["batch_size"], total["problem"]) == ("quadratic[condition=2.0,dim=3]", "full", "all")
    for counted in (row, total):
        # Two cells of 5 studies of 2 points x 3 seeds, and what they choose by two criteria; a program for each phase.
        assert [counted[name] for name in ("cells", "finished", "trials", "compiles")] == [2, 0, 80, 4]
        assert counted["compile_minutes"] > 0
        assert counted["run_minutes"] > 0
        assert counted["memory_bytes"] > 0
    assert not (tmp_path / "results").exists()


def test_finished_cells_are_left_out(planned, tiny):
    tiny(optimizers=["sgd"], seeds=3, report_seeds=5)
    row, _ = planned()
    assert [row[name] for name in ("cells", "finished", "trials", "compiles")] == [2, 1, 40, 2]


def test_a_row_per_problem_and_batch_size(planned):
    rows = planned(problems=["linear_regression[data=synthetic,rows=20,dim=2]"], batch_size="4,full")
    assert [(row["batch_size"], row["cells"]) for row in rows] == [(4, 2), ("full", 2), ("", 4)]


def test_a_cell_that_cannot_be_calibrated_is_told(planned, plugin):
    said = []
    spec = plugin("def make():\n    raise ValueError('boom')\n")
    row, _ = planned(problems=[spec], optimizers=["sgd"], say=said.append)
    assert row["cells"] == 1
    assert any("boom" in line for line in said)
