"""What cells cost: every number can be checked by hand."""

from types import SimpleNamespace

import pytest

from optbench.planning.cost import Cost, compile_seconds, cost_of_cell, group_of, run_seconds, seconds

SECONDS = {"trace_seconds": 0.5, "compile_seconds": 1.5, "select_seconds": 2.0, "report_seconds": 0.6}


def job(problem, num_trials=1, steps=1, batch_size="full", dtype="float32"):
    cell = SimpleNamespace(problem=problem, batch_size=batch_size, dtype=dtype)
    return SimpleNamespace(cell=cell, num_trials=num_trials, steps=steps)


@pytest.mark.parametrize(
    ("trial_steps", "updates"), [(800, 1300), (150, 650)], ids=["all to the end", "some were stopped"]
)
def test_a_cell_tells_its_cost_by_the_updates_that_were_made(record, trial_steps, updates):
    # With 5 x 100 updates of reporting trials, in 2.6 seconds.
    results = record(steps=100, trial_steps=trial_steps, **SECONDS).results
    assert cost_of_cell(results, 5) == Cost(2.0, pytest.approx(2.6 / updates))


def test_seconds_are_of_compiling_and_of_running():
    cost = Cost(2.0, 0.001)
    assert compile_seconds(3, cost) == 6
    assert run_seconds(5000, cost) == 5
    # 10 trials x 200 updates x 1 ms on top of 2 s.
    assert seconds(job("bowl", 10, 200), cost) == pytest.approx(4)


def test_cells_share_a_cost_by_problem_batch_size_and_dtype():
    jobs = [job("a", batch_size=4), job("a", batch_size=8), job("a", batch_size=4, dtype="float64"), job("b")]
    assert len({group_of(one) for one in jobs}) == 4
    assert group_of(jobs[0]) == group_of(job("a", 7, 30, batch_size=4))
