"""Mean ranks over problems, and which of them can be told apart."""

import math
from types import SimpleNamespace

import pytest

from optbench.analyse.outcomes import Slice
from optbench.analyse.ranks import alike, problem_ranks
from optbench.tables.ranks import COLUMNS, notes, ranks

INF = math.inf


@pytest.fixture
def parts(handmade):
    """Write a table of ends: parts({problem: {optimizer: end}}); None is a failed cell, infinity a diverged one."""

    def write(ends, **footer):
        return [cell(problem, name, end, **footer) for problem, row in ends.items() for name, end in row.items()]

    def cell(problem, name, end, **footer):
        if end is None:
            return handmade(name, [], select=[], problem=problem, outcome="failed", message="boom", **footer)
        status = "diverged" if end == INF else "ok"
        # Curves of their own: cells of the same are one program.
        middle = 7.0 - ord(name[0]) / 1000
        return handmade(name, [[8.0, middle, end]], trial={"status": status}, problem=problem, **footer)

    return write


def told(parts, **view):
    return "\n".join(notes(SimpleNamespace(parts=parts), (), Slice(**view)))


def mean_ranks(parts, **view):
    return {row["optimizer"]: row["mean_rank"] for row in ranks(parts, Slice(**view))[1]}


class TestRanks:
    def test_by_hand(self, parts):
        """Ranks 1 2 3, then a tie of two for the first place, then 2 1 3."""
        ends = {"p": {"a": 1, "b": 2, "c": 3}, "q": {"a": 1, "b": 1, "c": 3}, "r": {"a": 2, "b": 1, "c": 3}}
        columns, rows = ranks(parts(ends), Slice())
        assert columns == [*COLUMNS]
        names = ("optimizer", "mean_rank", "best_rank", "worst_rank", "num_first", "num_problems")
        assert [tuple(row[name] for name in names) for row in rows] == [
            ("a", 1.5, 1, 2, 2, 3),
            ("b", 1.5, 1, 2, 2, 3),
            ("c", 3, 3, 3, 0, 3),
        ]

    @pytest.mark.parametrize(
        ("ends", "expected"),
        [
            ({"a": INF, "b": INF, "c": 7}, {"c": 1, "a": 2.5, "b": 2.5}),
            ({"a": None, "b": INF, "c": 7}, {"c": 1, "a": 2.5, "b": 2.5}),
            ({"a": INF, "b": INF}, {"a": 1.5, "b": 1.5}),
            ({"a": 5}, {"a": 1}),
        ],
        ids=["diverged", "failed", "all-diverged", "alone"],
    )
    def test_what_diverged_or_failed_comes_last(self, parts, ends, expected):
        assert mean_ranks(parts({"p": ends})) == expected

    def test_what_reached_the_optimum_ties(self, parts):
        ends = {"p": {"a": 2.0, "b": 2.0 + 2.0**-22, "c": 2.1}}
        assert mean_ranks(parts(ends, optimum=2.0)) == {"a": 1.5, "b": 1.5, "c": 3}
        assert mean_ranks(parts(ends)) == {"a": 1, "b": 2, "c": 3}

    def test_batch_sizes_are_averaged_and_ranked_again(self, parts):
        """Ranks 1 2 3 and 1 3 2 are 2 5 5 in sum."""
        both = parts({"p": {"a": 1, "b": 2, "c": 3}}) + parts({"p": {"a": 1, "b": 3, "c": 2}}, batch_size="full")
        _, ranked = problem_ranks(both, Slice())
        assert ranked.tolist() == [[1, 2.5, 2.5]]

    def test_one_program_under_two_names_takes_one_place(self, handmade):
        """On the first problem a and b are one, so that c comes second; on the next a, c, b come in this order."""

        def cells(problem, **curves):
            return [handmade(name, [[8.0, *curve]], problem=problem) for name, curve in curves.items()]

        both = cells("p", a=[2, 1], b=[2, 1], c=[4, 3]) + cells("q", a=[2, 1], b=[4, 3], c=[3, 2])
        names, ranked = problem_ranks(both, Slice())
        assert (names, ranked.tolist()) == (["a", "b", "c"], [[1, 1, 2], [1, 3, 2]])
        assert "a, b: bitwise identical results on p; they share one rank there" in told(both)
        assert "not ranked" not in told(both)

    def test_one_program_on_all_problems_is_ranked_once(self, handmade):
        cells = [
            handmade(name, [[8.0, 2.0, end]], problem=problem)
            for problem in ("p", "q")
            for name, end in {"a": 1, "b": 1, "c": 3}.items()
        ]
        names, ranked = problem_ranks(cells, Slice())
        assert (names, ranked.tolist()) == (["a", "c"], [[1, 2], [1, 2]])
        assert "not ranked, because another one has identical results everywhere: b" in told(cells)

    def test_what_never_left_the_start_is_a_tie_and_no_program(self, handmade):
        cells = [handmade(name, [[8.0, end, end]]) for name, end in {"a": 8.0, "b": 8.0, "c": 3.0}.items()]
        assert problem_ranks(cells, Slice())[1].tolist() == [[2.5, 2.5, 1]]
        assert "same numbers" not in told(cells)

    def test_different_numbers_of_points_and_families_are_told(self, parts):
        few, many = parts({"f[x=1]": {"a": 1}, "f[x=2]": {"a": 1}}), parts({"f[x=1]": {"b": 2}}, num_points=3)
        same = parts({"f[x=2]": {"b": 2}})
        notes = told(few + many + same)
        assert "2 problems of 1 family: problems of one family are alike" in notes
        assert "unequal tuning on 1 of 2 problems, in points tried (b: 3; a: 1): more points" in notes
        assert "unequal tuning" not in told(few + same)

    def test_are_by_the_median_over_seeds(self, handmade):
        steady = handmade("steady", [[8.0, 7.0, 2.0]] * 3)
        wild = handmade("wild", [[8.0, 7.0, end] for end in (1.0, 3.0, 3.0)])
        assert mean_ranks([wild, steady]) == {"steady": 1, "wild": 2}
        assert mean_ranks([wild, steady], seeds=1) == {"wild": 1, "steady": 2}

    def test_at_a_step(self, handmade):
        parts = [handmade("late", [[8.0, 7.0, 1.0]]), handmade("early", [[8.0, 2.0, 2.0]])]
        assert list(mean_ranks(parts)) == ["late", "early"]
        assert list(mean_ranks(parts, at_step=10)) == ["early", "late"]
        assert mean_ranks(parts, at_step=0) == {"late": 1.5, "early": 1.5}


