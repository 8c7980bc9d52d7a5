"""Timing the cells of a request: what is written and tabulated, what is kept, and whom a failure costs."""

import json
import shutil
from types import SimpleNamespace

import jax
import pytest

import optbench
from optbench.planning.jobs import plan_jobs, resolve_suite
from optbench.present.formats import format_table
from optbench.runner.program_spec import preparer
from optbench.runner.time_cells import _compile, read_trained, throughput
from optbench.store.manifest import read_manifest
from optbench.sweep import devices
from optbench.timing.limits import Limit
from optbench.timing.timer import Effort

BOWL = "quadratic[dim=3,condition=2]"
LINE = "linear_regression[data=synthetic,rows=20,dim=2,test_fraction=0.2,validation_fraction=0.0]"
REQUEST = {"learning_rate": "0.1,0.5", "steps": 4, "seeds": 1, "report_seeds": 1, "records": 2}

#: The columns of `table RUN throughput --format json`, in order.
NAMES = """
    problem optimizer batch_size dtype step_seconds step_seconds_low step_seconds_high examples_per_second sgd_ratio
    update_share trace_seconds compile_seconds first_step_seconds state_bytes state_bytes_per_parameter peak_bytes
    flops_per_step flops_per_second percent_of_limit
"""
COPY, PRODUCT = 1e9, 1e12


@pytest.fixture(autouse=True, scope="module")
def _brief():
    """Time as little as there is an interval for, against limits that are made up."""
    with pytest.MonkeyPatch.context() as patch:
        made_up = (Limit("float32", 1, 1.0, COPY), Limit("float32", 1, 1.0, PRODUCT))
        patch.setattr("optbench.runner.time_cells.limits", lambda dtype, device: made_up)
        patch.setattr("optbench.runner.time_cells.SHORT", Effort(6, 1e-3))
        patch.setattr("optbench.timing.timer.SHORTEST_CALL", 1e-4)
        yield


def measure(folder, name="timed", **overrides):
    asked = {"repeats": 6, "min_seconds": 1e-3, "results": folder, "name": name} | REQUEST
    return throughput(**asked | {"problems": [BOWL], "optimizers": ["sgd"]} | overrides)


def records(table):
    return json.loads(format_table(table, "json"))


def timings(folder):
    return {path.stem: json.loads(path.read_text()) for path in sorted((folder / "timings").glob("*.json"))}


def stamps(folder):
    return {path.stem: path.stat().st_mtime_ns for path in sorted((folder / "timings").iterdir())}


@pytest.fixture(scope="module")
def timed(tmp_path_factory):
    """Time two optimizers on a bowl and, with two batch sizes, on a line: (folder, rows, what was said)."""
    results, said = tmp_path_factory.mktemp("timed"), []
    request = {"problems": [BOWL, LINE], "optimizers": ["adamw", "sgd"], "batch_size": "4,8"}
    return results / "timed", records(measure(results, **request, say=said.append)), said


