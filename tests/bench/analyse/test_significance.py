"""Paired tests and verdicts: hand-worked examples, and how often they err, by simulation with fixed seeds."""

import math

import numpy as np
import pytest
from scipy.stats import friedmanchisquare

from optbench.analyse import significance
from optbench.analyse.significance import (
    critical_difference,
    false_discovery,
    fewest_seeds,
    friedman_p,
    judge,
    seeds_needed,
    too_few_seeds,
    wilcoxon_p,
)

INF = math.inf


@pytest.mark.parametrize(
    ("given", "expected"),
    [
        # The smallest of four times four, the second times two, the third times 4 / 3; none above one that is larger.
        ([0.01, 0.04, 0.03, 0.005], [0.02, 0.04, 0.04, 0.02]),
        ([0.02], [0.02]),
        ([0.5, 0.9, 0.4], [0.75, 0.9, 0.75]),
        ([0.02, 0.02], [0.02, 0.02]),
        ([0.01, 0.9], [0.02, 0.9]),
        ([], []),
    ],
    ids=["four", "one", "never-below-a-larger-one", "equal", "one-of-two", "none"],
)
def test_false_discovery(given, expected):
    assert false_discovery(given) == pytest.approx(expected)


@pytest.mark.parametrize(
    ("differences", "expected"),
    [
        # All ten signs agree: 2 of 2^10 ways.
        (np.arange(1.0, 11), 2 / 1024),
        # Only the smallest differs: 4 of 2^10 ways are as far from even.
        ([-1.0, *range(2, 11)], 4 / 1024),
        ([0.0, 0.0, 0.0], 1),
        ([5.0], 1),
        # Infinite ones outrank all others, and keep their sign.
        ([1.0, 2, 3, 4, 5, 6, 7, 8, INF, INF], 2 / 1024),
        ([-INF, INF], 1),
        # Of ties and zeros all signs of the others are tried: 2 of 2^6.
        ([0.0, 1, 1, 1, 2, 2, 2], 2 / 64),
    ],
    ids=["agree", "one-against", "zero", "single", "infinite", "opposite", "ties"],
)
def test_wilcoxon(differences, expected):
    assert wilcoxon_p(np.array(differences, float)) == pytest.approx(expected)
    assert wilcoxon_p(-np.array(differences, float)) == pytest.approx(expected)


@pytest.mark.parametrize(("level", "fewest"), [(0.05, 6), (0.05 / 6, 8), (0.05 / 40, 11)])
def test_fewest_seeds_is_where_agreeing_signs_suffice(level, fewest):
    assert fewest_seeds(level) == fewest
    assert wilcoxon_p(np.arange(1.0, fewest + 1)) <= level < wilcoxon_p(np.arange(1.0, fewest))


@pytest.mark.parametrize(
    ("optimizers", "problems", "expected"),
    # Demsar 2006, section 3.2.2, and his table of q at 5 %: 2.569 for four, 2.728 for five, 2.343 for three.
    [
        (4, 14, 2.569 * math.sqrt(4 * 5 / (6 * 14))),
        (5, 30, 2.728 * math.sqrt(5 * 6 / (6 * 30))),
        (3, 10, 2.343 * math.sqrt(3 * 4 / (6 * 10))),
    ],
)
def test_critical_difference(optimizers, problems, expected):
    assert critical_difference(optimizers, problems) == pytest.approx(expected, abs=2e-3)


def test_friedman():
    """Three optimizers in the same order on four problems: chi^2 = 12 / (4 x 3 x 4) x (4^2 + 8^2 + 12^2) - 48 = 8."""
    ranks = np.tile([1.0, 2, 3], (4, 1))
    assert friedman_p(ranks) == pytest.approx(math.exp(-8 / 2))
    assert friedman_p(np.ones((4, 3))) == 1
    assert math.isnan(friedman_p(ranks[:, :2])) and math.isnan(friedman_p(ranks[:1]))