class TestLeftOut:
    def test_a_problem_that_only_some_were_run_on(self, parts):
        found = parts({"p": {"a": 1, "b": 2}, "q": {"a": 2}})
        assert mean_ranks(found) == {"a": 1, "b": 2}
        assert "1 of 2 problems are left out" in told(found)

    def test_no_common_problem(self, parts):
        found = parts({"p": {"a": 1}, "q": {"b": 2}})
        assert ranks(found, Slice()) == ([*COLUMNS], [])
        assert "2 of 2 problems are left out" in told(found)

    def test_a_batch_size_that_only_some_were_run_at(self, parts):
        found = parts({"p": {"a": 1, "b": 2}}) + parts({"p": {"a": 3}}, batch_size="full")
        assert mean_ranks(found) == {"a": 1, "b": 2}
        assert "left out" not in told(found)

    def test_a_problem_on_which_all_failed(self, parts):
        found = parts({"p": {"a": 1, "b": 2}, "q": {"a": None, "b": None}})
        assert mean_ranks(found) == {"a": 1, "b": 2}
        assert "1 of 2 problems are left out" in told(found)

    def test_everything(self, parts):
        for found in ([], parts({"p": {"a": None, "b": None}})):
            assert ranks(found, Slice()) == ([*COLUMNS], [])
            assert "no significance test" in told(found)


class TestTests:
    @staticmethod
    def same_order(num):
        return {f"p{place}": {"a": 1, "b": 2, "c": 3} for place in range(num)}

    def test_three_on_four_problems_in_one_order(self, parts):
        """Friedman's statistic is 12 * 4 / 12 * (1 + 0 + 1) = 8, p = exp(-4); Nemenyi's 2.343 sqrt(12 / 24) = 1.66."""
        found = parts(self.same_order(4))
        assert [row["behind_the_best"] for row in ranks(found, Slice())[1]] == [False, False, True]
        for said in ("over 4 problems: p = 0.018", "so some of them differ", "more than 1.66 ranks behind the first"):
            assert said in told(found)

    def test_two_problems_tell_nothing(self, parts):
        """The statistic is 4, p = exp(-2) = 0.135."""
        found = parts(self.same_order(2))
        assert not any(row["behind_the_best"] for row in ranks(found, Slice())[1])
        assert "over 2 problems: p = 0.14" in told(found)
        assert "can't be told apart" in told(found) and "Nemenyi" not in told(found)

    def test_all_tied(self, parts):
        found = parts({f"p{place}": {"a": 1, "b": 1, "c": 1} for place in range(3)})
        assert mean_ranks(found) == {"a": 2, "b": 2, "c": 2}
        assert "p = 1," in told(found)

    @pytest.mark.parametrize(
        "ends",
        [{f"p{place}": {"a": 1, "b": 2} for place in range(9)}, {"p": {"a": 1, "b": 2, "c": 3, "d": 4}}],
        ids=["two-optimizers", "one-problem"],
    )
    def test_too_few(self, parts, ends):
        found = parts(ends)
        assert not any(row["behind_the_best"] for row in ranks(found, Slice())[1])
        assert "no significance test" in told(found)


@pytest.mark.parametrize(
    ("means", "groups"),
    [
        ([1.0, 2.0, 3.0, 7.0], [(0, 1), (1, 2), (3, 3)]),
        ([1.0, 1.5, 2.0, 2.5], [(0, 2), (1, 3)]),
        ([1.0, 1.0, 1.0], [(0, 2)]),
        ([1.0, 3.0, 5.0], [(0, 0), (1, 1), (2, 2)]),
    ],
)
def test_groups_join_all_that_lie_within_the_difference_and_none_lies_in_another(means, groups):
    assert alike(means, 1.0) == groups