class TestThroughput:
    def test_rows_have_these_names(self, timed):
        _, rows, _ = timed
        assert [list(row) for row in rows] == [NAMES.split()] * 6
        assert all(row[name] is not None for row in rows for name in row)

    def test_there_is_a_row_and_a_file_for_each_cell(self, timed):
        folder, rows, _ = timed
        cells = [("quadratic[condition=2.0,dim=3]", "full"), *((rows[2]["problem"], size) for size in (4, 8))]
        assert {(row["problem"], row["batch_size"], row["optimizer"]) for row in rows} == {
            (*cell, optimizer) for cell in cells for optimizer in ("sgd", "adamw")
        }
        manifest = read_manifest(folder)
        assert timings(folder).keys() == {cell["key"] for cell in manifest["cells"]}
        assert {path.suffix for path in (folder / "timings").iterdir()} == {".json"}

    def test_what_a_row_says_hangs_together(self, timed):
        folder, rows, _ = timed
        for row in rows:
            step = row["step_seconds"]
            assert row["step_seconds_low"] <= step <= row["step_seconds_high"]
            examples = 1 if row["batch_size"] == "full" else row["batch_size"]
            assert row["examples_per_second"] == pytest.approx(examples / step)
            assert row["flops_per_second"] == pytest.approx(row["flops_per_step"] / step)
            (timing,) = [
                one
                for one in timings(folder).values()
                if all(one[name] == row[name] for name in ("problem", "optimizer", "batch_size"))
            ]
            assert len(timing["step_seconds"]) == len(timing["sgd_seconds"]) == 6
            share = max(row["flops_per_step"] / PRODUCT, timing["bytes_per_step"] / COPY) / step
            assert row["percent_of_limit"] == pytest.approx(100 * share)

    def test_sgd_is_compared_with_itself(self, timed):
        assert [row["sgd_ratio"] for row in timed[1] if row["optimizer"] == "sgd"] == [1, 1, 1]

    def test_bytes_are_those_of_the_state(self, timed):
        """Three parameters in a bowl; on a line two weights and a bias. Two moments each, and a counter."""
        for row in timed[1]:
            expected = 0 if row["optimizer"] == "sgd" else 2 * 4 * 3 + 4
            assert (row["state_bytes"], row["state_bytes_per_parameter"]) == (expected, expected / 3)
            assert row["peak_bytes"] >= 4 * 3 + expected

    def test_bytes_a_step_moves(self, timed):
        """Parameters and state read and written, gradient and batch read: of a line four rows of three numbers."""
        moved = {
            (timing["optimizer"], timing["batch_size"]): timing["bytes_per_step"]
            for timing in timings(timed[0]).values()
        }
        assert moved["sgd", "full"] == 3 * 12
        assert moved["adamw", "full"] == 3 * 12 + 2 * 28
        assert moved["sgd", 8] - moved["sgd", 4] == 4 * 3 * 4

    def test_compilation_is_measured(self, timed):
        folder, rows, _ = timed
        assert all(row["compile_seconds"] > 0 and row["trace_seconds"] > 0 for row in rows)
        assert read_manifest(folder)["compile_cache"] == "compilation cache is off: as asked"

    def test_says_what_is_timed(self, timed):
        _, rows, said = timed
        sizes = [(rows[0]["problem"], "full"), (rows[2]["problem"], 4), (rows[2]["problem"], 8)]
        assert said == [f"timing 2 optimizers on {problem}, batch size {size}" for problem, size in sizes]

    def test_is_loaded_again_without_a_training(self, timed):
        folder, rows, _ = timed
        run = optbench.load(folder)
        assert records(run.throughput()) == rows
        assert records(run.convergence()) == records(run.time_to_target()) == []
        assert not any("not timed" in note for note in run.throughput().notes)

    def test_replaces_what_was_measured(self, timed, tmp_path):
        results = tmp_path / "again"
        measure(results)
        before = stamps(results / "timed")
        rows = records(measure(results, repeats=7))
        after = stamps(results / "timed")
        assert before.keys() == after.keys() and before != after
        assert [len(one["step_seconds"]) for one in timings(results / "timed").values()] == [7]
        assert len(rows) == 1

    def test_other_precisions(self, tmp_path):
        """Mixed precision keeps parameters and state in float32: 64 pixels, 2 hidden units, 10 classes."""
        (row,) = records(
            measure(tmp_path, problems=["mlp[width=2]"], optimizers=["adamw"], batch_size=8, dtype="bfloat16")
        )
        parameters = 64 * 2 + 2 + 2 * 10 + 10
        assert (row["dtype"], row["state_bytes"]) == ("bfloat16", 2 * 4 * parameters + 4)


FOUR = {"problems": [BOWL, "quadratic[dim=2,condition=2]"], "optimizers": ["sgd", "adamw"]}


@pytest.fixture(scope="module")
def whole(tmp_path_factory):
    """Train and time two optimizers on two problems."""
    return optbench.run(results=tmp_path_factory.mktemp("whole"), name="whole", **REQUEST, **FOUR)


@pytest.fixture
def again(whole, tmp_path):
    """Copy that run: (folder, what asks for the same once more)."""
    folder = tmp_path / "results" / "whole"
    shutil.copytree(whole.folder, folder)
    return folder, lambda **given: optbench.run(results=folder.parent, name="whole", **REQUEST, **FOUR, **given)


