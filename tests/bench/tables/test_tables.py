"""Every kind of table, of every kind of run: none breaks, and none is silent about why it is empty."""

import math
from typing import Any

import pytest

import optbench
from optbench.present.table import format_table
from optbench.store.manifest import read_manifest, write_manifest
from optbench.tables import KINDS

TRIED = {0.1: [[3.0, 2.5, 2.0]], 0.2: [[3.0, 2.0, 1.0]]}
LOST = {"status": "diverged"}
#: name -> the cells of a run, as arguments and fields of `handmade`.
EDGES = {
    "one-point": [("sgd", [[3.0, 2.0, 1.0]], {"tried": {0.1: [[3.0, 2.0, 1.0]]}})],
    "one-record": [("sgd", [[3.0]], {"step": (0,), "tried": {0.1: [[3.0]], 0.2: [[3.0]]}})],
    "without-report-seeds": [("sgd", [], {"tried": TRIED}), ("adam", [], {"tried": TRIED})],
    "all-diverged": [
        ("sgd", [[3.0, math.nan, math.nan]], {"tried": {0.1: [[3.0, math.nan, math.nan]]}, "trial": LOST}),
        ("adam", [[3.0, 2.0, 4.0]], {"tried": {0.1: [[3.0, 2.0, 4.0]]}, "trial": LOST, "targets": {}}),
    ],
    "stopped": [
        (
            "sgd",
            [[3.0, 2.0, 1.0]],
            {"tried": {0.3: [[3.0, 2.9, math.nan]], **TRIED}, "points": {0: {"status": "stopped"}}},
        )
    ],
    "without-target": [(name, [[3.0, 2.0, 1.0]], {"tried": TRIED, "targets": {}}) for name in ("sgd", "adam")],
    "nobody-reached-it": [(name, [[3.0, 2.0, 1.5]], {"tried": TRIED, "batch_size": 8}) for name in ("sgd", "adam")],
    "at-the-optimum": [(name, [[3.0, 2.0, 1.0]], {"tried": TRIED, "optimum": 1.0}) for name in ("sgd", "adam")],
    "started-at-it": [("sgd", [[0.0, 0.0, 0.0]], {"tried": {0.1: [[0.0] * 3]}, "optimum": 0.0})],
    "below-zero": [("sgd", [[-1.0, -2.0, -3.0]], {"tried": {0.1: [[-1.0, -2.0, -3.0]], 0.2: [[-1.0, -1.5, -2.0]]}})],
    "full-batches": [
        ("sgd", [[3.0, 2.0, 1.0]], {"tried": TRIED, "batch_size": size, "examples_per_step": rows})
        for size, rows in ((4, 4), ("full", 20))
    ],
    "no-common-problem": [
        ("sgd", [[3.0, 2.0, 1.0]], {"tried": TRIED}),
        ("adam", [[3.0, 2.0, 1.0]], {"tried": TRIED, "problem": "hill"}),
    ],
    "one-failed": [
        ("sgd", [[3.0, 2.0, 1.0]], {"tried": TRIED}),
        ("adam", [], {"select": [], "outcome": "failed", "message": "boom"}),
    ],
}

VIEWS: list[dict[str, Any]] = [{}, {"at_step": 0}, {"target": 2.0, "seeds": 1}]


@pytest.mark.parametrize("kind", KINDS)
@pytest.mark.parametrize("cells", EDGES.values(), ids=EDGES)
def test_every_kind_of_run_has_every_kind_of_table(handmade, tmp_path, cells, kind):
    for optimizer, losses, fields in cells:
        handmade(optimizer, losses, **fields)
    run = optbench.load("handmade", tmp_path / "results")
    for view in VIEWS:
        table = run.table(kind, **view)
        assert all(format_table(table, format) for format in ("plain", "csv", "json"))
        assert all(note and note == note.strip() for note in table.notes)


@pytest.mark.parametrize("kind", [kind for kind in KINDS if kind != "throughput"])
@pytest.mark.parametrize("cells", ["none", "never-run", "failed", "torn"])
def test_nothing_finished_is_said(handmade, tmp_path, kind, cells):
    part = handmade("sgd", [], select=[], outcome="failed", message="boom")
    if cells == "none":
        write_manifest(part.path.parents[1], read_manifest(part.path.parents[1]) | {"cells": []})
    elif cells == "never-run":
        part.path.unlink()
    elif cells == "torn":
        part.path.write_bytes(part.path.read_bytes()[:100])
    table = optbench.load("handmade", tmp_path / "results").table(kind)
    assert "no cell has finished" in table.notes
    assert cells == "failed" or table.to_records() == []
    assert format_table(table)


@pytest.mark.parametrize("kind", ["sensitivity", "budget", "defaults", "batch-scaling"])
def test_trials_that_a_search_stopped_are_told(handmade, tmp_path, kind):
    """Of two points one ran to step 20, and one was stopped at step 10."""
    for optimizer, trial_steps in (("sgd", 30), ("adam", 40)):
        handmade(optimizer, [[3.0, 2.0, 1.0]], tried=TRIED, trial_steps=trial_steps)
    said = "in 1 of 2 cells a search stopped some selection trials early: they count with what they had then"
    assert said in optbench.load("handmade", tmp_path / "results").table(kind).notes


@pytest.mark.parametrize("kind", ["ranks", "ert", "ecdf", "profile"])
@pytest.mark.parametrize("report", [[[3.0, 2.0, 1.0]], []], ids=["fresh-seeds", "selection-seeds"])
def test_which_seeds_speak_is_told(handmade, tmp_path, kind, report):
    handmade("sgd", report, tried=TRIED)
    said = "for want of report seeds, the selection seeds of the best point stand in for them"
    assert (said in optbench.load("handmade", tmp_path / "results").table(kind).notes) == (report == [])
