"""Run requests end to end: what is computed, kept, retried and told, and that numbers never depend on the way there."""

import json
import math
import signal
import time

import pytest

import bench
from bench.present.table import format_table

#: The columns that the issue promises of `table RUN convergence --format json`.
CONVERGENCE = {
    *("problem", "optimizer", "batch_size", "learning_rate", "weight_decay", "train_loss", "train_loss_low"),
    *("train_loss_high", "gap", "test_loss", "test_accuracy", "steps_to_target", "examples_to_target"),
    *("diverged_fraction", "at_edge", "num_points", "num_seeds"),
}
TRIALS = {
    *("phase", "problem", "optimizer", "batch_size", "seed", "learning_rate", "weight_decay", "schedule", "status"),
    *("message", "train_loss", "test_loss", "train_accuracy", "test_accuracy", "diverged_at"),
}


def outcomes(progress):
    """Name what happened, without the starts."""
    return [(one.job.cell.optimizer, one.outcome) for one in progress if one.outcome != "started"]


def records(table):
    return json.loads(format_table(table, "json"))


class TestTables:
    def test_convergence_has_the_promised_columns(self, tiny):
        (row,) = records(tiny().convergence())
        assert set(row) == CONVERGENCE
        assert row["problem"] == "quadratic[condition=2.0,dim=3]"
        assert (row["optimizer"], row["batch_size"], row["learning_rate"], row["weight_decay"]) == (
            "sgd",
            "full",
            0.5,
            0,
        )
        assert (row["num_points"], row["num_seeds"], row["diverged_fraction"], row["at_edge"]) == (2, 1, 0, True)
        # One report seed: its value is the median, and both ends of the interval. The optimum is 0.
        assert row["train_loss"] == row["train_loss_low"] == row["train_loss_high"] == row["gap"] > 0

    def test_another_tuned_hyperparameter_has_its_column(self, tiny):
        (row,) = records(tiny(optimizers=["sgd_momentum[momentum=0.5,0.9]"]).convergence())
        assert set(row) == CONVERGENCE | {"momentum"}
        assert row["momentum"] in (0.5, 0.9)
        assert row["num_points"] == 4

    def test_trials_has_one_row_per_trial(self, tiny):
        run = tiny(seeds=2, report_seeds=3, schedule="constant,cosine", weight_decay="0,0.1")
        rows = records(run.trials())
        assert set(rows[0]) == TRIALS
        phases = [row["phase"] for row in rows]
        # 2 learning rates x 2 weight decays x 2 schedules x 2 seeds, and the best point on 3 seeds.
        assert (phases.count("select"), phases.count("report"), len(phases)) == (16, 3, 19)
        assert {row["status"] for row in rows} == {"ok"}
        assert {row["schedule"] for row in rows} == {"constant", "cosine"}
        settings = {(row["learning_rate"], row["weight_decay"], row["schedule"]) for row in rows}
        assert len(settings) == 8

    def test_curves_has_one_row_per_record(self, tiny):
        rows = records(tiny().curves())
        counted = {"step", "examples", "gradient_evaluations"}
        settings = {"phase", "problem", "optimizer", "batch_size", "seed", "learning_rate", "weight_decay", "schedule"}
        assert set(rows[0]) >= settings | counted | {"batch_loss", "train_loss"}
        # Two selecting trials and a reporting one, with a record at steps 0, 2 and 4.
        assert [row["step"] for row in rows] == [0, 2, 4] * 3
        # A deterministic problem counts as one example.
        assert all(row["examples"] == row["gradient_evaluations"] == row["step"] for row in rows)

    def test_data_has_test_metrics_and_counts_examples(self, tiny):
        run = tiny(problems=["linear_regression[data=synthetic,rows=20,dim=2,test_fraction=0.2]"], batch_size=8)
        (row,) = records(run.convergence())
        assert row["batch_size"] == 8
        assert row["test_loss"] > 0
        assert row["test_accuracy"] is None
        assert row["gap"] >= 0
        assert [row["examples"] for row in records(run.curves())[:3]] == [0, 16, 32]

    def test_reaching_the_target_is_counted_at_every_step(self, tiny):
        """One dimension: x shrinks by 1 - lr a step, so lr = 1 is there after one, which is between two records."""
        run = tiny(problems=["quadratic[dim=1,condition=1]"], learning_rate="1")
        (row,) = records(run.convergence())
        assert (row["steps_to_target"], row["examples_to_target"]) == (1, 1)

    def test_without_report_seeds_the_selecting_ones_speak(self, tiny):
        run = tiny(seeds=3, report_seeds=0)
        (row,) = records(run.convergence())
        assert row["num_seeds"] == 3
        best = [trial["train_loss"] for trial in records(run.trials()) if trial["learning_rate"] == 0.5]
        assert row["train_loss"] == sorted(best)[1]

    def test_report_seeds_are_fresh(self, tiny):
        rows = records(tiny(learning_rate="0.5", seeds=2, report_seeds=2).curves())
        first = [row["train_loss"] for row in rows if row["step"] == 0]
        assert len(set(first)) == 4

    def test_same_seeds_for_every_optimizer(self, tiny):
        rows = records(tiny(optimizers=["sgd", "adam"], seeds=2).curves())
        first = {(row["phase"], row["seed"], row["train_loss"]) for row in rows if row["step"] == 0}
        assert len(first) == 3

    @pytest.mark.parametrize("kind", ["convergence", "trials", "curves", "best"])
    def test_converts(self, tiny, kind):
        table = tiny(optimizers=["sgd", "adam"]).table(kind)
        frame, arrow = table.to_pandas(), table.to_arrow()
        assert tuple(frame.columns) == tuple(arrow.column_names) == table.columns
        assert len(frame) == arrow.num_rows == len(table.rows) > 0
        assert set(frame["optimizer"]) == set(arrow["optimizer"].to_pylist()) == {"sgd", "adam"}