class TestRun:
    def test_times_every_cell(self, whole):
        rows = records(whole.throughput())
        assert len(rows) == 4
        assert all(row["step_seconds"] > 0 for row in rows)
        assert [row["sgd_ratio"] for row in rows if row["optimizer"] == "sgd"] == [1, 1]
        assert {row["problem"] for row in records(whole.time_to_target())} == {"all"} | {row["problem"] for row in rows}

    def test_measures_nothing_twice(self, again):
        folder, run = again
        before, said = stamps(folder), []
        run(say=said.append)
        assert stamps(folder) == before
        assert [line for line in said if "timing" in line] == []

    @pytest.mark.parametrize(
        "change",
        [
            lambda timing: json.dumps(timing | {"device": timing["device"] | {"cpu": "another"}}),
            lambda timing: json.dumps(timing)[:100],
            lambda timing: json.dumps({"outcome": "failed", "message": "boom"} | {"schema": timing["schema"]}),
        ],
        ids=["another-machine", "torn", "failed"],
    )
    def test_measures_what_this_machine_has_not(self, again, change):
        """With those that it is compared with, and no other problem's."""
        folder, run = again
        before = stamps(folder)
        (key, timing), *_ = timings(folder).items()
        (folder / "timings" / f"{key}.json").write_text(change(timing))
        said = []
        done = run(say=said.append)
        problem, size = timing["problem"], timing["batch_size"]
        assert [line for line in said if "timing" in line] == [f"timing 2 optimizers on {problem}, batch size {size}"]
        kept = {name for name, one in timings(folder).items() if one["problem"] != problem}
        assert {name for name, stamp in stamps(folder).items() if before[name] == stamp} == kept
        assert len(kept) == 2
        assert timings(folder)[key]["device"] == timing["device"]
        assert all(row["step_seconds"] for row in records(done.throughput()))

    def test_leaves_timing_out_where_asked(self, tiny):
        run = tiny()
        assert not (run.folder / "timings").exists()
        assert records(run.throughput()) == []
        assert "1 of 1 cells are not timed (optbench throughput)" in run.throughput().notes
        assert any("no cell is timed yet" in note for note in run.time_to_target().notes)

    def test_says_where_programs_were_not_compiled(self, tiny):
        """Under another name the same programs come out of the cache."""
        request = {"problems": ["quadratic[dim=4,condition=2]"]}
        first, second = (tiny(name, throughput=True, **request).throughput() for name in ("first", "second"))
        assert all(row["compile_seconds"] is not None for row in records(first))
        assert [row["compile_seconds"] for row in records(second)] == [None]
        assert [any("compilation cache" in note for note in table.notes) for table in (first, second)] == [False, True]

    def test_a_run_keeps_its_manifest_when_it_is_timed(self, tiny):
        folder = tiny().folder
        before = (folder / "manifest.json").read_bytes()
        measure(folder.parent, folder.name)
        assert (folder / "manifest.json").read_bytes() == before
        assert len(optbench.load(folder).parts) == len(optbench.load(folder).timings) == 1
        # Other cells are another run.
        measure(folder.parent, folder.name, optimizers=["adamw"])
        (cell,) = read_manifest(folder)["cells"]
        assert cell["optimizer"] == "adamw"


FAILS = "def make(learning_rate):\n    raise ValueError('boom\\nsecond line')\n"


