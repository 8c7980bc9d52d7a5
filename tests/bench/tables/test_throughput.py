"""What a step costs and how long a target takes, from timings and curves written by hand."""

import math

import pytest

from optbench.analyse.outcomes import Slice
from optbench.analyse.step_times import limit_shares
from optbench.store.timings import Timing
from optbench.tables.throughput import COLUMNS, throughput, timing_notes
from optbench.tables.time_to_target import time_to_target

INF = math.inf
#: Seven calls: the median is 4, and the exact interval goes from the least to the most.
SECONDS = [4.0, 1.0, 7.0, 2.0, 6.0, 3.0, 5.0]
NAMES = {"key": "key", "problem": "bowl", "batch_size": 4, "dtype": "float32", "measured": "2025"}
NAMES |= {"device": {"device": "cpu", "cpu": "abacus"}}


def timing(optimizer="adam", step=SECONDS, **fields):
    seconds = step if isinstance(step, list) else [step] * 6
    named = NAMES | {"optimizer": optimizer}
    timed = {"step_seconds": seconds, "steps_per_call": 16, "gradient_seconds": [3.0] * 7, "sgd_seconds": [2.0] * 7}
    once = {"trace_seconds": 0.5, "compile_seconds": 0.25, "first_step_seconds": 9.0}
    sizes = {"state_bytes": 80, "peak_bytes": 4096, "flops_per_step": 1000, "bytes_per_step": 400}
    rates = {"copy_bytes_per_second": 200.0, "product_flops_per_second": 1000.0}
    told = {"examples_per_step": 8, "num_parameters": 10}
    return Timing.from_json(named | {"outcome": "finished"} | timed | once | sizes | rates | told | fields)


def failed(optimizer, **fields):
    return Timing.from_json(
        NAMES | {"optimizer": optimizer, "outcome": "failed", "message": "ValueError: boom"} | fields
    )


class TestRows:
    def test_every_column_by_hand(self):
        names, (row,) = throughput([timing()])
        assert names == [*COLUMNS]
        assert row == {
            "problem": "bowl",
            "optimizer": "adam",
            "batch_size": 4,
            "dtype": "float32",
            "step_seconds": 4.0,
            "step_seconds_low": 1.0,
            "step_seconds_high": 7.0,
            "examples_per_second": 8 / 4,
            "sgd_ratio": 4 / 2,
            # Of the four seconds, three are loss and gradient.
            "update_share": 1 - 3 / 4,
            "trace_seconds": 0.5,
            "compile_seconds": 0.25,
            "first_step_seconds": 9.0,
            "state_bytes": 80,
            "state_bytes_per_parameter": 80 / 10,
            "peak_bytes": 4096,
            "flops_per_step": 1000,
            "flops_per_second": 1000 / 4,
            # 100 of 200 bytes a second, 250 of 1000 operations.
            "percent_of_limit": 50.0,
        }

    def test_the_larger_share_is_the_limit(self):
        busy = timing(flops_per_step=3000)
        assert limit_shares(busy.times) == {"product": 0.75, "copy": 0.5}
        assert throughput([busy])[1][0]["percent_of_limit"] == 75

    def test_share_of_a_step_that_beats_its_gradient_is_noise_below_zero(self):
        assert throughput([timing(step=2.0)])[1][0]["update_share"] == -0.5

    def test_failed_one_is_its_names(self):
        names, (row,) = throughput([failed("lion")])
        assert row.keys() == set(names) == set(COLUMNS)
        filled = {name: value for name, value in row.items() if value is not None}
        assert filled == {"problem": "bowl", "optimizer": "lion", "batch_size": 4, "dtype": "float32"}

    def test_cheapest_first_within_a_problem_and_batch_size_in_the_order_they_come(self):
        given = [
            *(timing("slow", 3.0, problem="hill"), failed("broken"), timing("slow", 3.0), timing("fast", 1.0)),
            *(timing("other", 0.5, batch_size=64), timing("fast", 1.0, problem="hill"), timing("middle", 2.0)),
        ]
        rows = throughput(given)[1]
        assert [(row["problem"], row["batch_size"], row["optimizer"]) for row in rows] == [
            *[("hill", 4, "fast"), ("hill", 4, "slow")],
            *[("bowl", 4, "fast"), ("bowl", 4, "middle"), ("bowl", 4, "slow"), ("bowl", 4, "broken")],
            ("bowl", 64, "other"),
        ]

    def test_nothing_is_no_rows(self):
        assert throughput([]) == ([*COLUMNS], [])
        assert timing_notes([]) == []


