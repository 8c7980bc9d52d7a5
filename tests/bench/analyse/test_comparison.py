"""Two optimizers side by side, on cells written by hand: every number can be read off the curves."""

import itertools
import math

import numpy as np
import pytest

from optbench.analyse.comparison import Rules, Side, compare, compare_pairs, scores
from optbench.analyse.costs import costs_of
from optbench.analyse.outcomes import Slice

INF = math.inf
NAN = math.nan


def ends(*losses):
    """Write curves that begin at 8 and end as told."""
    return [[8.0, 8.0, float(loss)] for loss in losses]


@pytest.fixture
def side(handmade):
    """Make a side of cells that end as told: side("sgd", bowl=[...], hill=[...], timed=..., **footer)."""

    def make(name, timed=None, footer=None, **problems):
        parts = {}
        for problem, losses in problems.items():
            curves = losses if np.ndim(losses) == 2 else ends(*losses)
            parts[problem, 4] = handmade(name, curves, problem=problem, **footer or {})
        return Side(name, parts, dict.fromkeys(parts, (timed, "here")) if timed else {})

    return make


def row(first, second, **rules):
    (found,) = compare(first, second, Rules(**rules)).rows
    return found


class TestRow:
    def test_pairs_by_seed(self, side):
        """Differences -2, -1, 0: their median is not that of the medians, 2 - 4."""
        found = row(side("a", bowl=[1, 2, 6]), side("b", bowl=[3, 3, 6]))
        assert (found["value"], found["reference_value"], found["difference"]) == (2, 3, -1)
        assert (found["difference_low"], found["difference_high"], found["num_seeds"]) == (-2, 0, 3)
        assert (found["problem"], found["batch_size"], found["optimizer"], found["reference"]) == ("bowl", 4, "a", "b")

    def test_on_the_seeds_that_both_have(self, side):
        found = row(side("a", bowl=[1, 2]), side("b", bowl=[2, 4, 0, 0]))
        assert (found["num_seeds"], found["difference"], found["reference_value"]) == (2, -1.5, 3)

    @pytest.mark.parametrize(
        ("a", "b", "verdict"),
        [
            (range(10), range(1, 11), "better"),
            (range(1, 11), range(10), "worse"),
            ([5] * 10, [5.2] * 10, "equal"),
            ([INF] * 10, [INF] * 10, "equal"),
            ([1] * 10, [INF] * 10, "better"),
            ([1, 9] * 5, [9, 1] * 5, "undecided"),
        ],
        ids=["better", "worse", "within-the-margin", "both-diverged", "other-diverged", "either"],
    )
    def test_says_it_in_a_word(self, side, a, b, verdict):
        found = row(side("a", bowl=[x / 2 for x in a]), side("b", bowl=[x / 2 for x in b]))
        assert found["verdict"] == verdict
        assert (found["seeds_needed"] is None) == (verdict != "undecided")

    def test_margin_is_a_share_of_the_reference(self, side):
        sides = side("a", bowl=[5] * 10), side("b", bowl=[5.2] * 10)
        assert row(*sides, margin=0.01)["verdict"] == "better"

    def test_margin_is_of_the_gap_where_the_optimum_is_known(self, side):
        """Losses differ by 2 %, the gaps to 5 by half."""
        known = {"footer": {"optimum": 5.0}}
        found = row(side("a", bowl=[5.1] * 10, **known), side("b", bowl=[5.2] * 10, **known))
        assert (found["metric"], found["verdict"]) == ("gap", "better")
        assert (found["value"], found["reference_value"]) == (pytest.approx(0.1), pytest.approx(0.2))
        found = row(side("a", bowl=[5.1] * 10, **known), side("b", bowl=[5.2] * 10, **known), metric="train_loss")
        assert (found["value"], found["verdict"]) == (pytest.approx(5.1), "better")

    def test_seeds_that_are_one_trial_are_not_tested(self, side):
        """Ten times one trial: no p-value, and one seed; where the other side is random there are ten."""
        one, other, random = side("a", bowl=[1] * 10), side("b", bowl=[2] * 10), side("c", bowl=np.arange(2, 3, 0.1))
        found = row(one, other)
        assert (found["verdict"], found["p_value"], found["seeds_needed"], found["num_seeds"]) == (
            *("better", None, None),
            1,
        )
        found = row(one, random)
        assert (found["verdict"], found["p_value"], found["num_seeds"]) == ("better", 2 / 1024, 10)

    def test_one_seed_decides_nothing(self, side):
        found = row(side("a", bowl=[1]), side("b", bowl=[2]))
        assert (found["verdict"], found["p_value"]) == ("undecided", 1)

    def test_equal_metrics_of_random_trials_are_tested(self, side, handmade):
        """All seeds take 10 steps against 20, but their losses differ."""
        first, second = (
            side(name, bowl=[[8, middle, end] for end in np.linspace(0.1, 0.9, 10)])
            for name, middle in (("a", 1), ("b", 2))
        )
        found = row(first, second, metric="steps_to_target")
        assert (found["difference"], found["p_value"], found["num_seeds"]) == (-10, 2 / 1024, 10)

    @pytest.mark.parametrize(
        ("a", "b", "verdict"),
        [
            # A thousandth of the target of 1 is more than rounding of the start of 8.
            (1e-13, 1e-16, "equal"),
            (9e-4, 1e-16, "equal"),
            (2e-3, 1e-16, "worse"),
            (0.0, 2e-3, "better"),
        ],
    )
    def test_what_lies_below_a_thousandth_of_the_target_is_equal(self, side, a, b, verdict):
        known = {"footer": {"optimum": 0.0}}
        spread = 1 + np.arange(10) / 100
        found = row(side("a", bowl=a * spread, **known), side("b", bowl=b * spread, **known))
        assert (found["metric"], found["verdict"]) == ("gap", verdict)
        assert found["value"] == pytest.approx(a * 1.045, rel=1e-9, abs=0)

    @pytest.mark.parametrize(
        ("targets", "end", "verdict"),
        [
            # Rounding of the start is 8 * 2**-23, about 9.5e-7; of a target below it no more than that counts as equal.
            ({}, 9e-7, "equal"),
            ({}, 2e-6, "worse"),
            ({"train_loss": 1e-5}, 9e-7, "equal"),
            ({"train_loss": 1e-8}, 9e-7, "worse"),
            ({"train_loss": 1e-8}, 9e-9, "equal"),
        ],
    )
    def test_what_lies_below_rounding_of_the_start_is_equal(self, side, targets, end, verdict):
        known = {"footer": {"optimum": 0.0, "targets": targets}}
        assert row(side("a", bowl=[end] * 10, **known), side("b", bowl=[0] * 10, **known))["verdict"] == verdict

    def test_losses_below_zero_are_compared_as_they_are(self, side):
        assert row(side("a", bowl=[-2] * 10), side("b", bowl=[-1] * 10))["verdict"] == "better"

    def test_is_corrected_over_all_pairs(self, side):
        """Alone p is 2 / 2^6, beside another's that is even it is twice that."""
        first, second = side("a", bowl=range(6)), side("b", bowl=range(1, 12, 2))
        third = side("c", bowl=[1, 0, 4, 1, 6, 2])
        alone, (beside, other) = (
            compare(first, second, Rules()),
            compare_pairs([(first, second), (first, third)], Rules()),
        )
        assert (alone.rows[0]["p_value"], alone.rows[0]["verdict"]) == (2 / 64, "better")
        assert (beside.rows[0]["p_value"], beside.rows[0]["verdict"]) == (4 / 64, "undecided")
        assert other.rows[0]["optimizer"] == "a" and other.rows[0]["reference"] == "c"

    def test_what_rounding_tells_apart_is_equal(self, side):
        known = {"footer": {"optimum": 1.0}}
        found = row(side("a", bowl=[1 + 1e-7] * 10, **known), side("b", bowl=[1.0] * 10, **known))
        assert (found["difference"], found["verdict"]) == (0, "equal")

    def test_more_accuracy_is_better(self, side, handmade):
        def accurate(name, share):
            trial = {"test_accuracy": [0.1, 0.2, share], "test_loss": [8.0, 4.0, 1 - share]}
            return Side(name, {("bowl", 4): handmade(name, ends(*[1] * 10), trial=trial)})

        first, second = accurate("a", 0.9), accurate("b", 0.8)
        found = row(first, second, metric="test_accuracy")
        assert found["verdict"] == "better"
        assert [found[name] for name in ("value", "reference_value", "difference")] == pytest.approx([0.9, 0.8, 0.1])
        assert row(first, second, metric="test_loss")["difference"] == pytest.approx(-0.1)

    def test_at_an_earlier_step_and_of_fewer_seeds(self, side):
        first, second = side("a", bowl=[[8, 2, 1], [8, 4, 1]]), side("b", bowl=[[8, 3, 9], [8, 7, 9]])
        assert row(first, second, view=Slice(at_step=10))["difference"] == -2
        assert row(first, second, view=Slice(at_step=10, seeds=1))["difference"] == -1


