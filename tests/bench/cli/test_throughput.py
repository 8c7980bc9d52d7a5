"""`optbench throughput`, and the timings that `run`, `table` and `doctor` print."""

import csv
import io
import json

import pytest

from optbench.present.table import Table
from optbench.timing.limits import Limit
from optbench.timing.timer import Effort

BOWL = ["-p", "quadratic[dim=3,condition=2]"]
BRIEF = ["--repeats", "6", "--min-time", "1ms"]
NAMES = """
    problem optimizer batch_size dtype step_seconds step_seconds_low step_seconds_high examples_per_second sgd_ratio
    update_share trace_seconds compile_seconds first_step_seconds state_bytes state_bytes_per_parameter peak_bytes
    flops_per_step flops_per_second percent_of_limit
"""


def made_up(dtype, device):
    return Limit(dtype, 2**28, 0.5, 2**30), Limit(dtype, 2048, 0.25, 4e9)


@pytest.fixture(autouse=True)
def _brief(monkeypatch):
    """Time as little as there is an interval for, against limits that are made up."""
    for place in ("optbench.runner.time_cells", "optbench.runner.time_updates", "optbench.timing.limits"):
        monkeypatch.setattr(f"{place}.limits", made_up)
    monkeypatch.setattr("optbench.runner.time_cells.SHORT", Effort(6, 1e-3))
    monkeypatch.setattr("optbench.timing.timer.SHORTEST_CALL", 1e-4)


def strict(text):
    """Read JSON as the standard has it: NaN and Infinity are none."""

    def refuse(word):
        raise AssertionError(f"{word} is no JSON")

    return json.loads(text, parse_constant=refuse)


def read_csv(text):
    return list(csv.DictReader(io.StringIO(text)))


class TestSteps:
    @pytest.mark.parametrize(
        ("asked", "read"), [(["--json"], strict), (["--format", "csv"], read_csv)], ids=["json", "csv"]
    )
    def test_rows_are_all_there_is_on_stdout(self, optbench, asked, read):
        said = optbench("throughput", *BOWL, "-o", "sgd", *BRIEF, *asked)
        assert said.code == 0
        (row,) = read(said.out)
        assert list(row) == NAMES.split()
        assert (row["problem"], row["optimizer"]) == ("quadratic[condition=2.0,dim=3]", "sgd")
        assert float(row["sgd_ratio"]) == 1
        assert said.err == "timing 1 optimizers on quadratic[condition=2.0,dim=3], batch size full\n"

    def test_table_for_people(self, optbench, tmp_path):
        said = optbench("throughput", *BOWL, "-o", "sgd", *BRIEF, "--name", "mine", "--results", "elsewhere")
        assert said.out.startswith("mine: what a step costs\n")
        assert "each row times one training alone, many steps a call: medians of 6 calls" in said.out
        assert len(list((tmp_path / "elsewhere" / "mine" / "timings").glob("*.json"))) == 1
        # It is a run, of which tables can be printed.
        again = optbench("table", "mine", "throughput", "--results", "elsewhere")
        assert again.out == said.out

    def test_a_failed_row_is_exit_code_one(self, optbench, plugin):
        spec = plugin("def make(learning_rate):\n    raise ValueError('boom')\n")
        said = optbench("throughput", *BOWL, "-o", spec, *BRIEF, "--json")
        assert said.code == 1
        (row,) = strict(said.out)
        assert (row["optimizer"], row["step_seconds"]) == (spec, None)
        assert "Traceback" not in said.err

    def test_the_cells_of_a_run_are_timed_by_its_name(self, optbench, words, tmp_path):
        assert optbench("run", *words, "-o", "sgd", "--learning-rate", "0.1", "--name", "study").code == 0
        manifest = (tmp_path / "results" / "study" / "manifest.json").read_bytes()
        said = optbench("throughput", "study", *BRIEF, "--json")
        assert said.code == 0 and [row["optimizer"] for row in strict(said.out)] == ["sgd"]
        assert (tmp_path / "results" / "study" / "manifest.json").read_bytes() == manifest
        assert [path.name for path in (tmp_path / "results").iterdir()] == ["study"]
        assert "sgd" in optbench("table", "study", "throughput").out
        for words_beside in (["-o", "adam"], ["--name", "other"]):
            said = optbench("throughput", "study", *BRIEF, *words_beside)
            assert said.code == 2 and "not accepted beside the run 'study'" in said.err
        assert "unknown suite 'studi'" in optbench("throughput", "studi", *BRIEF).err

    def test_a_run_whose_cells_would_be_others_is_not_timed(self, optbench, words, tmp_path):
        optbench("run", *words, "-o", "sgd", "--learning-rate", "0.1", "--name", "study")
        path = tmp_path / "results" / "study" / "manifest.json"
        before = json.loads(path.read_text())
        for change, message in (
            ({"cells": [before["cells"][0] | {"key": "0" * 24}]}, "run 'study' was trained by other code"),
            ({"tuned": {"search": "grid"}}, "run 'study' was tuned"),
        ):
            text = json.dumps(before | change)
            path.write_text(text)
            said = optbench("throughput", "study", *BRIEF)
            assert said.code == 2 and message in said.err and path.read_text() == text

    def test_options_are_heard(self, optbench, monkeypatch):
        given = {}

        def measure(suite, **options):
            given.update(options, suite=suite)
            return Table("what a step costs", ("step_seconds",), ())

        monkeypatch.setattr("optbench.runner.time_cells.throughput", measure)
        monkeypatch.setattr("optbench.present.formats.format_table", lambda table, format, width: format)
        said = optbench(
            *["throughput", "smoke", *BOWL, "-o", "sgd", "--dtype", "float64", "--batch-size", "full"],
            *["--min-time", "200ms", "--repeats", "8", "--device", "cpu", "--compile-cache", "--format", "github"],
        )
        assert (said.code, said.out) == (0, "github\n")
        asked = {"suite": "smoke", "problems": BOWL[1:], "optimizers": ["sgd"], "dtype": "float64"}
        asked |= {"batch_size": "full", "min_seconds": 0.2, "repeats": 8, "device": "cpu", "compile_cache": True}
        assert {name: given[name] for name in asked} == asked


