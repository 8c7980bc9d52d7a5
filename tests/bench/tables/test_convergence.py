"""Tables of cells written by hand: every number can be read off the curves."""

import math

import pytest

from optbench.analyse.outcomes import Slice
from optbench.tables.convergence import convergence, lucky

INF = math.inf
NAN = math.nan


def row(part, **view):
    (found,) = convergence([part], Slice(**view))[1]
    return found


def test_medians_over_the_report_seeds(handmade):
    """Three report seeds end at 1, 2 and 4; the selection seed ended at 9 and has no say."""
    found = row(handmade("sgd", [[8.0, 5.0, 1.0], [8.0, 5.0, 2.0], [8.0, 6.0, 4.0]], optimum=0.5, num_points=7))
    assert (found["train_loss"], found["train_loss_low"], found["train_loss_high"]) == (2, 1, 4)
    assert found["gap"] == 1.5
    assert (found["num_points"], found["num_seeds"], found["diverged_fraction"]) == (7, 3, 0)
    assert (found["problem"], found["optimizer"], found["batch_size"]) == ("bowl", "sgd", 4)
    assert (found["learning_rate"], found["weight_decay"], found["at_edge"]) == (0.1, 0, [])
    assert found["test_loss"] is found["test_accuracy"] is None


@pytest.mark.parametrize(
    ("stored", "edges"),
    [(["learning_rate", "weight_decay"], ["learning_rate", "weight_decay"]), (True, ["not named"]), (False, [])],
    ids=["named", "of-an-older-run", "inside-of-an-older-run"],
)
def test_an_edge_is_named(handmade, stored, edges):
    assert row(handmade("sgd", [[8.0, 5.0, 1.0]], at_edge=stored))["at_edge"] == edges


def order(*parts, dtype="float32"):
    return [row["optimizer"] for row in convergence(parts, Slice(), dtype)[1]]


def test_what_rounding_tells_apart_is_in_the_order_of_names(handmade):
    """Rounding of the start, 8, is 8 * 2**-23 or 9.5e-7 in float32."""
    far, near, zero = (handmade(name, [[8.0, 5.0, end]]) for name, end in (("a", 1e-6), ("b", 9e-7), ("c", 0.0)))
    assert order(zero, near, far) == ["b", "c", "a"]
    assert order(zero, near, far, dtype="float64") == ["c", "b", "a"]


def test_what_lies_below_the_optimum_by_rounding_is_in_the_order_of_names(handmade):
    below, at = (
        handmade(name, [[8.0, 5.0, 2.0 + rest]], optimum=2.0) for name, rest in (("b", -(2.0**-23)), ("a", 0.0))
    )
    assert order(below, at) == ["a", "b"]


def test_losses_below_zero_are_in_their_order(handmade):
    assert order(*(handmade(name, [[8.0, 5.0, end]]) for name, end in (("a", -1.0), ("b", -2.0)))) == ["b", "a"]


def test_without_report_seeds_the_best_point_of_the_selection_speaks(handmade):
    part = handmade("sgd", [], select=[[8.0, 5.0, 3.0], [8.0, 5.0, 1.0]], report_seeds=0)
    assert (row(part)["train_loss"], row(part)["num_seeds"]) == (2, 2)


def test_another_point_of_the_selection_has_no_say(handmade):
    part = handmade("sgd", [[8.0, 5.0, 1.0]], trial={"phase": "select", "point": 3}, report_seeds=0, best_point=3)
    assert row(part)["train_loss"] == 1


def test_test_metrics_are_medians_too(handmade):
    measured = [
        {"test_loss": [3.0, 2.0, loss], "test_accuracy": [0.1, 0.5, share]} for loss, share in ((1, 0.7), (3, 0.9))
    ]
    found = row(handmade("sgd", [[8.0, 5.0, 1.0]] * 2, trials=dict(enumerate(measured))))
    assert (found["test_loss"], found["test_accuracy"]) == (2, pytest.approx(0.8))


class TestOwnMetrics:
    """Metrics that a problem has beside loss and accuracy."""

    @pytest.fixture
    def part(self, handmade):
        modes = {seed: {"train_modes": [0.0, 1.0, end]} for seed, end in enumerate((1.0, 2.0, 4.0))}
        said = {"higher_is_better": ["modes"], "targets": {"train_modes": 2.0}}
        return lambda **fields: handmade("sgd", [[8.0, 5.0, 1.0]] * 3, trials=modes, **(said | fields))

    def test_come_last_as_medians(self, part, handmade):
        columns, rows = convergence([part(), handmade("adam", [[8.0, 5.0, 1.5]])], Slice())
        assert columns[-1] == "train_modes"
        assert [row.get("train_modes") for row in rows] == [2.0, None]

    def test_may_be_the_target_where_more_is_better(self, part):
        assert row(part())["steps_to_target"] == 20

    def test_are_worst_where_a_trial_diverged(self, part):
        assert row(part(trial={"status": "diverged"}))["train_modes"] == 0
        assert row(part(trial={"status": "diverged"}, higher_is_better=[]))["train_modes"] == INF


