"""What a step costs, from timings written by hand."""

import math

import pytest

from optbench.analyse.step_times import limit_shares
from optbench.store.timings import Timing
from optbench.tables.throughput import COLUMNS, throughput, timing_notes

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
        assert "float32 matrix product at 1e-06 GFLOP/s or memory copy at 2e-07 GB/s" in said

    @pytest.mark.parametrize(("compiled", "noted"), [(None, True), (0.25, False)], ids=["cached", "compiled"])
    def test_what_was_not_compiled(self, compiled, noted):
        said = timing_notes([timing(), timing("sgd", compile_seconds=compiled)])
        assert any("compilation cache" in note for note in said) is noted

    def test_one_limit_for_all(self):
        assert limit_note(timing(), timing("sgd")) == "that is the copy in every row"
        assert limit_note(timing(**BUSY)) == "that is the product in every row"

    def test_the_rarer_limit_names_its_rows(self):
        some = [timing("muon", **BUSY), timing("sgd"), timing("adam"), timing("muon", problem="hill")]
        assert limit_note(*some) == "that is the product for bowl / 4 / muon, the copy for all others"

    def test_the_rarer_limit_names_whole_problems(self):
        some = [timing(name, problem="net", **BUSY) for name in ("sgd", "adam")]
        some += [timing(name) for name in ("sgd", "adam", "lion")]
        assert limit_note(*some) == "that is the product for net, the copy for all others"

    def test_many_rows_of_the_rarer_limit_are_counted(self):
        some = [timing(name, problem=f"p{i}", **(BUSY if name == "a" else {})) for i in range(7) for name in "abc"]
        assert limit_note(*some) == "that is the product in 7 of 21 rows, the copy in the others"

    def test_as_many_of_either(self):
        """In an order that doesn't hang on how Python hashes texts."""
        assert limit_note(timing("muon", **BUSY), timing("sgd")) == (
            "that is the copy for bowl / 4 / sgd, the product for all others"
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
