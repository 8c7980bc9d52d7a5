"""Run requests end to end: what is computed, kept, retried and told, and that numbers never depend on the way there."""

import json

import pytest

import optbench
from optbench.present.formats import format_table
from optbench.store import packs

#: The columns of `table RUN convergence --format json`.
CONVERGENCE = {
    *("problem", "optimizer", "batch_size", "learning_rate", "weight_decay", "train_loss", "train_loss_low"),
    *("train_loss_high", "gap", "test_loss", "test_accuracy", "steps_to_target", "examples_to_target"),
    *("diverged_fraction", "at_edge", "num_points", "num_seeds", "select_by", "selected"),
    "gradients_to_target",
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
        assert (row["num_points"], row["num_seeds"], row["diverged_fraction"], row["at_edge"]) == (
            2,
            1,
            0,
            ["learning_rate"],
        )
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
        # 2 learning rates x 2 weight decays x 2 schedules x 2 seeds in each of 3 studies, and what each chose by the
        # loss and by the steps to the target.
        assert (phases.count("select"), phases.count("report"), len(phases)) == (48, 6, 54)
        assert {row["status"] for row in rows} == {"ok"}
        assert {row["schedule"] for row in rows} == {"constant", "cosine"}
        settings = {(row["learning_rate"], row["weight_decay"], row["schedule"]) for row in rows}
        assert len(settings) == 8

    def test_curves_has_one_row_per_record(self, tiny):
        rows = records(tiny().curves())
        counted = {"step", "examples", "gradient_evaluations"}
        settings = {"phase", "problem", "optimizer", "batch_size", "seed", "learning_rate", "weight_decay", "schedule"}
        assert set(rows[0]) >= settings | counted | {"batch_loss", "train_loss"}
        # Two selecting trials and a reporting one for each criterion, with a record at steps 0, 2 and 4.
        assert [row["step"] for row in rows] == [0, 2, 4] * 4
        # A deterministic problem counts as one example.
        assert all(row["examples"] == row["gradient_evaluations"] == row["step"] for row in rows)

    def test_data_has_test_metrics_and_counts_examples(self, tiny):
        run = tiny(
            problems=["linear_regression[data=synthetic,rows=20,dim=2,test_fraction=0.2,validation_fraction=0.0]"],
            batch_size=8,
        )
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
        for again in (
            optbench.load("tiny", tmp_path / "results"),
            optbench.load(run.folder),
            optbench.load(str(run.folder)),
        ):
            assert again.trials() == run.trials()
        assert optbench.load("latest", tmp_path / "results").folder == run.folder

    def test_a_suite_of_ones_own(self, tmp_path):
        (tmp_path / "mine.toml").write_text(
            'problems = ["quadratic[dim=3,condition=2]"]\nsteps = 4\nseeds = 1\nreport_seeds = 1\n'
            '[[optimizers]]\nspec = "sgd"\nlearning_rate = "0.1,0.5"\n'
        )
        run = optbench.run(str(tmp_path / "mine.toml"), results=tmp_path)
        assert run.folder == tmp_path / "mine"
        assert [row["learning_rate"] for row in records(run.convergence())] == [0.5]


#: Fails while a file `broken` lies beside it.


class TestMemory:
    @pytest.fixture
    def short(self, monkeypatch):
        """Make the device too small for more than `limit` points together."""
        from optbench.runner import train_cell

        whole, tried = train_cell.sweep, []

        def limit(points):
            def sweep(compiled, given):
                tried.append(compiled.num_points)
                if compiled.num_points > points:
                    raise RuntimeError("RESOURCE_EXHAUSTED: Out of memory allocating 1 bytes")
                return whole(compiled, given)

            monkeypatch.setattr(train_cell, "sweep", sweep)
            return tried

        return limit

    def test_halves_the_points_and_finishes(self, tiny, rows, short):
        given = {"learning_rate": "0.1:0.5:4", "force": True}
        expected, progress = rows(tiny("whole", **given)), []
        tried = short(1)
        run = tiny("short", **given, on_progress=progress.append)
        # All four points, then two, then one at a time; then the two points of the report phase.
        assert tried == [4, 2, 1, 2, 1]
        assert rows(run) == expected
        assert progress[-1].message == "points split into 4 parts of 1 to fit into memory"

    def test_what_does_not_fit_at_all_is_out_of_memory(self, tiny, short):
        short(0)
        run = tiny()
        assert {trial["status"] for trial in records(run.trials())} == {"oom"}
        assert "RESOURCE_EXHAUSTED" in run.failed[0].record.message


class TestCompileCache:
    def test_is_on_unless_it_is_refused(self, tiny):
        from optbench.sweep.devices import cache_folder

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


def test_a_run_of_many_cells_packs_them_as_it_goes(tiny, rows, monkeypatch):
    plain = tiny("plain", optimizers=["sgd", "adam"])
    monkeypatch.setattr(packs, "MANY", 2)
    monkeypatch.setattr(packs, "SETTLED_SECONDS", 0.0)
    packed = tiny("packed", optimizers=["sgd", "adam"])
    assert list((packed.folder / "packs").iterdir())
    assert all(part.pack for part in packed.parts) and not any(part.pack for part in plain.parts)
    assert rows(packed) == rows(plain)
    assert packed.convergence().rows == plain.convergence().rows