def limit_note(*timings):
    (note,) = [note for note in timing_notes(timings) if note.startswith("percent_of_limit")]
    return note.rpartition("; ")[2]


#: A step held against the rate of products, where others are held against the copy.
BUSY = {"flops_per_step": 3000}


class TestNotes:
    def test_which_failed(self):
        assert timing_notes([failed("lion"), failed("sgd", problem="hill")]) == [
            "bowl / lion: ValueError: boom",
            "hill / sgd: ValueError: boom",
        ]

    def test_how_it_was_measured(self):
        said = "\n".join(timing_notes([timing(), timing("sgd", 2.0)]))
        assert "medians of 6 or 7 calls" in said
        assert "on cpu, abacus" in said
        assert "a float32 product at 1e-06 GFLOP/s and a copy at 2e-07 GB/s" in said

    @pytest.mark.parametrize(("compiled", "noted"), [(None, True), (0.25, False)], ids=["cached", "compiled"])
    def test_what_was_not_compiled(self, compiled, noted):
        said = timing_notes([timing(), timing("sgd", compile_seconds=compiled)])
        assert any("compilation cache" in note for note in said) is noted

    def test_one_limit_for_all(self):
        assert limit_note(timing(), timing("sgd")) == "of the copy in every row"
        assert limit_note(timing(**BUSY)) == "of the product in every row"

    def test_the_rarer_limit_names_its_rows(self):
        some = [timing("muon", **BUSY), timing("sgd"), timing("adam"), timing("muon", problem="hill")]
        assert limit_note(*some) == "of the product for bowl / 4 / muon, of the copy for all others"

    def test_the_rarer_limit_names_whole_problems(self):
        some = [timing(name, problem="net", **BUSY) for name in ("sgd", "adam")]
        some += [timing(name) for name in ("sgd", "adam", "lion")]
        assert limit_note(*some) == "of the product for net, of the copy for all others"

    def test_many_rows_of_the_rarer_limit_are_counted(self):
        some = [timing(name, problem=f"p{i}", **(BUSY if name == "a" else {})) for i in range(7) for name in "abc"]
        assert limit_note(*some) == "of the product in 7 of 21 rows, of the copy in the others"

    def test_as_many_of_either(self):
        """In an order that doesn't hang on how Python hashes texts."""
        assert limit_note(timing("muon", **BUSY), timing("sgd")) == (
            "of the copy for bowl / 4 / sgd, of the product for all others"
        )

    def test_several_machines_are_told_apart_by_their_problems(self):
        other = timing(problem="hill", device={"device": "cpu", "cpu": "another"})
        one = f"{timing().device['device']}, {timing().device['cpu']}"
        assert any(note.endswith(f"on {one}") for note in timing_notes([timing()]))
        assert any(note.endswith(f"on {one}: bowl; cpu, another: hill") for note in timing_notes([timing(), other]))

    def test_each_precision_has_its_own(self):
        said = [
            note for note in timing_notes([timing(), timing(dtype="float64")]) if note.startswith("percent_of_limit")
        ]
        assert ["float32" in note for note in said] == [True, False]
        assert "float64" in said[1]


#: At steps 0, 10 and 20, where 1 is the target.
SOON, LATE, NEVER = [3.0, 1.0, 0.5], [3.0, 2.0, 1.0], [3.0, 2.5, 2.0]


def split(found):
    """Part the scores from the rows of problems: ({optimizer: score}, rows)."""
    _, rows = found
    scores = {row["optimizer"]: row["score"] for row in rows if row["problem"] == "all"}
    return scores, rows[len(scores) :]