class TestTargets:
    def test_steps(self, side):
        """The first meets the target of 1 at step 10, the second at 20 or never."""
        first, second = side("a", bowl=[[8, 1, 1]] * 3), side("b", bowl=[[8, 2, 1], [8, 2, 1], [8, 2, 2]])
        found = row(first, second, metric="steps_to_target")
        assert [found[name] for name in ("value", "reference_value", "difference")] == [10, 20, -10]
        assert found["difference_low"] == -INF
        assert row(first, second, metric="steps_to_target", view=Slice(target=2.0))["difference"] == 0

    def test_seconds(self, side):
        first = side("a", timed=0.5, bowl=[[8, 1, 1]] * 3)
        second = side("b", timed=0.1, bowl=[[8, 2, 1]] * 3)
        found = row(first, second, metric="time_to_target")
        assert [found[name] for name in ("value", "reference_value", "difference")] == [5, 2, 3]

    def test_speedup_is_the_geometric_mean_where_both_get_there(self, side):
        """Twice as fast on one, half as fast on another, and on a third only one of them gets there."""
        fast, slow, never = [[8, 1, 1]] * 3, [[8, 2, 1]] * 3, [[8, 2, 2]] * 3
        first, second = side("a", x=fast, y=slow, z=fast), side("b", x=slow, y=fast, z=never)
        found = compare(first, second, Rules()).summary
        assert (found["speedup"], found["speedup_on"], found["num_problems"]) == (pytest.approx(1), 2, 3)


