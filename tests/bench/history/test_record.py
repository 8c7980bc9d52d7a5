"""What a history keeps of a run."""

from pathlib import Path

import pytest

from optbench.errors import StoreError
from optbench.history.record import machine_facts, summarise
from optbench.results import load
from optbench.store.timings import write_timing

DEVICE = {"device": "cpu", "driver": "cpu", "cpu": "Some CPU", "cpu_count": 2, "host_memory_bytes": 2**34}


def ends(*losses):
    return [[4.0, 3.0, float(loss)] for loss in losses]


@pytest.fixture
def summary(tmp_path):
    """Return a function that summarises a run: what the entry says, its rows by measure, what is left out."""

    def call(run="handmade"):
        about, rows, left = summarise(load(run, tmp_path / "results"), "v1")
        return about, {(row["optimizer"], row["measure"]): row for row in rows}, left

    return call


@pytest.fixture
def time_cell(timing):
    """Time a cell of a run's folder: time_cell(folder, key, optimizer)."""
    seconds = {"step_seconds": [3.0, 4.0, 5.0, 4.0, 4.0, 4.0], "sgd_seconds": [2.0] * 6, "compile_seconds": 0.5}
    counts = {"flops_per_step": 99, "peak_bytes": 64, "state_bytes": 8, "measured": "2026-01-01T00:00:00Z"}

    def write(folder: Path, key: str, optimizer: str, device=DEVICE, **fields):
        write_timing(folder, timing(key=key, optimizer=optimizer, device=device, **seconds | counts | fields))

    return write


def test_quality_is_kept_by_seed_as_costs(handmade, summary):
    tried = {0.1: ends(2, 2, 2), 9.0: ends(9, 9, 2)}
    accuracy = {seed: {"test_accuracy": [0.0, 0.5, 0.9]} for seed in range(3)}
    handmade("sgd", ends(1.5, 0.5, 2.0), tried=tried, trials=accuracy)
    about, rows, left = summary()
    assert (about["label"], about["suite"], about["time"]) == ("v1", "handmade", "2025")
    loss = rows["sgd", "train_loss"]
    assert loss["samples"] == [1.5, 0.5, 2.0] and loss["seeds"] == [0, 1, 2] and loss["value"] == 1.5
    assert loss["start"] == 4.0 and loss["least"] == pytest.approx(4 * 2**-23)
    assert loss["settings"] == "steps=20 points=2 seeds=3+3 seed=0" and loss["key"] == "bowl-sgd-4"
    assert loss["best"] == "learning_rate=0.1 weight_decay=0"
    # The target is 1, met at the last record by one seed of three.
    assert rows["sgd", "steps_to_target"]["samples"] == [float("inf"), 20.0, float("inf")]
    assert rows["sgd", "test_error"]["samples"] == pytest.approx([0.1] * 3)
    assert (rows["sgd", "diverged_trials"]["value"], rows["sgd", "diverged_trials"]["n"]) == (2.0, 6)
    assert left == ["no cell is timed, so this entry holds no speed"]


def test_the_gap_stands_for_the_loss_where_the_optimum_is_known(handmade, summary):
    handmade("sgd", ends(1.5, 0.5, 2.0), optimum=0.5)
    _, rows, _ = summary()
    assert rows["sgd", "gap"]["samples"] == [1.0, 0.0, 1.5] and ("sgd", "train_loss") not in rows


def test_metrics_of_a_problem_are_kept_where_lower_is_better(handmade, summary):
    own = {"train_angle": [3.0, 2.0, 1.0], "train_share": [0.1, 0.2, 0.3]}
    handmade("sgd", ends(1, 1), trial=own, higher_is_better=["share"])
    _, rows, _ = summary()
    assert rows["sgd", "train_angle"]["samples"] == [1.0, 1.0] and ("sgd", "train_share") not in rows


def test_timings_are_kept_with_their_samples_and_in_terms_of_sgd(handmade, summary, tmp_path, time_cell):
    handmade("adam", ends(1, 1))
    handmade("sgd", ends(1, 1))
    for name in ("adam", "sgd"):
        time_cell(tmp_path / "results" / "handmade", f"bowl-{name}-4", name)
    about, rows, left = summary()
    step = rows["adam", "step_seconds"]
    # Of six samples the lowest and the highest bound the median at 95 %.
    assert (step["value"], step["low"], step["high"], step["n"]) == (4.0, 3.0, 5.0, 6)
    assert rows["adam", "sgd_ratio"]["value"] == 2.0 and ("sgd", "sgd_ratio") not in rows
    once = ("flops_per_step", "compile_seconds", "peak_bytes", "state_bytes")
    assert [rows["adam", name]["value"] for name in once] == [99, 0.5, 64, 8]
    assert (about["time"], about["cpu"], about["memory_gib"], left) == ("2026-01-01T00:00:00Z", "Some CPU", 16, [])


def test_what_came_out_of_the_compilation_cache_has_no_compile_time(handmade, summary, tmp_path, time_cell):
    handmade("adam", ends(1, 1))
    time_cell(tmp_path / "results" / "handmade", "bowl-adam-4", "adam", compile_seconds=None)
    assert ("adam", "compile_seconds") not in summary()[1]


def test_speeds_of_two_machines_are_not_mixed(handmade, summary, tmp_path, time_cell):
    handmade("adam", ends(1, 1))
    handmade("sgd", ends(1, 1))
    folder = tmp_path / "results" / "handmade"
    time_cell(folder, "bowl-adam-4", "adam", DEVICE | {"cpu": "Newer CPU"}, measured="2026-02-01T00:00:00Z")
    time_cell(folder, "bowl-sgd-4", "sgd")
    about, rows, left = summary()
    assert about["cpu"] == "Newer CPU" and ("sgd", "step_seconds") not in rows
    assert left == ["1 cells were timed on another machine"]


def test_a_failed_cell_is_a_row(handmade, summary):
    handmade("sgd", ends(1, 1))
    handmade("lion", [], outcome="failed", message="boom")
    assert summary()[1]["lion", "failed"]["message"] == "boom"


def test_a_run_with_nothing_is_refused(handmade, summary, tmp_path):
    (Path(handmade("sgd", ends(1)).path)).unlink()
    with pytest.raises(StoreError, match="no finished cell"):
        summary()


def test_a_fingerprint_is_of_what_speed_depends_on():
    prints = {
        machine_facts(DEVICE | change)["machine"]
        for change in ({}, {"system": "other"}, {"host_memory_bytes": 2**34 - 9})
    }
    assert len(prints) == 1
    for change in ({"cpu": "x"}, {"device": "x"}, {"driver": "x"}, {"cpu_count": 4}, {"host_memory_bytes": 2**35}):
        assert machine_facts(DEVICE | change)["machine"] not in prints


def test_a_reference_run_has_a_summary(tmp_path):
    about, rows, _ = summarise(load("reference/leaderboard", tmp_path))
    assert about["suite"] == "leaderboard" and {row["measure"] for row in rows} >= {"train_loss", "test_error"}
    assert not [row for row in rows if row["measure"] == "diverged_trials"]