def test_friedman_with_ties_is_scipys():
    ranks = np.array([[1.5, 1.5, 3, 4], [1, 2, 3.5, 3.5], [2, 2, 2, 4], [1, 3, 2, 4]])
    assert friedman_p(ranks) == pytest.approx(friedmanchisquare(*ranks.T).pvalue)


class TestSeedsNeeded:
    def test_by_noethers_formula(self):
        """Of the 45 pairs of -1, ..., -1 and nine times 2 the sums are positive in all 36 without -1 and 9 with it."""
        assert seeds_needed(np.array([-1.0] + [2.0] * 9)) == 11
        share = 1 - 3 / 10
        needed = (1.959964 + 0.841621) ** 2 / (3 * (share - 0.5) ** 2)
        # Of the ten pairs of five differences, three have a negative sum.
        assert seeds_needed(np.array([-3.0, 1, 2, 2.5, 4])) == math.ceil(needed)

    def test_where_nothing_is_seen(self):
        assert seeds_needed(np.array([-1.0, 1])) == seeds_needed(np.zeros(5)) == INF

    def test_where_all_agree_but_are_too_few(self):
        assert seeds_needed(np.array([1.0, 2, 3])) == 6
        assert seeds_needed(np.array([1.0, 2, 3]), level=0.05 / 6) == 8

    @pytest.mark.parametrize(("most", "expected"), [(11, 11), (10, INF)])
    def test_up_to_the_most_that_anybody_runs(self, monkeypatch, most, expected):
        monkeypatch.setattr(significance, "MOST_SEEDS", most)
        assert seeds_needed(np.array([-1.0] + [2.0] * 9)) == expected

    def test_beyond_all_reason(self):
        tiny = np.random.default_rng(0).standard_normal(100)
        assert seeds_needed(tiny - np.median(tiny)) == INF


def verdict(differences, margin=0.0):
    return judge([np.array(differences, float)], [margin])[0]