class TestSummary:
    def test_counts_wins_ties_and_losses(self, side):
        low, high, mixed = [1] * 10, [2] * 10, [1, 2] * 5
        first, second = side("a", w=low, x=high, y=low, z=mixed), side("b", w=high, x=low, y=low, z=mixed[::-1])
        compared = compare(first, second, Rules())
        assert [compared.summary[name] for name in ("win", "loss", "tie")] == [1, 1, 2]
        assert compared.summary["improvement"] == pytest.approx((1 + 0 + 0.5 + 0.5) / 4)
        said = "a against b on 4 problems: better on 1, equal within 5 % on 1, worse on 1, undecided on 1 (about "
        assert compared.sentence.startswith(said)

    def test_names_what_is_left_out(self, side):
        compared = compare(side("a", bowl=[1] * 10, hill=[1]), side("b", bowl=[1] * 10, dale=[1]), Rules())
        assert compared.notes == ["left out, because only one of the two ran it: hill at 4, dale at 4"]
        assert compared.sentence == "a against b on 1 problem: equal within 5 % on 1"

    def test_says_where_seeds_are_too_few_for_any_verdict(self, side):
        compared = compare(side("a", bowl=range(5)), side("b", bowl=range(1, 6)), Rules())
        assert compared.notes == ["5 seeds are too few for any verdict on 1 problem: a test at 5 % needs at least 6"]

    @pytest.mark.parametrize(
        ("rules", "said"),
        [
            ({"metric": "test_loss"}, "a and b have no test_loss on a problem in common"),
            ({"metric": "gap"}, "a and b have no gap"),
            ({"metric": "time_to_target"}, "no time_to_target .*; optbench throughput times them"),
        ],
        ids=["test_loss", "gap", "time"],
    )
    def test_metric_that_is_not_there(self, side, rules, said):
        with pytest.raises(ValueError, match=said):
            compare(side("a", bowl=[1]), side("b", bowl=[1]), Rules(**rules))

    def test_no_problem_in_common(self, side):
        with pytest.raises(ValueError, match="a finished bowl at 4; b finished hill at 4, dale at 4"):
            compare(side("a", bowl=[1]), side("b", hill=[1], dale=[1]), Rules())