class TestKept:
    def test_second_run_computes_nothing(self, tiny, stamps):
        progress = []
        first = tiny(optimizers=["sgd", "adam"])
        before = stamps(first.folder)
        second = tiny(optimizers=["sgd", "adam"], on_progress=progress.append)
        assert outcomes(progress) == [("sgd", "kept"), ("adam", "kept")]
        assert stamps(second.folder) == before
        assert second.convergence() == first.convergence()

    def test_what_is_missing_is_computed(self, tiny):
        progress = []
        tiny()
        tiny(optimizers=["adam", "sgd"], on_progress=progress.append)
        assert sorted(outcomes(progress)) == [("adam", "finished"), ("sgd", "kept")]

    def test_force_computes_the_same_again(self, tiny, rows, stamps):
        progress = []
        first = tiny()
        before, was = rows(first), stamps(first.folder)
        second = tiny(force=True, on_progress=progress.append)
        assert outcomes(progress) == [("sgd", "finished")]
        assert rows(second) == before
        assert stamps(second.folder) != was

    def test_another_name_gives_the_same_numbers(self, tiny, rows):
        assert rows(tiny("a", optimizers=["sgd", "adam"])) == rows(tiny("b", optimizers=["adam", "sgd"]))

    def test_company_does_not_matter(self, tiny, rows):
        """A cell's numbers are the same whichever cells are run beside it."""
        alone = rows(tiny("alone"))
        assert alone.items() <= rows(tiny("beside", optimizers=["adam", "sgd"], batch_size="full")).items()

    def test_progress_says_what_is_begun(self, tiny):
        progress = []
        tiny(optimizers=["sgd", "adam"], on_progress=progress.append)
        assert [one.outcome for one in progress] == ["started", "finished"] * 2

    def test_load_gives_what_run_gave(self, tiny, tmp_path):
        run = tiny()
        for again in (bench.load("tiny", tmp_path / "results"), bench.load(run.folder), bench.load(str(run.folder))):
            assert again.trials() == run.trials()
        assert bench.load("latest", tmp_path / "results").folder == run.folder

    def test_a_suite_of_ones_own(self, tmp_path):
        (tmp_path / "mine.toml").write_text(
            'problems = ["quadratic[dim=3,condition=2]"]\nsteps = 4\nseeds = 1\nreport_seeds = 1\n'
            '[[optimizers]]\nspec = "sgd"\nlearning_rate = "0.1,0.5"\n'
        )
        run = bench.run(str(tmp_path / "mine.toml"), results=tmp_path)
        assert run.folder == tmp_path / "mine"
        assert [row["learning_rate"] for row in records(run.convergence())] == [0.5]