class TestTarget:
    def test_is_met_at_a_record(self, handmade):
        part = handmade("sgd", [[8.0, 1.0, 0.5]])
        assert (row(part)["steps_to_target"], row(part)["examples_to_target"]) == (10, 40)

    def test_is_met_between_records_where_every_step_is_known(self, handmade):
        """The loss before update 3 is the first at most 1: it takes 3 updates to get there."""
        part = handmade("sgd", [[8.0, 0.9, 0.5]], trial={"step_loss": [8.0, 4.0, 2.0, 1.0, 0.95] + [0.9] * 15})
        assert (row(part)["steps_to_target"], row(part)["examples_to_target"]) == (3, 12)

    def test_is_met_after_the_last_update(self, handmade):
        part = handmade("sgd", [[8.0, 7.0, 1.0]], trial={"step_loss": [8.0] * 20})
        assert row(part)["steps_to_target"] == 20

    def test_is_met_at_the_start(self, handmade):
        assert row(handmade("sgd", [[1.0, 0.9, 0.5]]))["steps_to_target"] == 0

    def test_is_missed(self, handmade):
        found = row(handmade("sgd", [[8.0, 7.0, 1.1]]))
        assert (found["steps_to_target"], found["examples_to_target"]) == (INF, INF)

    def test_is_missed_by_most(self, handmade):
        losses = [[8.0, 1.0, 1.0], [8.0, 7.0, 6.0], [8.0, 7.0, 6.0]]
        assert row(handmade("sgd", losses))["steps_to_target"] == INF

    def test_is_met_by_most(self, handmade):
        losses = [[8.0, 1.0, 1.0], [8.0, 7.0, 1.0], [8.0, 7.0, 6.0]]
        assert row(handmade("sgd", losses))["steps_to_target"] == 20

    def test_can_be_another(self, handmade):
        part = handmade("sgd", [[8.0, 5.0, 1.0]])
        assert [row(part, target=target)["steps_to_target"] for target in (9, 8, 5, 4.9, 0.1)] == [0, 0, 10, 20, INF]

    def test_may_be_an_accuracy_where_more_is_better(self, handmade):
        part = handmade("sgd", [[8.0] * 3], trial={"test_accuracy": [0.1, 0.8, 0.9]}, targets={"test_accuracy": 0.8})
        assert row(part)["steps_to_target"] == 10

    def test_first_of_several_counts(self, handmade):
        targets = {"train_loss": 5.0, "test_accuracy": 2.0}
        assert row(handmade("sgd", [[8.0, 5.0, 1.0]], targets=targets))["steps_to_target"] == 10

    def test_may_be_missing(self, handmade):
        found = row(handmade("sgd", [[8.0, 5.0, 1.0]], targets={}))
        assert math.isnan(found["steps_to_target"])
        assert math.isnan(found["examples_to_target"])


class TestSlice:
    @pytest.mark.parametrize(("at", "loss"), [(0, 8), (9, 8), (10, 5), (19, 5), (20, 1), (999, 1)])
    def test_is_the_last_record_at_or_before(self, handmade, at, loss):
        assert row(handmade("sgd", [[8.0, 5.0, 1.0]]), at_step=at)["train_loss"] == loss

    def test_looks_at_a_trial_before_it_diverged(self, handmade):
        diverged = {"status": "diverged", "diverged_at": 15}
        part = handmade("sgd", [[8.0, 5.0, NAN]], trial=diverged)
        assert row(part, at_step=10)["train_loss"] == 5
        assert row(part, at_step=20)["train_loss"] == INF


