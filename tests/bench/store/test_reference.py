"""Reference runs: what is kept of a run, and how one stands beside them."""

import os
import shutil
import subprocess
import sys
from dataclasses import replace
from pathlib import Path

import pytest

from optbench.errors import StoreError
from optbench.results import load
from optbench.runner.compare import compare_optimizers
from optbench.store import schema, trials
from optbench.store.archive import write_archive
from optbench.store.parts import write_part
from optbench.store.reference import keep_reference


def ends(*losses):
    return [[8.0, 8.0, float(loss)] for loss in losses]


@pytest.fixture
def reference(handmade, tmp_path):
    handmade("sgd", ends(*[2] * 10))
    handmade("lion", [], outcome="failed", message="boom")
    folder = tmp_path / "results" / "reference" / "quick"
    keep_reference(load("handmade", tmp_path / "results"), folder)
    return folder


def test_keeps_report_seeds_alone(reference):
    kept = load(reference)
    assert [part.record.optimizer for part in kept.parts] == ["sgd"]
    assert {row["phase"] for row in trials.read_rows(kept.parts).to_pylist()} == {"report"}
    assert kept.missing == 1


def test_all_cells_are_in_one_file(reference):
    assert sorted(path.name for path in reference.iterdir()) == ["manifest.json", "reference.parquet"]


def test_trials_are_those_of_the_run(handmade, tmp_path):
    own = {"train_angle": [0.5, 0.25, 0.125], "hyperparameters": {"learning_rate": 0.1, "b1": 0.9}}
    handmade("adam", ends(*[1] * 3), trial=own)
    handmade("sgd", ends(*[2] * 3), step=(0, 5, 30))
    run, folder = load("handmade", tmp_path / "results"), tmp_path / "reference"
    keep_reference(run, folder)
    kept = load(folder)
    for one, other in zip(run.parts, kept.parts, strict=True):
        assert other.record == one.record
        assert trials.read_rows([other]).equals(trials.read_rows([one], phase="report"))
        assert {*trials.measured_columns(other)} == {*trials.measured_columns(one)}
        names = ["hyperparameters", "phase", "step"]
        (batch,) = trials.read_batches(other, names)
        (expected,) = trials.read_batches(one, names, "report")
        assert batch.schema.names == expected.schema.names
        assert batch["hyperparameters"].keys.to_pylist() == expected["hyperparameters"].keys.to_pylist()
    for kind in ("convergence", "best", "trials", "curves"):
        assert [*kept.table(kind).rows][-3:] == [*run.table(kind).rows][-3:]


def test_a_part_goes_before_what_is_kept_of_an_older_one(reference):
    (part,) = load(reference).parts
    (reference / "parts").mkdir()
    changed = replace(part.record, results=replace(part.results, best_point=7))
    write_part(reference, part.path.stem, trials.read_rows([part]), changed)
    assert [one.results.best_point for one in load(reference).parts] == [7]


def test_what_takes_its_place_is_read_anew(reference, handmade, tmp_path):
    assert len(load(reference).parts) == 1
    handmade("adam", ends(*[1] * 10))
    keep_reference(load("handmade", tmp_path / "results"), reference)
    assert {part.record.optimizer for part in load(reference).parts} == {"adam", "sgd"}


@pytest.mark.parametrize("place", [100, 200, -200, -9, -1])
def test_a_damaged_file_is_one_line(reference, place):
    path = reference / "reference.parquet"
    content = bytearray(path.read_bytes())
    content[place] ^= 1
    path.write_bytes(content)
    with pytest.raises(StoreError, match=r"^\S+reference.parquet (is torn|has schema)[^\n]*$"):
        load(reference)


def test_one_of_a_newer_schema_is_refused(reference, monkeypatch):
    (part,) = load(reference).parts
    rows = trials.read_rows([part])
    with monkeypatch.context() as patch:
        patch.setattr(schema, "VERSION", 2)
        write_archive(reference, [(part.path.stem, part.record, rows)])
    with pytest.raises(StoreError, match="has schema 2; this optbench reads 1"):
        load(reference)


def test_trials_that_are_gone_are_one_line(reference):
    (part,) = load(reference).parts
    (reference / "reference.parquet").unlink()
    assert load(reference).missing == 2
    with pytest.raises(StoreError, match="no longer holds"):
        trials.read_rows([part])


def test_a_run_without_a_finished_cell_is_no_reference(handmade, tmp_path):
    handmade("lion", [], outcome="failed", message="boom")
    with pytest.raises(StoreError, match="nothing to keep"):
        keep_reference(load("handmade", tmp_path / "results"), tmp_path / "reference")