class TestVerdict:
    @pytest.mark.parametrize(
        ("differences", "margin", "expected"),
        [
            (-np.arange(1, 11), 0, "better"),
            (np.arange(1, 11), 0, "worse"),
            (np.arange(1, 11), 20, "equal"),
            (np.zeros(10), 0, "equal"),
            ([1, -1, 2, -2, 3, -3, 4, -4, 5, -5], 0.5, "undecided"),
            (-np.arange(1, 6), 0, "undecided"),
            (np.zeros(5), 1, "undecided"),
            ([-INF] * 10, 1, "better"),
        ],
        ids=["better", "worse", "within-the-margin", "same", "scattered", "few", "few-and-same", "other-diverged"],
    )
    def test_in_words(self, differences, margin, expected):
        assert verdict(differences, margin).verdict == expected

    def test_says_how_many_seeds_would_decide(self):
        assert verdict(-np.arange(1, 6)).seeds_needed == 6
        assert verdict(np.zeros(3), margin=1).seeds_needed == 6
        assert verdict(np.zeros(10)).seeds_needed is None

    @pytest.mark.parametrize("scale", [1, 2, 0.5])
    def test_counts_the_seeds_for_equality_too(self, scale):
        """An interval of +-2 around 0 shrinks to +-1 at four times the seeds, whatever the unit."""
        judged = verdict(scale * np.array([-2.0, -2, -2, -2, 0, 0, 2, 2, 2, 2]), margin=scale)
        assert (judged.low, judged.high, judged.verdict) == (-2 * scale, 2 * scale, "undecided")
        assert judged.seeds_needed == 40

    @pytest.mark.parametrize(("most", "expected"), [(40, 40), (39, INF)])
    def test_counts_no_more_than_anybody_runs(self, monkeypatch, most, expected):
        monkeypatch.setattr(significance, "MOST_SEEDS", most)
        assert verdict([-2.0, -2, -2, -2, 0, 0, 2, 2, 2, 2], margin=1).seeds_needed == expected

    def test_takes_one_more_seed_at_least(self):
        """An interval of 0 to 1.2 around 0 would fit within +-1 at four tenths of the seeds, by its width alone."""
        judged = verdict([0.0] * 7 + [1.2] * 4, margin=1)
        assert (judged.difference, judged.low, judged.high, judged.verdict) == (0, 0, 1.2, "undecided")
        assert judged.seeds_needed == 12

    @pytest.mark.parametrize("margin", [2.0, 0.5], ids=["on-the-margin", "beyond-it"])
    def test_no_number_of_seeds_makes_equal_what_is_not(self, margin):
        """Only telling them from zero is left, as in the example of Noether's formula."""
        judged = verdict([-3.0, 1, 2, 2.5, 4], margin=margin)
        assert (judged.difference, judged.low, judged.high) == (2, -3, 4)
        assert judged.seeds_needed == seeds_needed(np.array([-3.0, 1, 2, 2.5, 4])) == 66

    @pytest.mark.parametrize("sign", [1, -1])
    def test_is_undecided_where_the_interval_touches_zero(self, sign):
        """Three of ten are zero: so are six of ten drawn in 5 % of resamples. The seven others agree in sign."""
        judged = verdict(sign * np.array([5.0, 4, 3, 2, 1, 1, 1, 0, 0, 0]))
        assert (judged.p_value, judged.verdict) == (2 / 2**7, "undecided")
        assert 0 in (judged.low, judged.high)

    def test_of_a_p_value_that_is_just_the_level_is_decided(self):
        """Of three comparisons two have 2 / 2^6, times 3 / 2; the third would need so much once they are decided."""
        clear, few = np.arange(1.0, 7), np.arange(1.0, 6)
        judged = judge([clear, -clear, few], [0.0] * 3, level=3 / 64)
        assert [one.verdict for one in judged] == ["worse", "better", "undecided"]
        assert judged[2].seeds_needed == fewest_seeds(3 / 64) == 6
        assert [one.verdict for one in judge([clear], [0.0], level=2 / 64)] == ["worse"]
        assert [one.verdict for one in judge([clear], [0.0], level=1.9 / 64)] == ["undecided"]

    def test_counts_the_seeds_for_a_place_behind_those_that_are_decided(self):
        """Behind none of two a p-value may be half the level, behind one of two all of it."""
        clear, few, even = np.arange(1.0, 8), np.arange(1.0, 6), np.array([1.0, -1, 2, -2, 3])
        assert judge([few, even], [0.0] * 2)[0].seeds_needed == fewest_seeds(0.025) == 7
        assert judge([few, clear], [0.0] * 2)[0].seeds_needed == fewest_seeds(0.05) == 6

    def test_is_corrected_for_the_number_of_comparisons(self):
        """Of one clear difference in two the p-value doubles, and seven seeds would do; of two it stays."""
        clear, even = np.arange(1.0, 7), np.array([1.0, -1, 2, -2, 3, -3])
        alone, beside = judge([clear], [0])[0], judge([clear, even], [0, 0])[0]
        assert (alone.p_value, alone.verdict) == (2 / 64, "worse")
        assert (beside.p_value, beside.verdict, beside.seeds_needed) == (4 / 64, "undecided", 7)
        assert [(one.p_value, one.verdict) for one in judge([clear, -clear], [0, 0])] == [
            (2 / 64, "worse"),
            (2 / 64, "better"),
        ]

    @pytest.mark.parametrize(
        ("difference", "expected"), [(2, "worse"), (-2, "better"), (-1, "equal"), (INF, "worse"), (0, "equal")]
    )
    def test_is_by_the_margin_where_nothing_is_random(self, difference, expected):
        """However often one trial is repeated; it has no place in the correction of the other comparison."""
        for times in (1, 10):
            certain, clear = judge([np.full(times, difference), np.arange(1.0, 7)], [1, 0], [False, True])
            assert certain == (difference, difference, difference, None, expected, None)
            assert (clear.p_value, clear.verdict) == (2 / 64, "worse")

    def test_of_nothing_random_at_all(self):
        assert judge([np.ones(10)], [0], [False])[0].verdict == "worse"