class TestScores:
    """The way left to go from the start to the best there can be, or the best of both."""

    def of(self, a, b, metric="train_loss"):
        costs = [costs_of(one.parts["bowl", 4], metric, Slice(), 1.0, None) for one in (a, b)]
        return [values.tolist() for values in scores(*costs)]

    def test_of_losses_are_logarithmic(self, side):
        """From 8 to the best of both, 1: 2 has gone two of three doublings."""
        assert self.of(side("a", bowl=[1, 8]), side("b", bowl=[2, INF])) == [[0, 1], [pytest.approx(1 / 3), 1]]

    def test_of_gaps_end_at_rounding(self, side):
        known = {"footer": {"optimum": 0.0}}
        a, b = self.of(side("a", bowl=[0, 8 * 2**-23], **known), side("b", bowl=[8 * 2**-11.5, 8], **known), "gap")
        assert (a, b) == ([0, 0], [pytest.approx(0.5), 1])

    def test_of_steps_are_shares_of_the_budget(self, side):
        a, b = side("a", bowl=[[8, 1, 1]] * 2), side("b", bowl=[[8, 2, 1], [8, 2, 2]])
        assert self.of(a, b, "steps_to_target") == [[0.5, 0.5], [1, 1]]

    def test_where_nobody_gained_anything(self, side):
        assert self.of(side("a", bowl=[8, INF]), side("b", bowl=[8, 8])) == [[1, 1], [1, 1]]


class TestBudget:
    @pytest.fixture
    def part(self, handmade):
        """Four configurations on two seeds, of which one diverged."""
        tried = {0.1: ends(1, 3), 0.2: ends(4, 2.5), 0.3: ends(6, 7), 0.4: ends(NAN, NAN)}
        return handmade("sgd", ends(0.0), tried=tried)

    @pytest.mark.parametrize("k", range(1, 5))
    def test_is_the_mean_over_all_choices(self, part, k):
        """Each choice keeps what has the lowest median: 2, 3.25, 6.5, and the start for what diverged."""
        costs = np.array([[1, 3], [4, 2.5], [6, 7], [8, 8]])
        expected = np.mean([costs[min(chosen)] for chosen in itertools.combinations(range(4), k)], axis=0)
        assert costs_of(part, "train_loss", Slice(), None, k).cost == pytest.approx(expected)

    def test_refuses_more_than_was_tried(self, part):
        with pytest.raises(ValueError, match="budget: 5 is not accepted; bowl / sgd has 4 configurations stored"):
            costs_of(part, "train_loss", Slice(), None, 5)

    def test_compares(self, side, part, handmade):
        other = handmade("adam", ends(0.0), tried={0.1: ends(2, 4), 0.2: ends(2, 4)})
        a, b = (Side(name, {("bowl", 4): one}) for name, one in (("sgd", part), ("adam", other)))
        found = row(a, b, budget=1)
        assert (found["value"], found["reference_value"], found["num_seeds"]) == (pytest.approx(4.9375), 3, 2)
