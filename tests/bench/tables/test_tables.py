"""Every kind of table, of every kind of run: none breaks, and none is silent about why it is empty."""

import math
import subprocess
import sys
from typing import Any

import pytest

import optbench
from optbench import tables
from optbench.errors import RequestError
from optbench.present.formats import format_table
from optbench.store.manifest import read_manifest, write_manifest
from optbench.tables.table_kind import TableKind, report_notes, select_notes

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

#: Every kind of table, by what its rows are of.
KINDS = {name: tables.kind(name) for name in tables.names()}
OF_CURVES = [name for name, kind in KINDS.items() if kind.of_curves]
OF_SELECTION = [name for name, kind in KINDS.items() if kind.shared_notes is select_notes]
OF_REPORTS = [name for name, kind in KINDS.items() if kind.shared_notes is report_notes]

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


@pytest.mark.parametrize("kind", OF_CURVES)
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


@pytest.mark.parametrize("kind", OF_SELECTION)
def test_trials_that_a_search_stopped_are_told(handmade, tmp_path, kind):
    """Of two points one ran to step 20, and one was stopped at step 10."""
    for optimizer, trial_steps in (("sgd", 30), ("adam", 40)):
        handmade(optimizer, [[3.0, 2.0, 1.0]], tried=TRIED, trial_steps=trial_steps)
    said = "in 1 of 2 cells the search stopped some trials early: they count with the loss they had by then"
    assert said in optbench.load("handmade", tmp_path / "results").table(kind).notes


@pytest.mark.parametrize("kind", OF_REPORTS)
@pytest.mark.parametrize("report", [[[3.0, 2.0, 1.0]], []], ids=["fresh-seeds", "selection-seeds"])
def test_which_seeds_speak_is_told(handmade, tmp_path, kind, report):
    handmade("sgd", report, tried=TRIED)
    said = "no report seeds: these results are of the seeds that settings were chosen by, and look better than they are"
    assert (said in optbench.load("handmade", tmp_path / "results").table(kind).notes) == (report == [])


def test_every_file_is_a_kind_with_the_file_s_name():
    assert all(isinstance(kind, TableKind) and kind.meaning for kind in KINDS.values())
    assert len({kind.meaning for kind in KINDS.values()}) == len(KINDS) >= 14


def test_what_comes_first_is_there():
    """Names that are moved or misspelt would come last without a word."""
    assert tables.names()[: len(tables.FIRST)] == tables.FIRST


def test_an_unknown_kind_is_refused_with_the_nearest():
    with pytest.raises(RequestError, match="unknown table 'time_to_target'; did you mean 'time-to-target'"):
        tables.kind("time_to_target")


def test_a_kind_loads_no_other_but_what_it_is_made_of():
    """Asked in a fresh Python: `best` and `time-to-target` are made of the rows of `convergence`."""
    code = """
import sys
from optbench import tables
loaded = lambda: {name.split(".")[2] for name in sys.modules if name.startswith("optbench.tables.")}
names = tables.names()
assert not loaded() and "numpy" not in sys.modules and "pyarrow" not in sys.modules
for name in names:
    before = {*sys.modules}
    tables.kind(name)
    print(name, *loaded())
    for module in {*sys.modules} - before:
        if module.startswith("optbench.tables."):
            del sys.modules[module]
"""
    done = subprocess.run([sys.executable, "-c", code], capture_output=True, text=True, check=True)
    lines = [line.split() for line in done.stdout.splitlines()]
    assert [name for name, *_ in lines] == [*tables.names()]
    helpers = {"table_kind", "_trial_rows"}
    others = {name: {*loaded} - helpers - {name.replace("-", "_")} for name, *loaded in lines}
    assert {name: modules for name, modules in others.items() if modules} == {
        "best": {"convergence"},
        "time-to-target": {"convergence"},
    }