@pytest.mark.parametrize(
    ("num_seeds", "num", "expected"),
    [
        (5, 1, "5 seeds are too few for any verdict on 1 comparison: a test at 5 % needs at least 6"),
        (1, 2, "1 seed is too few for any verdict on 2 comparisons: a test at 5 % needs at least 6"),
        (6, 1, ""),
        # 2 / 2^7 over 0.05 is 0.3125: that share of 43 is 13.4; of 2 / 2^9 it is 3.4.
        (
            *(7, 43),
            "7 seeds are few for 43 comparisons: none is called better or worse unless 14 of them differ clearly "
            "(with 9 seeds, 4)",
        ),
        (
            6,
            6,
            "6 seeds are few for 6 comparisons: none is called better or worse unless 4 of them differ clearly (with "
            "8 seeds, 1)",
        ),
        (8, 6, ""),
        (9, 1000, ""),
        (10, 43, ""),
    ],
)
def test_too_few_seeds(num_seeds, num, expected):
    assert too_few_seeds(num_seeds, num) == expected


@pytest.mark.parametrize(("num_seeds", "num"), [(7, 43), (6, 6), (9, 43)])
def test_too_few_seeds_agrees_with_the_verdicts(num_seeds, num):
    """The number of clear differences that it names is decided, one fewer is not."""
    clear, even = np.arange(1.0, num_seeds + 1), np.resize([1.0, -1.0], num_seeds) * np.arange(1.0, num_seeds + 1)
    least = math.ceil(num * 2 / 2**num_seeds / 0.05)
    for differing, verdict in ((least, "worse"), (least - 1, "undecided")):
        judged = judge([clear] * differing + [even] * (num - differing), [0.0] * num)
        assert [one.verdict for one in judged[:differing]] == [verdict] * differing
    assert (f"unless {least} of them" in too_few_seeds(num_seeds, num)) == (num_seeds < 9)


class TestErrors:
    """How often verdicts err; each case draws 400 comparisons."""

    @staticmethod
    def rate(num_problems, num_seeds, draw, expected, seed=0):
        random = np.random.default_rng(seed)
        hits = 0
        for _ in range(400):
            pairs = [draw(random, num_seeds) for _ in range(num_problems)]
            judged = judge([a - b for a, b in pairs], [0.05 * np.median(b) for _, b in pairs])
            hits += any(one.verdict in expected for one in judged)
        return hits / 400

    @pytest.mark.parametrize(("num_problems", "num_seeds"), [(1, 10), (3, 30), (6, 10)])
    @pytest.mark.parametrize("spread", [0.1, 1.0])
    def test_two_copies_are_rarely_called_different(self, num_problems, num_seeds, spread):
        """Losses of one law on different seeds; called different on any of the problems."""

        def draw(random, num):
            return random.lognormal(-3, spread, num), random.lognormal(-3, spread, num)

        assert self.rate(num_problems, num_seeds, draw, ("better", "worse")) <= 0.05

    def test_of_what_is_called_different_few_are_equal(self):
        """Two of four problems differ by two standard deviations: of all that are called different under 5 % don't."""
        random, false, called = np.random.default_rng(0), 0, 0
        for _ in range(400):
            values = [random.normal(shift, 1, 10) for shift in (2, 2, 0, 0)]
            words = [one.verdict in ("better", "worse") for one in judge(values, [0.0] * 4)]
            false, called = false + sum(words[2:]), called + sum(words)
        assert called > 0.95 * 800
        assert 0 < false <= 0.05 * called

    def test_a_difference_of_one_standard_deviation_is_mostly_found(self):
        """Half of the variance is the seed's, which both share: their difference varies as much as each of them."""

        def draw(random, num):
            shared = random.normal(10, math.sqrt(0.5), num)
            a, b = (shared + random.normal(0, math.sqrt(0.5), num) for _ in range(2))
            return a - 1, b

        assert self.rate(1, 10, draw, ("better",)) > 0.5
        assert self.rate(1, 10, draw, ("worse",)) == 0

    def test_what_is_equal_within_the_margin_is_called_so(self):
        def draw(random, num):
            return random.normal(100, 1, num), random.normal(100, 1, num)

        assert self.rate(1, 10, draw, ("equal",)) > 0.95