class TestUpdates:
    words = ("throughput", "--update-only", "-o", "sgd", *BRIEF)

    @pytest.mark.parametrize(
        ("asked", "read", "counts"),
        [
            (["--json", "--parameters", "100,2e2,1e2"], strict, [100, 200]),
            (["--format", "csv", "--parameters", "300"], read_csv, [300]),
        ],
        ids=["json", "csv"],
    )
    def test_rows_are_all_there_is_on_stdout(self, optbench, tmp_path, asked, read, counts):
        said = optbench(*self.words, "--shape", "flat", *asked)
        assert said.code == 0
        found = [[row["optimizer"], row["shape"], int(row["parameters"])] for row in read(said.out)]
        assert found == [["sgd", "flat", num] for num in counts]
        # Gradient and parameters read, parameters written: of 4 bytes each.
        assert [int(row["bytes_read_written"]) for row in read(said.out)] == [12 * num for num in counts]
        assert said.err.splitlines() == [f"timing 1 updates of {num} parameters, flat" for num in counts]
        assert list(tmp_path.iterdir()) == []

    def test_table_for_people(self, optbench):
        said = optbench(*self.words, "-o", "sam", "--parameters", "1000")
        assert said.code == 0
        assert said.out.startswith("updates alone on cpu\n")
        assert "transformer" in said.out
        assert "left out, since their updates evaluate the problem's loss: sam" in said.out.replace("\n  ", " ")

    def test_a_failed_row_is_exit_code_one(self, optbench, plugin):
        spec = plugin("def make(learning_rate):\n    raise ValueError('boom')\n")
        said = optbench("throughput", "--update-only", "-o", spec, *BRIEF, "--parameters", "100", "--json")
        assert said.code == 1
        assert [(row["optimizer"], row["update_seconds"]) for row in strict(said.out)] == [(spec, None)]