class TestTimeToTarget:
    def test_steps_times_seconds(self, handmade):
        """10 steps of 0.5 s are twice as long as 20 of 1/8 s, and score (4 - 2) / 3."""
        parts = [handmade("soon", [SOON]), handmade("late", [LATE]), handmade("never", [NEVER])]
        timings = [timing("soon", 0.5), timing("late", 0.125), timing("never", 0.01)]
        names, rows = time_to_target(parts, timings, Slice())
        assert names == [
            *("problem", "optimizer", "batch_size", "steps_to_target", "step_seconds", "time_to_target"),
            *("ratio", "score"),
        ]
        assert [tuple(row.get(name) for name in names) for row in rows] == [
            ("all", "late", None, None, None, None, None, 1.0),
            ("all", "soon", None, None, None, None, None, pytest.approx(2 / 3)),
            ("all", "never", None, None, None, None, None, 0.0),
            ("bowl", "late", 4, 20.0, 0.125, 2.5, 1.0, None),
            ("bowl", "soon", 4, 10.0, 0.5, 5.0, 2.0, None),
            ("bowl", "never", 4, INF, 0.01, INF, INF, None),
        ]

    def test_most_seeds_must_get_there(self, handmade):
        parts = [handmade("most", [SOON, SOON, NEVER]), handmade("few", [SOON, NEVER, NEVER])]
        _, rows = split(time_to_target(parts, [timing("most", 1.0), timing("few", 1.0)], Slice()))
        assert {row["optimizer"]: row["time_to_target"] for row in rows} == {"most": 10.0, "few": INF}

    def test_the_fastest_batch_size_counts(self, handmade):
        parts = [handmade("a", [SOON]), handmade("a", [SOON], batch_size=8), handmade("b", [SOON], batch_size=8)]
        timings = [timing("a", 1.0), timing("a", 4.0, batch_size=8), timing("b", 2.0, batch_size=8)]
        scores, rows = split(time_to_target(parts, timings, Slice()))
        assert scores == {"a": 1.0, "b": pytest.approx(2 / 3)}
        found = [(row["optimizer"], row["batch_size"], row["time_to_target"], row["ratio"]) for row in rows]
        assert found == [("a", 4, 10.0, 1.0), ("b", 8, 20.0, 2.0), ("a", 8, 40.0, 4.0)]

    def test_scores_are_means_over_problems(self, handmade):
        """b is fastest on one, 2.5 times as slow on the other: (1 + 0.5) / 2; a wasn't asked for the second."""
        parts = [handmade("a", [SOON]), handmade("b", [SOON])]
        parts += [handmade("b", [SOON], problem="hill")]
        timings = [timing("a", 1.0), timing("b", 2.5), timing("b", 1.0, problem="hill")]
        scores, rows = split(time_to_target(parts, timings, Slice()))
        assert scores == {"b": 0.75, "a": 0.5}
        assert [(row["problem"], row["ratio"]) for row in rows] == [("bowl", 1.0), ("bowl", 2.5), ("hill", 1.0)]

    def test_where_nobody_gets_there_nobody_scores(self, handmade):
        parts = [handmade("a", [NEVER]), handmade("b", [NEVER])]
        scores, rows = split(time_to_target(parts, [timing("a", 1.0), timing("b", 2.0)], Slice()))
        assert scores == {"a": 0.0, "b": 0.0}
        assert {row["ratio"] for row in rows} == {INF}

    def test_problems_without_a_target_are_left_out(self, handmade):
        parts = [handmade("a", [SOON]), handmade("a", [SOON], problem="hill", targets={})]
        timings = [timing("a", 1.0), timing("a", 1.0, problem="hill")]
        scores, rows = split(time_to_target(parts, timings, Slice()))
        assert scores == {"a": 1.0}
        assert [row["problem"] for row in rows] == ["bowl"]
        # One that is given is every problem's.
        _, rows = split(time_to_target(parts, timings, Slice(target=0.5)))
        assert [(row["problem"], row["steps_to_target"]) for row in rows] == [("bowl", 20.0), ("hill", 20.0)]

    def test_what_is_not_timed_is_left_out(self, handmade):
        parts = [handmade("a", [SOON]), handmade("b", [SOON]), handmade("c", [SOON])]
        scores, rows = split(time_to_target(parts, [timing("a", 1.0), failed("b")], Slice()))
        assert scores == {"a": 1.0}
        assert [row["optimizer"] for row in rows] == ["a"]
        assert time_to_target(parts, [], Slice())[1] == []

    @pytest.mark.parametrize("view", [Slice(), Slice(target=2.0)], ids=["own-target", "given-target"])
    def test_a_failed_cell_has_missed(self, handmade, view):
        """Its training ran out of memory, say, and the one trial that is timed did not."""
        parts = [handmade("a", [SOON]), handmade("b", [], outcome="failed", message="boom", targets=None)]
        scores, rows = split(time_to_target(parts, [timing("a", 1.0), timing("b", 1.0)], view))
        assert scores == {"a": 1.0, "b": 0.0}
        assert [row["time_to_target"] for row in rows] == [10.0, INF]

    def test_looks_no_further_than_asked(self, handmade):
        parts = [handmade("late", [LATE])]
        _, rows = split(time_to_target(parts, [timing("late", 1.0)], Slice(at_step=10)))
        assert rows[0]["time_to_target"] == INF