def test_they_are_kept_by_a_command(handmade, tmp_path):
    handmade("sgd", ends(2))
    command = [sys.executable, "-m", "optbench.store.reference", "handmade", "kept"]
    done = subprocess.run(command, cwd=tmp_path, capture_output=True, text=True)
    assert (done.returncode, done.stdout, done.stderr) == (0, "", "")
    assert len(load(tmp_path / "kept").parts) == 1


@pytest.fixture
def checkout(tmp_path):
    """Make a checkout of `scripts/reference` alone, whose commands write down how they are called."""
    (tmp_path / "scripts").mkdir()
    shutil.copy(Path(__file__).parents[3] / "scripts" / "reference", tmp_path / "scripts")
    (tmp_path / ".gitignore").write_text("bin\ncalls\n")
    (tmp_path / "bin").mkdir()
    for name in ("optbench", "python"):
        command = tmp_path / "bin" / name
        command.write_text(f'#!/bin/sh\necho {name} "$*" >> calls\n')
        command.chmod(0o755)
    for words in (["init", "-q"], ["add", "."], ["commit", "-qm", "begin"]):
        who = ["-c", "user.name=n", "-c", "user.email=e@localhost"]
        subprocess.run(["git", *who, *words], cwd=tmp_path, check=True)
    return tmp_path


def reference_script(checkout, *suites):
    command = ["scripts/reference", *suites]
    return subprocess.run(command, cwd=checkout, env=os.environ | {"BIN": "bin"}, capture_output=True, text=True)


def test_references_of_a_tree_with_uncommitted_changes_are_refused(checkout):
    (checkout / "changed").write_text("")
    done = reference_script(checkout, "quick")
    assert (done.returncode, done.stdout, done.stderr.count("\n")) == (2, "", 1)
    assert "uncommitted changes" in done.stderr and not (checkout / "calls").exists()


def test_all_references_are_measured_before_one_changes_the_tree(checkout):
    assert reference_script(checkout, "quick", "networks").returncode == 0
    assert (checkout / "calls").read_text().splitlines() == [
        "optbench run quick --no-throughput --name for-reference-quick",
        "optbench run networks --no-throughput --name for-reference-networks",
        "python -m optbench.store.reference for-reference-quick results/reference/quick",
        "python -m optbench.store.reference for-reference-networks results/reference/networks",
    ]


def test_tables_of_report_seeds_are_as_before(reference, tmp_path):
    kept, run = load(reference), load("handmade", tmp_path / "results")
    for kind in ("convergence", "best", "ert", "profile"):
        assert kept.table(kind, optimizers=["sgd"]).rows == run.table(kind, optimizers=["sgd"]).rows


@pytest.mark.parametrize("kind", ["sensitivity", "budget", "defaults"])
def test_tables_of_selection_trials_say_that_they_are_not_kept(reference, kind):
    with pytest.raises(ValueError, match="bowl / sgd: its select trials are not kept"):
        load(reference).table(kind, optimizers=["sgd"])


@pytest.mark.parametrize("name", ["reference:sgd", "reference/quick:sgd"])
def test_one_compares_with_them(reference, handmade, tmp_path, name):
    handmade("adam", ends(*[1] * 10), run="mine")
    compared = compare_optimizers(["mine:adam", name], results=tmp_path / "results")
    assert [row["verdict"] for row in compared.per_problem.to_records()] == ["better"]


@pytest.mark.parametrize("suite", ["quick", "leaderboard", "landscape", "networks"])
def test_those_of_this_checkout_are_whole_and_of_this_schema(suite, tmp_path):
    run = load(f"reference/{suite}", tmp_path)
    assert (run.torn, run.missing, run.failed) == ((), 0, ())
    assert all(part.record.report_seeds >= 6 for part in run.parts)
    assert run.manifest["suite"]["name"] == suite


def test_a_report_of_them_leaves_out_what_is_not_kept(reference):
    from optbench.report.report import report

    page = report([load(reference)], reference / "report.html")
    assert "1 of 2 cells finished, 1 missing, no selection trials are stored" in page
    assert "Every trial" not in page


def test_those_of_an_installed_copy_are_found_where_no_checkout_is(reference, tmp_path, monkeypatch):
    from optbench.store import runs

    installed = tmp_path / "site-packages" / "optbench"
    (installed / "reference").mkdir(parents=True)
    reference.rename(installed / "reference" / "quick")
    monkeypatch.setattr(runs, "REFERENCES", (tmp_path / "nowhere", installed))
    for name in ("reference", "reference/quick"):
        assert runs.find_run(tmp_path / "results", name) == installed / "reference" / "quick"
