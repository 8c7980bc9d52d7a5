"""Thinned curves with their intervals, and the trials of a grid."""

from math import inf, nan

import numpy as np
import pytest

from optbench.analyse import series
from optbench.analyse.outcomes import Slice
from optbench.analyse.statistics import median_interval


class TestThin:
    def test_few_records_are_all_kept(self):
        assert series.thin(np.arange(100)) == list(range(100))

    @pytest.mark.parametrize("steps", [np.arange(5001), np.unique(np.geomspace(1, 1e6, 900).round())])
    def test_of_many_the_ends_and_every_decade_are_kept(self, steps):
        places = series.thin(steps)
        kept = steps[places]
        assert len(places) <= series.MOST_RECORDS and places == sorted(set(places))
        assert kept[0] == steps[0] and kept[-1] == steps[-1]
        for decade in (1, 10, 100):
            assert np.sum((kept >= decade) & (kept < 10 * decade)) >= 3
        assert np.max(np.diff(places)) <= len(steps) / 40


class TestCurve:
    def test_medians_over_report_seeds(self, handmade):
        part = handmade("sgd", [[8.0, 4.0, 2.0], [8.0, 5.0, 1.0], [8.0, 6.0, 3.0]])
        curve = series.tuned_curve(part, "train_loss", "steps", Slice())
        assert curve.x.tolist() == [0, 10, 20] and curve.median.tolist() == [8, 5, 2]
        assert curve.low.tolist() == [8, 4, 1] and curve.high.tolist() == [8, 6, 3] and curve.diverged == []

    @pytest.mark.parametrize("num", [1, 2, 3, 9, 10])
    def test_has_the_interval_of_each_record_by_itself(self, handmade, num):
        losses = np.random.default_rng(num).lognormal(size=(num, 3))
        losses[: num // 2, 1] = inf
        curve = series.tuned_curve(handmade("sgd", losses.tolist()), "train_loss", "steps", Slice())
        ends = [median_interval(record) for record in losses.T[: len(curve.x)]]
        assert [*zip(curve.median, curve.low, curve.high, strict=True)] == ends

    def test_the_gap_is_zero_where_it_is_rounding(self, handmade):
        part = handmade("sgd", [[8.0, 4.0, 2.0 + 2**-22]], optimum=2.0)
        assert series.metric_of(part, None) == "gap"
        assert series.tuned_curve(part, "gap", "steps", Slice()).median.tolist() == [6, 2, 0]

    @pytest.mark.parametrize(("x", "expected"), [("examples", [0, 40, 80]), ("gradient_evaluations", [0, 10, 20])])
    def test_counts_along(self, handmade, x, expected):
        part = handmade("sgd", [[8.0, 4.0, 2.0]])
        assert series.tuned_curve(part, "train_loss", x, Slice()).x.tolist() == expected

    def test_seconds_are_steps_times_those_of_a_step(self, handmade):
        part = handmade("sgd", [[8.0, 4.0, 2.0]])
        assert series.tuned_curve(part, "train_loss", "seconds", Slice(), 0.5).x.tolist() == [0, 5, 10]

    def test_up_to_a_step_and_of_some_seeds(self, handmade):
        part = handmade("sgd", [[8.0, 4.0, 2.0], [8.0, 9.0, 9.0]])
        curve = series.tuned_curve(part, "train_loss", "steps", Slice(at_step=15, seeds=1))
        assert curve.x.tolist() == [0, 10] and curve.median.tolist() == [8, 4]

    def test_what_diverges_ends_where_most_seeds_do_and_each_is_marked(self, handmade):
        losses = [[8.0, 4.0, 2.0], [8.0, 5.0, nan], [8.0, nan, nan]]
        lost = {"status": "diverged"}
        part = handmade("sgd", losses, trials={1: lost, 2: lost})
        curve = series.tuned_curve(part, "train_loss", "steps", Slice())
        assert curve.median.tolist() == [8, 5] and curve.high.tolist() == [8, inf]
        assert curve.diverged == [(10, 5), (0, 8)]

    def test_a_diverged_accuracy_is_the_lowest(self, handmade):
        accuracy = {"train_accuracy": [0.1, 0.5, nan], "status": "diverged"}
        part = handmade("sgd", [[8.0, 4.0, nan]], trial=accuracy)
        curve = series.tuned_curve(part, "train_accuracy", "steps", Slice())
        assert curve.median.tolist() == [0.1, 0.5]

    def test_without_report_seeds_the_best_point_speaks(self, handmade):
        part = handmade("sgd", [], tried={0.1: [[8.0, 4.0, 3.0]], 0.2: [[8.0, 4.0, 1.0]]})
        assert series.tuned_curve(part, "train_loss", "steps", Slice()).median.tolist() == [8, 4, 1]


class TestGrid:
    def test_every_trial_worst_first(self, handmade):
        tried = {0.1: [[8.0, 4.0, 3.0]], 0.2: [[8.0, 4.0, 1.0]], 0.3: [[8.0, 90.0, nan]], 0.4: [[8.0, 2.0, 9.0]]}
        part = handmade("sgd", [[8.0, 4.0, 1.0]], tried=tried, points={2: {"status": "diverged"}})
        trials, num = series.grid_trials(part, "train_loss", "steps", Slice())
        assert num == 4
        assert [trial.settings["learning_rate"] for trial in trials] == [0.3, 0.4, 0.1, 0.2]
        assert [trial.diverged for trial in trials] == [True, True, False, False]
        assert [trial.best for trial in trials] == [False, False, False, True]
        assert trials[0].y.tolist() == [8, 90] and trials[0].x.tolist() == [0, 10]

    def test_of_many_some_are_shown_and_the_best_among_them(self, handmade):
        tried = {rate / 100: [[800.0, 400.0, float(rate)]] for rate in range(1, 501)}
        part = handmade("sgd", [[8.0, 4.0, 1.0]], tried=tried)
        trials, num = series.grid_trials(part, "train_loss", "steps", Slice())
        assert num == 500 and len(trials) == series.MOST_TRIALS
        assert trials[0].y[-1] == 500 and trials[-1].y[-1] == 1 and trials[-1].best