@pytest.fixture
def asked(words):
    """Ask for the tiny run, with its timing."""
    return ["run", *words[:-1], "-o", "sgd", "--learning-rate", "0.1,0.5", "--name", "mine"]


class TestRun:
    def test_of_one_problem_ends_with_what_a_step_costs(self, optbench, asked):
        said = optbench(*asked)
        assert said.code == 0
        first, second = said.out.index("mine: how far each tuned optimizer came"), said.out.index("mine: what a step")
        assert first == 0 < second < said.out.index("kept in results/mine; next: ")
        assert "among" not in said.out
        assert "timing 1 optimizers on quadratic[condition=2.0,dim=3], batch size full" in said.err
        # The second time nothing is timed, and the table is the same.
        again = optbench(*asked)
        assert again.out == said.out
        assert "timing" not in again.err
        table, _, hint = optbench("table", "mine", "throughput").out.strip().rpartition("\n")
        assert table in said.out and hint.startswith("optbench explain COLUMN")

    def test_without_it_where_asked(self, optbench, asked, tmp_path):
        said = optbench(*asked, "--no-throughput")
        assert said.code == 0
        assert "what a step costs" not in said.out
        assert "timing" not in said.err
        assert not (tmp_path / "results" / "mine" / "timings").exists()

    def test_json_is_the_convergence_table_alone(self, optbench, asked):
        said = optbench(*asked, "--json")
        (row,) = strict(said.out)
        assert "train_loss" in row and "step_seconds" not in row
        # Timed all the same.
        (row,) = strict(optbench("table", "mine", "throughput", "--format", "json").out)
        assert list(row) == NAMES.split()


class TestTable:
    @pytest.fixture(autouse=True)
    def _stored(self, handmade, timing, tmp_path):
        from optbench.store.timings import write_timing

        handmade("sgd", [[3.0, 1.0, 0.5]])
        write_timing(tmp_path / "results" / "handmade", timing(key="bowl-sgd-4", gradient_seconds=[0.25] * 6))

    def test_throughput(self, optbench):
        said = optbench("table", "handmade", "throughput", "--format", "json")
        (row,) = strict(said.out)
        assert list(row) == NAMES.split()
        assert (row["examples_per_second"], row["sgd_ratio"], row["update_share"]) == (8, 1, 0.5)
        # 20 of 50 operations a second, and 20 of 100 bytes.
        assert row["percent_of_limit"] == 40
        plain = optbench("table", "handmade", "throughput").out
        assert plain.startswith("handmade: what a step costs\n")
        assert "compile_seconds -: the program was in the compilation cache" in plain

    def test_time_to_target(self, optbench):
        said = optbench("table", "handmade", "time-to-target", "--format", "json")
        score, row = strict(said.out)
        assert (score["problem"], score["optimizer"], score["score"]) == ("all", "sgd", 1)
        assert (row["steps_to_target"], row["step_seconds"], row["time_to_target"], row["ratio"]) == (10, 0.5, 5, 1)
        missed = strict(optbench("table", "handmade", "time-to-target", "--format", "json", "--target", "0.1").out)
        assert (missed[0]["score"], missed[1]["time_to_target"]) == (0, None)
        assert optbench("table", "handmade", "time-to-target").out.startswith("handmade: how long the target takes\n")


class TestLimits:
    def test_as_json(self, optbench):
        said = optbench("doctor", "--limits", "--device", "cpu", "--json")
        assert (said.code, said.err) == (0, "")
        assert strict(said.out) == [
            {
                "dtype": dtype,
                "copy_gigabytes_per_second": 2**30 / 1e9,
                "copy_bytes": 2**28,
                "product_gigaflops_per_second": 4.0,
                "product_rows": 2048,
            }
            for dtype in ("float32", "bfloat16", "float64")
        ]

    def test_for_people(self, optbench):
        said = optbench("doctor", "--limits", "--device", "cpu")
        assert said.out.startswith("limits of cpu, ")
        assert "float32 means full float32" in said.out
