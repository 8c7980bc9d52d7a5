"""Work in steps, examples, gradients and seconds: sam evaluates two gradients a step, and is ranked by them."""

from types import SimpleNamespace

import pytest

from optbench import tables
from optbench.analyse.outcomes import Slice, counted_alike
from optbench.analyse.ranks import problem_ranks
from optbench.analyse.work import work_of
from optbench.errors import RequestError
from optbench.store.run import load_stored
from optbench.tables.convergence import convergence
from optbench.tables.ecdf import ecdf
from optbench.tables.ert import ert
from optbench.tables.profile import notes, profile
from optbench.tables.ranks import notes as rank_notes

SECONDS = {("bowl", "sgd", 4): 0.5, ("bowl", "sam", 4): 2.0}
TWICE = {"gradient_evaluations": [0, 20, 40]}


@pytest.fixture
def rivals(handmade):
    """Make sgd, which reaches the target after 20 steps, and sam, which does after 10 steps of two gradients."""
    return [handmade("sgd", [[8.0, 4.0, 1.0]]), handmade("sam", [[8.0, 1.0, 0.5]], trial=TWICE)]


def test_the_unit_is_gradients_where_a_step_takes_several(rivals):
    assert work_of(rivals, Slice()).unit == "gradients"
    assert work_of(rivals[:1], Slice()).unit == "steps"
    assert work_of(rivals, Slice(by="steps")).unit == "steps"


def test_a_trial_that_diverged_is_no_sign_of_other_gradients(handmade):
    lost = {"status": "diverged", "gradient_evaluations": [0, 3, 3]}
    assert work_of([handmade("sgd", [[8.0, float("nan"), float("nan")]], trial=lost)], Slice()).unit == "steps"


def test_examples_are_those_of_all_gradients(rivals):
    rows = {row["optimizer"]: row for row in convergence(rivals, Slice())[1]}
    names = ("steps_to_target", "gradients_to_target", "examples_to_target")
    assert [rows["sam"][name] for name in names] == [10, 20, 80]
    assert [rows["sgd"][name] for name in names] == [20, 20, 80]


def test_expected_running_times_in_all_units(rivals):
    rows = {row["optimizer"]: row for row in ert(rivals, SECONDS, Slice())[1]}
    units = ("steps", "examples", "gradients", "seconds")
    assert [rows["sam"][f"ert_{unit}"] for unit in units] == [10, 80, 20, 20]
    assert [rows["sgd"][f"ert_{unit}"] for unit in units] == [20, 80, 20, 10]


@pytest.mark.parametrize(("by", "first"), [("steps", "sam"), ("seconds", "sgd")])
def test_running_times_are_sorted_by_the_unit(rivals, by, first):
    assert ert(rivals, SECONDS, Slice(by=by))[1][0]["optimizer"] == first


def test_a_seed_that_missed_spent_all_its_gradients(handmade):
    """One of two met the target after 20 gradients, the other spent 40."""
    part = handmade("sam", [[8.0, 1.0, 0.5], [8.0, 4.0, 2.0]], trial=TWICE)
    assert ert([part], {}, Slice())[1][0]["ert_gradients"] == 60


def test_one_that_diverged_had_the_budget_of_the_others(handmade):
    lost = {0: {"status": "diverged", "gradient_evaluations": [0, 4, 4]}, 1: TWICE}
    part = handmade("sam", [[8.0, float("nan"), float("nan")], [8.0, 1.0, 0.5]], trials=lost)
    assert ert([part], {}, Slice())[1][0]["ert_gradients"] == 60


@pytest.mark.parametrize(
    ("by", "within"),
    [(None, {"sam": 1, "sgd": 1}), ("steps", {"sam": 1, "sgd": 0}), ("seconds", {"sam": 0, "sgd": 1})],
    ids=["gradients", "steps", "seconds"],
)
def test_profiles_by_the_unit(rivals, by, within):
    """As many gradients; twice the steps; and 10 against 20 seconds."""
    rows = profile(rivals, Slice(by=by), SECONDS)[1]
    assert {row["optimizer"]: row["within_1"] for row in rows} == within


def test_the_share_of_targets_by_the_unit(rivals):
    for by, column in ((None, "by_gradient_10"), ("steps", "by_step_10"), ("examples", "by_example_100")):
        assert column in ecdf(rivals, Slice(by=by), SECONDS)[0]
    columns, rows = ecdf(rivals, Slice(by="seconds"), SECONDS)
    assert (columns[-1], rows[0]["optimizer"]) == ("by_second_40", "sgd")
    shares = {row["optimizer"]: row["by_step_10"] for row in ecdf(rivals, Slice(by="steps"))[1]}
    assert shares == {"sam": 1, "sgd": 0.3}


def test_ranks_are_at_equal_work(rivals):
    """At 20 gradients sam has made 10 steps, to 1.0, as sgd in 20; by steps it is ahead, in seconds behind."""
    ranks = lambda **view: dict(zip(*(list(a) for a in _ranks(rivals, **view)), strict=True))  # noqa: E731
    assert ranks() == {"sgd": 1.5, "sam": 1.5}
    assert ranks(by="steps") == {"sgd": 2, "sam": 1}
    assert ranks(by="seconds") == {"sgd": 1, "sam": 2}
    said = "\n".join(rank_notes(SimpleNamespace(parts=rivals, timings=()), (), Slice()))
    assert "at equal gradient evaluations" in said


def _ranks(parts, **view):
    names, ranked = problem_ranks(parts, Slice(**view), SECONDS)
    return names, ranked[0].tolist()


def test_seconds_of_what_is_not_timed_are_refused(rivals):
    with pytest.raises(RequestError, match="sam on bowl at batch size 4 is not timed; optbench throughput"):
        profile(rivals, Slice(by="seconds"), {("bowl", "sgd", 4): 0.5})


def test_the_unit_is_named(rivals, tmp_path):
    assert "work is counted in gradient evaluations" in notes(SimpleNamespace(parts=rivals, timings=()), (), Slice())
    run = load_stored("handmade", tmp_path / "results")
    assert "by steps" in tables.table(run, "ert", by="steps").title
    with pytest.raises(RequestError, match="by: not accepted for best; accepted for ranks, ert, ecdf, profile"):
        tables.table(run, "best", by="steps")
    with pytest.raises(RequestError, match="unknown by 'gradient'"):
        tables.table(run, "ert", by="gradient")


def test_steps_are_counted_alike_on_full_batches(handmade, tmp_path):
    """Of an optimizer that is evaluated elsewhere than its gradients no loss at every step is known."""
    dense = {"step_loss": [8.0, 4.0, 2.0] + [1.0] * 17}
    plain = handmade("sgd", [[8.0, 1.0, 1.0]], batch_size="full", trial=dense, select=[])
    assert counted_alike([plain])
    other = handmade("schedule_free_sgd", [[8.0, 1.0, 1.0]], batch_size="full", select=[])
    assert not counted_alike([plain, other]) and counted_alike([other])
    rows = tables.table(load_stored("handmade", tmp_path / "results")).to_records()
    assert {row["optimizer"]: row["steps_to_target"] for row in rows} == {"sgd": 10, "schedule_free_sgd": 10}
