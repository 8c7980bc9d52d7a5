"""What cells cost, and their order: every number can be checked by hand."""

from types import SimpleNamespace

import pytest

from optbench.planning.cost import Cost, compile_seconds, cost_of_cell, group_of, longest_first, run_seconds, seconds

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


class TestOrder:
    def ordered(self, jobs, costs):
        return [one.cell.problem for one in longest_first(jobs, costs)]

    def test_longest_first_and_unknown_before(self):
        jobs = [job("short", 1, 10), job("long", 1, 10), job("unknown", 1, 10)]
        costs = {group_of(jobs[0]): Cost(1.0, 0.1), group_of(jobs[1]): Cost(1.0, 0.2)}
        assert self.ordered(jobs, costs) == ["unknown", "long", "short"]

    def test_compiling_counts(self):
        jobs = [job("short", 1, 10), job("long", 1, 10)]
        costs = {group_of(jobs[0]): Cost(1.0, 0.2), group_of(jobs[1]): Cost(9.0, 0.1)}
        assert self.ordered(jobs, costs) == ["long", "short"]

    def test_the_longest_cell_speaks_for_its_group_which_stays_together_and_in_order(self):
        jobs = [job("a", 1, 10), job("b", 1, 50), job("a", 1, 90), job("a", 1, 20)]
        ordered = longest_first(jobs, {group_of(one): Cost(0.0, 1.0) for one in jobs})
        assert [(one.cell.problem, one.steps) for one in ordered] == [("a", 10), ("a", 90), ("a", 20), ("b", 50)]

    def test_batch_sizes_and_dtypes_are_groups_of_their_own(self):
        jobs = [job("a", batch_size=4), job("a", batch_size=8), job("a", batch_size=4, dtype="float64")]
        costs = {group_of(one): Cost(0.0, rate) for one, rate in zip(jobs, (1.0, 3.0, 2.0), strict=True)}
        assert longest_first(jobs, costs) == [jobs[1], jobs[2], jobs[0]]

    def test_equal_and_unknown_groups_stay_in_order(self):
        assert self.ordered([job("b"), job("a"), job("c")], {}) == ["b", "a", "c"]