#: Fails while a file `broken` lies beside it.
FLAKY = """
from pathlib import Path
import optax

def make(learning_rate):
    if (Path(__file__).parent / "broken").exists():
        raise ValueError("boom\\nsecond line")
    return optax.sgd(learning_rate)
"""


class TestFailures:
    def test_a_failed_cell_is_kept_with_its_message_and_tried_again(self, tiny, plugin, tmp_path):
        spec, progress = plugin(FLAKY), []
        (tmp_path / "broken").touch()
        failed = tiny(optimizers=[spec])
        trials = records(failed.trials())
        assert [(trial["status"], trial["message"]) for trial in trials] == [("error", "ValueError: boom")] * 2
        assert [trial["learning_rate"] for trial in trials] == [0.1, 0.5]
        assert failed.failed == failed.parts
        (row,) = records(failed.convergence())
        assert (row["optimizer"], row["train_loss"], row["learning_rate"]) == (spec, None, None)
        assert any("ValueError: boom" in note for note in failed.convergence().notes)

        (tmp_path / "broken").unlink()
        retried = tiny(optimizers=[spec], on_progress=progress.append)
        assert outcomes(progress) == [(spec, "finished")]
        assert retried.failed == ()
        assert {trial["status"] for trial in records(retried.trials())} == {"ok"}

    @pytest.mark.parametrize("kind", ["convergence", "trials", "curves", "best"])
    def test_every_table_of_a_failed_run_can_be_made(self, tiny, plugin, tmp_path, kind):
        (tmp_path / "broken").touch()
        table = tiny(optimizers=[plugin(FLAKY), "sgd"]).table(kind)
        assert format_table(table)
        records(table)

    @pytest.mark.parametrize(
        ("body", "status", "said"),
        [
            ("raise ZeroDivisionError('by zero')", "error", "ZeroDivisionError: by zero"),
            ("return None", "error", "returned NoneType; expected GradientTransformation"),
            ("return learning_rate", "error", "expected GradientTransformation"),
            ("return optax.scale(float('nan'))", "diverged", None),
            ("return optax.scale(-1e30)", "diverged", None),
        ],
        ids=["raises", "returns-none", "returns-a-number", "yields-nan", "explodes"],
    )
    def test_a_bad_optimizer_fails_alone(self, tiny, plugin, rows, body, status, said):
        spec = plugin(f"import optax\ndef make(learning_rate):\n    {body}\n")
        run = tiny(optimizers=[spec, "sgd"])
        trials = [trial for trial in records(run.trials()) if trial["optimizer"] == spec]
        assert {trial["status"] for trial in trials} == {status}
        assert all((said is None) == (trial["message"] is None) for trial in trials)
        assert all(said is None or said in trial["message"] for trial in trials)
        # The other cell is what it is without such a neighbour, bit for bit.
        assert rows(tiny("without")).items() <= rows(run).items()
        # Best first: what failed or diverged comes last.
        assert [row["optimizer"] for row in records(run.convergence())] == ["sgd", spec]

    @pytest.mark.parametrize(
        ("body", "status", "said"),
        [
            ("raise ZeroDivisionError('by zero')", "error", "ZeroDivisionError: by zero"),
            ("raise ValueError('dim is odd')", "error", "ValueError: dim is odd"),
            ("return 3", "error", "returned int; expected Problem"),
            ("return bowl(loss=lambda x, batch, key: x @ x @ x)", "error", "ValueError: matmul"),
            ("return bowl(loss=lambda x, batch, key: x)", "error", "TypeError"),
            ("return bowl(metrics=lambda x, data: {'error': x.sum()})", "error", "loss"),
            ("return bowl(loss=lambda x, batch, key: (x * float('nan')).sum())", "diverged", None),
            ("return bowl(optimum=lambda: 1e3)", "error", "BelowOptimumError: a trial ended at"),
            ("return bowl(optimum=lambda: 1 / 0)", "error", "ZeroDivisionError"),
        ],
        ids=[
            *("raises", "refuses", "returns-a-number", "loss-does-not-fit", "loss-is-a-vector", "no-loss-metric"),
            *("loss-is-nan", "lies-about-its-optimum", "optimum-raises"),
        ],
    )
    def test_a_bad_problem_fails_alone(self, tiny, plugin, rows, body, status, said):
        code = """
        import jax.numpy as jnp
        from problems.problem import Problem

        def bowl(**fields):
            square = lambda x: (x * x).sum()
            given = dict(init=lambda key: jnp.ones(2), loss=lambda x, batch, key: square(x), source="a bowl")
            return Problem(**given | dict(metrics=lambda x, data: {"loss": square(x)}) | fields)

        def make():
            """
        spec = plugin(code + body)
        run = tiny(problems=[spec, "quadratic[dim=3,condition=2]"])
        trials = [trial for trial in records(run.trials()) if trial["problem"] == spec]
        assert {trial["status"] for trial in trials} == {status}
        assert all(said in trial["message"] if said else trial["message"] is None for trial in trials)
        assert rows(tiny("without")).items() <= rows(run).items()

    def test_diverged_trials_rank_worst_and_stay(self, tiny):
        """Gradient descent above 2/L diverges; the largest eigenvalue L is 1."""
        run = tiny(learning_rate="0.5,3", seeds=2)
        status = {trial["learning_rate"]: trial["status"] for trial in records(run.trials())}
        assert status == {0.5: "ok", 3.0: "diverged"}
        (row,) = records(run.convergence())
        assert (row["learning_rate"], row["diverged_fraction"], row["num_points"]) == (0.5, 0, 2)

    def test_where_everything_diverges_the_row_says_so(self, tiny):
        (row,) = tiny(learning_rate="3").convergence().to_records()
        assert (row["train_loss"], row["gap"], row["diverged_fraction"]) == (math.inf, math.inf, 1)
        assert row["steps_to_target"] == math.inf