class TestDiverged:
    @pytest.mark.parametrize("end", [9.0, INF, NAN], ids=["above-the-start", "infinite", "nan"])
    def test_counts_as_infinite(self, handmade, end):
        bad = {"status": "diverged", "diverged_at": None if end == 9 else 15}
        found = row(handmade("sgd", [[8.0, 5.0, end]] * 3, trial=bad, optimum=0.0))
        assert [found[name] for name in ("train_loss", "train_loss_low", "train_loss_high", "gap")] == [INF] * 4
        assert found["diverged_fraction"] == 1

    def test_is_never_dropped(self, handmade):
        """One of three diverged: the median of (1, 2, inf) is 2, and the interval's upper end tells."""
        losses = [[8.0, 5.0, 1.0], [8.0, 5.0, 2.0], [8.0, 5.0, 9.0]]
        found = row(handmade("sgd", losses, trials={2: {"status": "diverged"}}))
        assert (found["train_loss"], found["train_loss_low"], found["train_loss_high"]) == (2, 1, INF)
        assert found["diverged_fraction"] == pytest.approx(1 / 3)

    def test_scores_no_accuracy(self, handmade):
        measured = {"test_loss": [8.0, 7.0, 1.0], "test_accuracy": [0.1, 0.5, 0.9]}
        found = row(handmade("sgd", [[8.0, 5.0, 9.0]], trial=measured | {"status": "diverged"}))
        assert (found["test_loss"], found["test_accuracy"]) == (INF, 0)


class TestRows:
    def test_best_first_within_a_problem_in_the_order_of_problems(self, handmade):
        parts = [
            handmade("a", [[8.0, 5.0, 3.0]], problem="hill"),
            handmade("b", [[8.0, 5.0, 9.0]], trial={"status": "diverged"}),
            handmade("c", [[8.0, 5.0, 1.0]]),
            handmade("d", [[8.0, 5.0, 2.0]]),
            handmade("e", [[8.0, 5.0, 1.0]], problem="hill"),
        ]
        found = [(one["problem"], one["optimizer"]) for one in convergence(parts, Slice())[1]]
        assert found == [("hill", "e"), ("hill", "a"), ("bowl", "c"), ("bowl", "d"), ("bowl", "b")]

    def test_failed_cell_is_a_row_of_nulls_at_the_end(self, handmade):
        failed = handmade("a", [], outcome="failed", message="boom", report_seeds=5, num_points=7)
        diverged = handmade("b", [[8.0, 5.0, NAN]], trial={"status": "diverged"})
        columns, found = convergence([failed, diverged], Slice())
        assert [one["optimizer"] for one in found] == ["b", "a"]
        known = {"problem": "bowl", "optimizer": "a", "batch_size": 4, "num_points": 7, "num_seeds": 5}
        assert {name: found[1].get(name) for name in columns} == dict.fromkeys(columns) | known

    def test_only_failed_cells(self, handmade):
        failed = handmade("a", [], select=[], outcome="failed", message="boom", report_seeds=5)
        columns, rows = convergence([failed], Slice())
        assert columns and len(rows) == 1

    def test_nothing(self):
        columns, rows = convergence([], Slice())
        assert columns and rows == []

    def test_other_hyperparameters_stand_after_weight_decay(self, handmade):
        tuned = {"learning_rate": 0.1, "weight_decay": 0.0, "momentum": 0.9, "b1": 0.8}
        parts = [handmade("a", [[8.0, 5.0, 1.0]], best=tuned), handmade("b", [[8.0, 5.0, 2.0]])]
        columns, rows = convergence(parts, Slice())
        assert columns[3:8] == ["learning_rate", "weight_decay", "b1", "momentum", "train_loss"]
        assert [(one.get("b1"), one.get("momentum")) for one in rows] == [(0.8, 0.9), (None, None)]

    def test_weight_decay_that_was_not_asked_for_is_zero(self, handmade):
        assert row(handmade("a", [[8.0, 5.0, 1.0]], best={"learning_rate": 0.1}))["weight_decay"] == 0


def test_batch_sizes_are_ordered_by_themselves(handmade):
    """At equal steps 8 saw twice the examples that 4 did."""
    parts = [
        handmade(name, [[8.0, 5.0, end]], batch_size=size)
        for name, size, end in (("a", 4, 4.0), ("b", 4, 3.0), ("a", 8, 2.0), ("b", 8, 2.5))
    ]
    rows = [(row["batch_size"], row["optimizer"]) for row in convergence(parts, Slice())[1]]
    assert rows == [(4, "b"), (4, "a"), (8, "a"), (8, "b")]


@pytest.mark.parametrize(
    ("value", "selected", "count"), [(-0.37, -0.365, 0), (0.4, 0.1, 1), (0.2, 0.1, 0), (0.1, -1, 0)]
)
def test_luck_is_told_of_losses_above_zero_alone(value, selected, count):
    row = {"problem": "p", "optimizer": "o", "select_by": "train_loss", "train_loss": value, "selected": selected}
    assert len(lucky([row])) == count