class TestFailures:
    def test_an_optimizer_costs_its_own_row(self, tmp_path, plugin):
        spec = plugin(FAILS)
        table = measure(tmp_path, optimizers=[spec, "sgd", "adamw"])
        *others, failed = records(table)
        assert {row["optimizer"] for row in others} == {"sgd", "adamw"}
        assert all(row["step_seconds"] > 0 for row in others)
        filled = {name for name, value in failed.items() if value is not None}
        assert (failed["optimizer"], filled) == (spec, {"problem", "optimizer", "batch_size", "dtype"})
        assert f"quadratic[condition=2.0,dim=3] / {spec}: ValueError: boom (plug.py line 2)" in table.notes

    def test_an_optimizer_that_falls_over_at_a_later_step_costs_its_own_row(self, tmp_path, plugin, monkeypatch):
        # Calls of many steps: the first, of one, goes well, and is short even where the machine is busy.
        monkeypatch.setattr("optbench.timing.timer.SHORTEST_CALL", 5e-2)
        spec = plugin("""
            import jax, optax

            def next(count):
                if count:
                    raise ValueError("boom")
                return count + 1

            def make(learning_rate):
                def update(updates, state, params=None):
                    state = jax.pure_callback(next, state, state)
                    return jax.tree.map(lambda u: -learning_rate * u, updates), state

                return optax.GradientTransformation(lambda params: jax.numpy.zeros((), "int32"), update)
        """)
        table = measure(tmp_path, optimizers=[spec, "adamw"])
        first, failed = records(table)
        assert (first["optimizer"], failed["optimizer"]) == ("adamw", spec)
        assert first["step_seconds"] > 0 and failed["step_seconds"] is None

    @pytest.mark.parametrize(
        "body",
        ["raise ValueError('boom')", "return replace(bowl, loss=lambda x, batch, key: x @ x @ x)"],
        ids=["raises", "loss-does-not-fit"],
    )
    def test_a_problem_costs_its_rows(self, tmp_path, plugin, body):
        spec = plugin(f"""
            from dataclasses import replace
            from optbench.problems.convex.quadratic import quadratic

            bowl = quadratic(dim=3, condition=2)

            def make():
                {body}
        """)
        table = measure(tmp_path, problems=[spec, BOWL], optimizers=["sgd", "adamw"])
        rows = records(table)
        assert {(row["problem"], row["optimizer"], row["step_seconds"] is None) for row in rows} == {
            (problem, optimizer, problem == spec)
            for problem in (spec, "quadratic[condition=2.0,dim=3]")
            for optimizer in ("sgd", "adamw")
        }
        assert sum(note.startswith(f"{spec} / ") for note in table.notes) == 2

    def test_a_failed_run_is_timed_where_it_can_be(self, tiny, plugin):
        spec = plugin(FAILS)
        run = tiny(optimizers=[spec, "sgd"], throughput=True)
        assert [(row["optimizer"], row["step_seconds"] is None) for row in records(run.throughput())] == [
            ("sgd", False),
            (spec, True),
        ]


def timed_loop(**request):
    """Compile the loop that a request of one cell times."""
    device = jax.devices()[0]
    (job,) = plan_jobs(resolve_suite(None, **REQUEST | request), device.device_kind)
    with devices.settings(job.cell.dtype, device):
        return _compile(job, preparer(device)(job.problem, job.cell.dtype), device)


def test_rare_work_is_timed_whole():
    assert timed_loop(problems=[BOWL], optimizers=["galore[update_proj_gap=7]"]).period == 7


def test_a_grid_is_timed_in_its_middle(monkeypatch):
    given = []
    monkeypatch.setattr("optbench.runner.time_cells.compile_loop", lambda *_: None)
    monkeypatch.setattr(
        "optbench.runner.time_cells.training_loop",
        lambda recipe, hyperparameters, restart: given.append(hyperparameters),
    )
    timed_loop(problems=[BOWL], optimizers=["adamw[b1=0.8]"], learning_rate="0.1,0.2,0.3", weight_decay="0.5")
    assert given == [{"learning_rate": 0.2, "weight_decay": 0.5, "b1": 0.8}]


class TestTrained:
    """What is timed of a cell that was trained, on curves written by hand."""

    LOSSES = ([[8.0, 1.0, 0.5]],)

    def of(self, part):
        return read_trained(SimpleNamespace(key=part.path.stem), part.path.parents[1])

    def test_the_settings_that_won(self, handmade):
        part = handmade("sgd", *self.LOSSES, best={"learning_rate": 0.3, "weight_decay": 0.0})
        assert self.of(part) == ({"learning_rate": 0.3, "weight_decay": 0.0}, None)

    def test_a_line_search_begins_again_at_the_target(self, handmade):
        """Three gradients a step up to the target, after 10 steps, and twenty from there on."""
        counts = {"gradient_evaluations": [0, 30, 230]}
        assert self.of(handmade("lbfgs", *self.LOSSES, trial=counts)).restart == 10
        assert self.of(handmade("sam", *self.LOSSES, trial={"gradient_evaluations": [0, 20, 40]})).restart is None
        missed = handmade("late", [[8.0, 4.0, 2.0]], trial=counts)
        assert self.of(missed).restart is None

    def test_without_a_target_or_training_nothing_begins_again(self, handmade, tmp_path):
        counts = {"gradient_evaluations": [0, 30, 230]}
        assert self.of(handmade("lbfgs", *self.LOSSES, trial=counts, targets={})).restart is None
        assert read_trained(SimpleNamespace(key="none"), tmp_path) == ({}, None)
        failed = handmade("sgd", [], select=[], outcome="failed", message="boom")
        assert self.of(failed) == ({}, None)
