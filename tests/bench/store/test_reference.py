"""Reference runs: what is kept of a run, and how one stands beside them."""

import pytest

from optbench.results import load
from optbench.runner.compare import compare_optimizers
from optbench.store import trials
from optbench.store.reference import keep_reference


def ends(*losses):
    return [[8.0, 8.0, float(loss)] for loss in losses]


@pytest.fixture
def reference(handmade, tmp_path):
    handmade("sgd", ends(*[2] * 10))
    handmade("lion", [], outcome="failed", message="boom")
    folder = tmp_path / "results" / "reference" / "quick"
    keep_reference(load("handmade", tmp_path / "results"), folder)
    return folder


def test_keeps_report_seeds_alone(reference):
    kept = load(reference)
    assert [part.record.optimizer for part in kept.parts] == ["sgd"]
    assert {row["phase"] for row in trials.read_rows(kept.parts).to_pylist()} == {"report"}
    assert kept.missing == 1


def test_tables_of_report_seeds_are_as_before(reference, tmp_path):
    kept, run = load(reference), load("handmade", tmp_path / "results")
    for kind in ("convergence", "best", "ert", "profile"):
        assert kept.table(kind, optimizers=["sgd"]).rows == run.table(kind, optimizers=["sgd"]).rows


@pytest.mark.parametrize("kind", ["sensitivity", "budget", "defaults"])
def test_tables_of_selection_trials_say_that_they_are_not_kept(reference, kind):
    with pytest.raises(ValueError, match="bowl / sgd: its select trials are not kept"):
        load(reference).table(kind, optimizers=["sgd"])


@pytest.mark.parametrize("name", ["reference:sgd", "reference/quick:sgd"])
def test_one_compares_with_them(reference, handmade, tmp_path, name):
    handmade("adam", ends(*[1] * 10), run="mine")
    compared = compare_optimizers(["mine:adam", name], results=tmp_path / "results")
    assert [row["verdict"] for row in compared.per_problem.to_records()] == ["better"]


@pytest.mark.parametrize("suite", ["quick", "leaderboard", "landscape", "networks"])
def test_those_of_this_checkout_are_whole_and_of_this_schema(suite, tmp_path):
    run = load(f"reference/{suite}", tmp_path)
    assert (run.torn, run.missing, run.failed) == ((), 0, ())
    assert all(part.record.report_seeds >= 6 for part in run.parts)
    assert run.manifest["suite"]["name"] == suite


def test_a_report_of_them_leaves_out_what_is_not_kept(reference):
    from optbench.report.report import report

    page = report([load(reference)], reference / "report.html")
    assert "1 of 2 cells finished, 1 missing, the trials of the grids are not kept" in page
    assert "Every trial" not in page
