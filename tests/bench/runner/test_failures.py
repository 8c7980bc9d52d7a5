"""What goes wrong costs its own cell alone: failures, torn parts, plug-ins, killed processes."""

import json
import math
import signal
import time

import pytest

import optbench
from optbench.present.formats import format_table
from optbench.store import schema


def outcomes(progress):
    """Name what happened, without the starts."""
    return [(one.job.cell.optimizer, one.outcome) for one in progress if one.outcome != "started"]


def records(table):
    return json.loads(format_table(table, "json"))


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
        assert [(trial["status"], trial["message"]) for trial in trials] == [
            ("error", "ValueError: boom (plug.py line 7)")
        ] * 2
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
            ("raise SystemExit('no weights here')", "error", "SystemExit: no weights here"),
            ("return optax.scale(float('nan'))", "diverged", None),
            ("return optax.scale(-1e30)", "diverged", None),
        ],
        ids=["raises", "returns-none", "returns-a-number", "exits", "yields-nan", "explodes"],
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
            (
                "return bowl(optimum=lambda: 'low')",
                "error",
                "ValueError: optimum: expected a finite number, found 'low'",
            ),
            ("return bowl(steps='100')", "error", "ValueError: steps: expected a whole number from 1 on, found '100'"),
            ("return bowl(train=[[1.0, 2.0], [3.0, 4.0]])", "error", "ValueError: train[0][0]: expected an array"),
            ("raise SystemExit('no data here')", "error", "ExitedError: it called sys.exit: no data here"),
        ],
        ids=[
            *("raises", "refuses", "returns-a-number", "loss-does-not-fit", "loss-is-a-vector", "no-loss-metric"),
            *("loss-is-nan", "lies-about-its-optimum", "optimum-raises", "optimum-is-text"),
            *("steps-are-text", "rows-are-lists", "exits"),
        ],
    )
    def test_a_bad_problem_fails_alone(self, tiny, plugin, rows, body, status, said):
        code = """
        import jax.numpy as jnp
        from optbench.problems.problem import Problem

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


def last_page(whole):
    """Find the last byte before the footer, whose length stands at the end: it belongs to the report seeds."""
    return len(whole) - 8 - int.from_bytes(whole[-8:-4], "little") - 1


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
            lambda whole: (
                whole[: last_page(whole)] + bytes([whole[last_page(whole)] ^ 1]) + whole[last_page(whole) + 1 :]
            ),
            lambda whole: b"this is no parquet\n",
        ],
        ids=[
            *("half", "all-but-a-byte", "empty", "zeros", "first-half-zeros", "a-few-zeros", "other-bits"),
            *("last-row-group", "text"),
        ],
    )
    def test_torn_part_is_named_ignored_and_computed_again(self, tiny, rows, stamps, tear):
        first = tiny(optimizers=["sgd", "adam"])
        expected, torn, whole = rows(first), first.parts[0].path, first.parts[1].path
        torn.write_bytes(tear(torn.read_bytes()))

        loaded = optbench.load(first.folder)
        assert [(part.path, part.message) for part in loaded.torn] == [(torn, "is torn")]
        assert torn.exists()
        damaged = torn.read_bytes()
        for kind in ("convergence", "trials", "curves", "best"):
            assert {row["optimizer"] for row in loaded.table(kind).to_records()} == {"adam"}
        assert any(str(torn) in note for note in loaded.convergence().notes)

        progress, before = [], stamps(first.folder)[whole.name]
        again = tiny(optimizers=["sgd", "adam"], on_progress=progress.append)
        assert sorted(outcomes(progress)) == [("adam", "kept"), ("sgd", "finished")]
        assert [str(torn) in one.message for one in progress if one.outcome == "started"] == [True]
        assert rows(again) == expected
        assert torn.with_suffix(".torn").read_bytes() == damaged
        assert stamps(first.folder)[whole.name] == before

    @pytest.mark.parametrize("force", [False, True])
    def test_a_part_of_a_newer_optbench_is_named_and_set_aside(self, tiny, rows, monkeypatch, force):
        with monkeypatch.context() as patch:
            patch.setattr(schema, "VERSION", schema.VERSION + 1)
            newer = tiny().parts[0].path
        (newer.parents[1] / "manifest.json").unlink()
        kept, progress = newer.read_bytes(), []
        run = tiny(on_progress=progress.append, force=force)
        said = f"part {newer} has schema 2; this optbench reads 1: kept as {newer.stem}.torn, computed again"
        assert [one.message for one in progress if one.outcome == "started"] == [said]
        assert newer.with_suffix(".torn").read_bytes() == kept
        assert rows(run) == rows(tiny("other"))
        newer.write_bytes(kept)
        (note,) = [note for note in optbench.load(run.folder).convergence().notes if str(newer) in note]
        assert "has schema 2; this optbench reads 1: left out" in note


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
            from optbench.optimizers.optimizer import Optimizer

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
            from optbench.problems.problem import Problem

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
    @pytest.mark.faults
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

        half = optbench.load(parts.parent)
        assert (len(half.parts), half.missing) == (2, 6)
        assert any("6 of 8 cells are not finished" in note for note in half.convergence().notes)

        (tmp_path / "wait").unlink()
        resumed, whole = start(*words, "--name", "killed"), start(*words, "--name", "whole")
        tables = [json.loads(process.communicate()[0]) for process in (resumed, whole)]
        assert (resumed.returncode, whole.returncode) == (0, 0)
        assert before.items() <= stamps(parts.parent).items()
        assert tables[0] == tables[1]
        assert len(tables[0]) == 8
        assert rows(optbench.load(parts.parent)) == rows(optbench.load(tmp_path / "results" / "whole"))

    @pytest.mark.faults
    def test_two_processes_may_run_the_same(self, start, words, tmp_path, rows, tiny):
        words = ["run", *words, "-o", "sgd", "-o", "adam", "--learning-rate", "0.1,0.5", "--json", "--name", "both"]
        processes = [start(*words), start(*words)]
        tables = [process.communicate()[0] for process in processes]
        assert [process.returncode for process in processes] == [0, 0]
        assert tables[0] == tables[1]
        both = optbench.load("both", tmp_path / "results")
        assert rows(both) == rows(tiny("alone", optimizers=["sgd", "adam"]))
        assert {path.suffix for path in (both.folder / "parts").iterdir()} == {".parquet"}