class TestMemory:
    @pytest.fixture
    def short(self, monkeypatch):
        """Make the device too small for more than `limit` points together."""
        import bench.execute

        whole, tried = bench.execute.sweep, []

        def limit(points):
            def sweep(compiled, given):
                tried.append(compiled.num_points)
                if compiled.num_points > points:
                    raise RuntimeError("RESOURCE_EXHAUSTED: Out of memory allocating 1 bytes")
                return whole(compiled, given)

            monkeypatch.setattr(bench.execute, "sweep", sweep)
            return tried

        return limit

    def test_halves_the_points_and_finishes(self, tiny, rows, short):
        given = {"learning_rate": "0.1:0.5:4", "force": True}
        expected, progress = rows(tiny("whole", **given)), []
        tried = short(1)
        run = tiny("short", **given, on_progress=progress.append)
        # All four points, then two, then one at a time; then the one point of the report phase.
        assert tried == [4, 2, 1, 1]
        assert rows(run) == expected
        assert progress[-1].message == "points split into 4 parts of 1 to fit into memory"

    def test_what_does_not_fit_at_all_is_out_of_memory(self, tiny, short):
        short(0)
        run = tiny()
        assert {trial["status"] for trial in records(run.trials())} == {"oom"}
        assert "RESOURCE_EXHAUSTED" in run.failed[0].footer["message"]


