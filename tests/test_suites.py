"""The packaged suites, against the catalogues as they are."""

import pytest

from optbench import optimizers, problems
from optbench.planning.jobs import pick_device, plan_jobs
from optbench.planning.registry import implementations
from optbench.request import Cell, expand, list_suites, load_suite

NAMES = ["landscape", "leaderboard", "networks", "quick", "smoke", "standard"]


@pytest.fixture(scope="module")
def cells() -> dict[str, tuple[Cell, ...]]:
    catalogue = implementations().catalogue()
    return {name: expand(load_suite(name, catalogue), *catalogue) for name in NAMES}


def test_all_suites_are_tested():
    assert [suite.name for suite in list_suites()] == NAMES


@pytest.mark.parametrize("name", NAMES)
def test_suite_says_what_it_is(name):
    assert load_suite(name).description.endswith(".")


@pytest.mark.parametrize("name", NAMES)
def test_suite_expands_to_distinct_cells(cells, name):
    labels = [(cell.problem, cell.optimizer, cell.batch_size) for cell in cells[name]]
    assert labels
    assert len(set(labels)) == len(labels)


@pytest.mark.parametrize("name", ["smoke", "quick", "leaderboard", "landscape", "networks"])
def test_suite_fits_its_problems(name):
    jobs = plan_jobs(load_suite(name), pick_device(None).device_kind)
    assert len({job.key for job in jobs}) == len(jobs)
    assert [job for job in jobs if isinstance(job.problem, Exception)] == []


def test_leaderboard_has_one_cell_per_optimizer(cells):
    assert sorted(cell.optimizer for cell in cells["leaderboard"]) == sorted(optimizers.catalogue())


def test_leaderboard_is_what_it_promises(cells):
    """Six learning rates x two decays x two schedules x a seed in each of ten studies x 200 steps, batch 128."""
    for cell in cells["leaderboard"]:
        assert (cell.problem, cell.batch_size) == ("mlp[data=digits,depth=1,width=64]", 128)
        assert (len(cell.points), cell.seeds, cell.studies, cell.steps) == (24, 1, 10, 200)


def test_quick_has_all_three_kinds_of_problem(cells):
    names = {cell.problem_name for cell in cells["quick"]}
    assert names == {"quadratic", "linear_regression", "logistic_regression", "mlp"}


def test_standard_has_every_family(cells):
    assert {cell.problem_name for cell in cells["standard"]} == set(implementations().problems)


def test_smoke_is_small(cells):
    """Two optimizers on three problems, three points and a seed in each of 10 studies, 50 steps."""
    assert len(cells["smoke"]) == 6
    assert {(len(cell.points), cell.seeds, cell.report_seeds, cell.steps) for cell in cells["smoke"]} == {
        (3, 1, 10, 50)
    }


def test_landscapes_and_networks_are_in_their_suites(cells):
    kinds = {name: module.split(".")[1] for name, module in problems.families().items()}
    for suite, kind in [("landscape", "landscapes"), ("networks", "networks")]:
        assert {name for name in kinds if kinds[name] == kind} <= {cell.problem_name for cell in cells[suite]}
