"""When a target counts as reached, and after how many steps and gradients, on curves written by hand."""

import numpy as np
import pytest

from optbench.analyse.outcomes import Slice, outcomes
from optbench.analyse.reached import half_span, reached, running_median

INF = float("inf")
NAN = float("nan")


def first(losses, **fields):
    """Return the first record from which on the losses stay at most 1."""
    return reached(np.array([losses]) <= 1, **fields)[0]


@pytest.mark.parametrize(
    ("losses", "record"),
    [
        ([8, 4, 1, 1], 2),
        ([1, 1, 1], 0),
        ([8, 4, 2], -1),
        ([8, 1, 8, 8, 8, 8, 8], -1),
        ([8, 1, 8, 8, 8, 1, 1, 1, 1], 5),
        ([8, 8, 1, 1, 1, 8, 1, 1, 1], 2),
        ([8, 1, 1, 1, 1, 1, 8], -1),
        ([8, 8, 8, 1], 3),
        ([1], 0),
        ([8], -1),
        ([8, NAN, NAN], -1),
    ],
    ids=[
        *("monotone", "from-the-start", "never", "a-touch", "a-touch-before", "one-outlier", "it-leaves-at-the-end"),
        *("at-the-last-record", "one-record-within", "one-record-beyond", "not-a-number"),
    ],
)
def test_a_target_is_reached_where_most_records_stay_within_it_to_the_end(losses, record):
    assert first(losses) == record


def test_it_is_where_the_running_median_stays_within():
    """By the definition, on random curves that wander about the target."""
    random = np.random.default_rng(0)
    curves = random.standard_normal((50, 60)) + np.linspace(3, -1, 60)
    medians = np.array([[running_median(curve, record) for record in range(60)] for curve in curves])
    expected = [next((r for r in range(60) if (median[r:] <= 0.3).all()), -1) for median in medians]
    assert reached(curves <= 0.3).tolist() == expected
    assert len({*expected}) > 10


def test_the_span_is_five_percent_of_the_records_and_at_least_five():
    assert [2 * half_span(num) + 1 for num in (3, 51, 101, 501)] == [5, 5, 5, 25]


def test_a_longer_dip_counts_on_few_records_and_not_on_many():
    dip = [8.0] * 20 + [1.0] * 3 + [8.0] * 20
    assert first([*dip, *[1.0] * 10]) == 43
    assert first([8.0] * 30 + [1.0] * 300 + [8.0] * 10 + [1.0] * 300) == 30


def test_each_trial_ends_where_it_ends():
    assert first([8, 1, 1, NAN, NAN], lengths=np.array([3])) == 1
    assert first([8, 1, 1, NAN, NAN], lengths=np.array([5])) == -1


class TestWork:
    """Steps and gradients to the target, 1, of cells with records at 0, 10 and 20."""

    def work(self, part, **view):
        trials = outcomes(part, "report", Slice(**view))
        return trials.steps_to["train_loss"][:, 0].tolist(), trials.gradients_to["train_loss"][:, 0].tolist()

    def test_a_step_takes_a_gradient(self, handmade):
        assert self.work(handmade("sgd", [[8.0, 1.0, 0.5], [8.0, 4.0, 1.0]])) == ([10, 20], [10, 20])

    def test_sam_takes_two_gradients_a_step(self, handmade):
        part = handmade("sam", [[8.0, 1.0, 0.5]], trial={"gradient_evaluations": [0, 20, 40]})
        assert self.work(part) == ([10], [20])
        assert outcomes(part, "report", Slice()).gradients.tolist() == [[40]]
        assert outcomes(part, "report", Slice(at_step=10)).gradients.tolist() == [[20]]

    def test_between_records_evaluations_are_even(self, handmade):
        """Of 30 until step 10, 9 until step 3; of 33, 9.9."""
        dense = [8.0, 4.0, 2.0] + [1.0] * 17
        for evaluations, gradients in ((30, 9), (33, 10)):
            fields = {"step_loss": dense, "gradient_evaluations": [0, evaluations, 90]}
            assert self.work(handmade("lbfgs", [[8.0, 1.0, 1.0]], trial=fields)) == ([3], [gradients])

    def test_a_diverged_trial_never_solves_though_it_touched_the_target(self, handmade):
        losses = [[8.0, 0.5, NAN], [8.0, 0.5, 0.4]]
        part = handmade("sgd", losses, trials={0: {"status": "diverged"}})
        assert self.work(part) == ([INF, 10], [INF, 10])
        lost = handmade("adam", [[8.0, 0.5, 0.9]], trial={"status": "diverged"})
        assert self.work(lost) == ([INF], [INF])

    def test_a_trial_that_ends_above_the_target_has_not_reached_it(self, handmade):
        assert self.work(handmade("sgd", [[8.0, 0.5, 1.1]])) == ([INF], [INF])
        assert self.work(handmade("sgd", [[8.0, 0.5, 1.1]]), at_step=10) == ([10], [10])

    def test_curves_end_at_so_many_gradients(self, handmade):
        fields = {1: {"gradient_evaluations": [0, 20, 40]}}
        part = handmade("sam", [[8.0, 2.0, 1.0], [8.0, 2.0, 1.0]], trials=fields)
        trials = outcomes(part, "report", Slice(at_gradients=20))
        assert trials.ends["train_loss"].tolist() == [[1], [2]]
        assert trials.gradients.tolist() == [[20], [20]]
        assert trials.steps_to["train_loss"].tolist() == [[20], [INF]]

    def test_at_records_alone_a_loss_at_every_step_does_not_count(self, handmade):
        part = handmade("sgd", [[8.0, 1.0, 1.0]], trial={"step_loss": [8.0, 4.0, 2.0] + [1.0] * 17})
        assert self.work(part)[0] == [3]
        assert self.work(part, every_step=False)[0] == [10]

    def test_more_accuracy_is_better(self, handmade):
        trial = {"test_accuracy": [0.1, 0.9, 0.95]}
        part = handmade("sgd", [[8.0, 4.0, 2.0]], targets={"test_accuracy": 0.9}, trial=trial)
        assert outcomes(part, "report", Slice()).steps_to["test_accuracy"].tolist() == [[10]]