class TestTorn:
    @pytest.mark.parametrize(
        "tear",
        [
            lambda whole: whole[: len(whole) // 2],
            lambda whole: whole[:-1],
            lambda whole: b"",
            lambda whole: bytes(len(whole)),
            lambda whole: bytes(len(whole) // 2) + whole[len(whole) // 2 :],
            lambda whole: whole[:4] + bytes(64) + whole[68:],
            lambda whole: whole[:100] + bytes(byte ^ 1 for byte in whole[100:200]) + whole[200:],
            lambda whole: b"this is no parquet\n",
        ],
        ids=["half", "all-but-a-byte", "empty", "zeros", "first-half-zeros", "a-few-zeros", "other-bits", "text"],
    )
    def test_torn_part_is_named_ignored_and_computed_again(self, tiny, rows, stamps, tear):
        first = tiny(optimizers=["sgd", "adam"])
        expected, torn, whole = rows(first), first.parts[0].path, first.parts[1].path
        torn.write_bytes(tear(torn.read_bytes()))

        loaded = bench.load(first.folder)
        assert loaded.torn == (torn,)
        for kind in ("convergence", "trials", "curves", "best"):
            assert {row["optimizer"] for row in loaded.table(kind).to_records()} == {"adam"}
        assert any(str(torn) in note for note in loaded.convergence().notes)

        progress, before = [], stamps(first.folder)[whole.name]
        again = tiny(optimizers=["sgd", "adam"], on_progress=progress.append)
        assert sorted(outcomes(progress)) == [("adam", "kept"), ("sgd", "finished")]
        assert [str(torn) in one.message for one in progress if one.outcome == "started"] == [True]
        assert rows(again) == expected
        assert stamps(first.folder)[whole.name] == before


class TestCompileCache:
    def test_is_on_unless_it_is_refused(self, tiny):
        from bench.measure.devices import cache_folder

        def programs():
            return set(cache_folder().glob("*")) if cache_folder().exists() else set()

        before = programs()
        tiny(problems=["quadratic[dim=5,condition=2]"])
        on = programs()
        run = tiny(problems=["quadratic[dim=6,condition=2]"], compile_cache=False)
        assert before < on == programs()
        assert run.manifest["compile_cache"] == "compilation cache is off: as asked"
        tiny(problems=["quadratic[dim=7,condition=2]"])
        assert on < programs()


class TestPlugins:
    def test_hyperparameters_without_names(self, tiny, plugin):
        """`make(learning_rate, **hyperparameters)` takes any number by name, as an axis of the grid."""
        spec = plugin("""
            import optax

            def make(learning_rate, **hyperparameters):
                assert set(hyperparameters) == {"momentum"}
                return optax.sgd(learning_rate, **hyperparameters)
        """)
        mine = records(tiny(optimizers=[f"{spec}[momentum=0.5,0.9]"]).convergence())[0]
        theirs = records(tiny(optimizers=["sgd_momentum[momentum=0.5,0.9]"]).convergence())[0]
        assert mine["num_points"] == 4
        same = ("train_loss", "momentum", "learning_rate")
        assert [mine[name] for name in same] == pytest.approx([theirs[name] for name in same], rel=1e-5)

    def test_a_whole_entry(self, tiny, plugin):
        """A plug-in may be an entry of the catalogue's own kind, with its own range of learning rates."""
        spec = plugin("""
            import optax
            from optimizers.optimizer import Optimizer

            make = Optimizer(optax.sgd, (0.25, 0.5), source="mine")
        """)
        run = tiny(optimizers=[spec], learning_rate="default:2")
        assert sorted({row["learning_rate"] for row in records(run.trials())}) == [0.25, 0.5]

    def test_weight_decay_is_added(self, tiny, plugin):
        spec = plugin("import optax\ndef make(learning_rate):\n    return optax.sgd(learning_rate)\n")
        given = {"learning_rate": "0.1", "weight_decay": "0.5"}
        mine, theirs = tiny("a", optimizers=[spec], **given), tiny("b", **given)
        losses = [[row["train_loss"] for row in records(run.trials())] for run in (mine, theirs)]
        assert losses[0] == pytest.approx(losses[1], rel=1e-6)

    def test_a_stream_of_ones_own(self, tiny, plugin):
        spec = plugin("""
            import jax, jax.numpy as jnp
            from problems.problem import Problem

            def make(dim: int = 2):
                return Problem(
                    init=lambda key: jax.random.normal(key, (dim,)),
                    loss=lambda x, batch, key: jnp.mean((x[None] - batch) ** 2),
                    metrics=lambda x, data: {"loss": (x * x).sum()},
                    sample=lambda key, batch_size, step: jax.random.normal(key, (batch_size, dim)),
                    batch_size=4,
                    source="mine",
                )
        """)
        run = tiny(problems=[f"{spec}[dim=3]"])
        assert {row["status"] for row in records(run.trials())} == {"ok"}
        assert [row["examples"] for row in records(run.curves())[:3]] == [0, 8, 16]

    def test_an_edited_plugin_is_used_as_it_is_now(self, tiny, plugin):
        """In one Python session, as in a notebook: edit the file, run again."""
        code = "import optax\ndef make(learning_rate):\n    return optax.sgd({} * learning_rate)\n"
        given = {"learning_rate": "0.25"}
        before = records(tiny(optimizers=[plugin(code.format(1))], **given).convergence())[0]["train_loss"]
        after = records(tiny(optimizers=[plugin(code.format(2))], **given).convergence())[0]["train_loss"]
        fresh = records(tiny("other", optimizers=[plugin(code.format(2), "fresh")], **given).convergence())[0]
        assert after == fresh["train_loss"] < before


class TestProcesses:
    def test_killed_run_goes_on_where_it_was(self, start, tmp_path, plugin, rows, stamps):
        """kill -9 while a cell is under way: what was finished stays, the rest comes out as without the kill."""
        # Its compilation waits as long as the file `wait` is there: the run can't get past it.
        slow = plugin("""
            import time
            from pathlib import Path
            import optax

            def make(learning_rate):
                while (Path(__file__).parent / "wait").exists():
                    time.sleep(0.01)
                return optax.sgd(learning_rate)
        """)
        words = ["run", *(word for spec in ("sgd", "adam", slow, "sign_sgd") for word in ("-o", spec)), "--json"]
        words += ["-p", "quadratic[dim=3,condition=2,4]", "--learning-rate", "0.1,0.5"]
        words += ["--steps", "4", "--seeds", "2", "--report-seeds", "2", "--records", "2"]
        (tmp_path / "wait").touch()
        process = start(*words, "--name", "killed")
        parts = tmp_path / "results" / "killed" / "parts"
        # 8 cells, problem by problem: the first two are finished, the third can't be.
        deadline = time.monotonic() + 60
        while len(list(parts.glob("*.parquet"))) < 2 and process.poll() is None and time.monotonic() < deadline:
            time.sleep(0.01)
        process.send_signal(signal.SIGKILL)
        process.communicate()
        assert process.returncode == -signal.SIGKILL
        before = stamps(parts.parent)
        assert len([name for name in before if name.endswith(".parquet")]) == 2

        half = bench.load(parts.parent)
        assert (len(half.parts), half.missing) == (2, 6)
        assert any("6 of 8 cells are not finished" in note for note in half.convergence().notes)

        (tmp_path / "wait").unlink()
        resumed, whole = start(*words, "--name", "killed"), start(*words, "--name", "whole")
        tables = [json.loads(process.communicate()[0]) for process in (resumed, whole)]
        assert (resumed.returncode, whole.returncode) == (0, 0)
        assert before.items() <= stamps(parts.parent).items()
        assert tables[0] == tables[1]
        assert len(tables[0]) == 8
        assert rows(bench.load(parts.parent)) == rows(bench.load(tmp_path / "results" / "whole"))

    def test_two_processes_may_run_the_same(self, start, words, tmp_path, rows, tiny):
        words = ["run", *words, "-o", "sgd", "-o", "adam", "--learning-rate", "0.1,0.5", "--json", "--name", "both"]
        processes = [start(*words), start(*words)]
        tables = [process.communicate()[0] for process in processes]
        assert [process.returncode for process in processes] == [0, 0]
        assert tables[0] == tables[1]
        both = bench.load("both", tmp_path / "results")
        assert rows(both) == rows(tiny("alone", optimizers=["sgd", "adam"]))
        assert {path.suffix for path in (both.folder / "parts").iterdir()} == {".parquet"}
