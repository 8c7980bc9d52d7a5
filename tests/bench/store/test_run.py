"""A run as it is stored: the cells that its manifest names, and some of them."""

import pytest

from optbench.errors import RequestError
from optbench.store.manifest import read_manifest, write_manifest
from optbench.store.parts import adopt_parts, part_path, read_part, write_part
from optbench.store.run import load_stored
from optbench.store.schema import trial_rows
from optbench.store.timings import write_timing

CELLS = {
    "a": ("hill[dim=2]", "sgd"),
    "b": ("hill[dim=2]", "adam[b1=0.5]"),
    "c": ("hill[dim=30]", "adam"),
    "d": ("hillock", "adamw"),
    "e": ("hillock", "sgd"),
}
MANIFEST = {
    "suite": {"dtype": "float32", "report_seeds": 1},
    "device": {"device": "cpu"},
    "cells": [{"key": key, "problem": problem, "optimizer": name} for key, (problem, name) in CELLS.items()],
}


@pytest.fixture
def run(tmp_path, record):
    """Store five cells: two that finished, one that failed, one that is torn and one without a part."""
    write_manifest(tmp_path, MANIFEST)
    for key in ("a", "b", "d", "earlier"):
        problem, optimizer = CELLS.get(key, ("valley", "sgd"))
        outcome = "failed" if key == "d" else "finished"
        write_part(tmp_path, key, trial_rows([]), record(problem=problem, optimizer=optimizer, outcome=outcome))
    part_path(tmp_path, "e").write_text("torn")
    return load_stored(tmp_path)


def keys(parts):
    return [part.path.stem for part in parts]


def test_it_tells_what_became_of_each_cell(run):
    assert (keys(run.parts), keys(run.torn), run.missing) == (["a", "b", "d"], ["e"], 1)
    assert keys(run.failed) == ["d"]
    assert run.whole is run


def test_parts_of_earlier_requests_are_others(run):
    (run.folder / "parts" / "e.torn").write_text("set aside")
    assert [path.name for path in run.others] == ["earlier.parquet"]


@pytest.mark.parametrize(
    ("problems", "optimizers", "cells"),
    [
        ([], [], "abcde"),
        (["hillock"], [], "de"),
        # Of a family, but no other whose name begins like it.
        (["hill"], [], "abc"),
        (["hill[dim=2]"], [], "ab"),
        (["hill*"], [], "abcde"),
        (["hill[dim=?]"], [], "ab"),
        ([], ["adam*"], "bcd"),
        # The label itself, and not its family.
        ([], ["adam"], "c"),
        (["hill"], ["sgd"], "a"),
        (["hill[dim=30]", "hillock"], ["sgd", "adam"], "ce"),
    ],
    ids=str,
)
def test_some_of_its_cells(run, problems, optimizers, cells):
    some = run.only(problems, optimizers)
    assert [cell["key"] for cell in some.manifest["cells"]] == [*cells]
    assert keys(some.parts) == [key for key in "abd" if key in cells]
    assert (keys(some.torn), some.missing) == ([key for key in "e" if key in cells], int("c" in cells))
    assert some.whole is run and some.only().whole is run


def test_a_pattern_that_fits_no_cell_names_those_there_are(run):
    for wanted in ("hil", "hill[dim=]", "hillock[dim=2]"):
        with pytest.raises(RequestError, match=r"problem '.*hil"):
            run.only([wanted])
    # Of what is left by the problems.
    with pytest.raises(RequestError, match="optimizer 'adamw'"):
        run.only(["hill"], ["adamw"])


def test_timings_are_those_of_its_cells(run, timing):
    for key in ("b", "earlier"):
        write_timing(run.folder, timing(key=key))
    assert [one.key for one in run.timings] == ["b"]


class TestAdopting:
    """Parts of other runs are taken where they are finished and lacking."""

    @pytest.fixture
    def others(self, tmp_path, record):
        """Make two runs, of which the first has a failed `a` and the second holds both."""
        folders = [tmp_path / "first", tmp_path / "second"]
        for folder in folders:
            folder.mkdir()
        write_part(folders[0], "a", trial_rows([]), record(outcome="failed", message="boom"))
        for key, steps in (("a", 2), ("b", 3)):
            write_part(folders[1], key, trial_rows([]), record(steps=steps))
        return folders

    @pytest.fixture
    def folder(self, tmp_path):
        (tmp_path / "own").mkdir()
        return tmp_path / "own"

    def test_from_the_first_where_they_have_finished(self, folder, others, record):
        write_part(others[0], "b", trial_rows([]), record(steps=5))
        adopt_parts(folder, ["a", "b", "missing"], others)
        assert read_part(part_path(folder, "a")).results.steps == 2
        assert part_path(folder, "b").read_bytes() == part_path(others[0], "b").read_bytes()
        assert sorted(path.name for path in (folder / "parts").iterdir()) == ["a.parquet", "b.parquet"]

    def test_none_that_is_there(self, folder, others, record):
        write_part(folder, "a", trial_rows([]), record(outcome="failed", message="own"))
        before = part_path(folder, "a").read_bytes()
        adopt_parts(folder, ["a", "b"], others)
        assert part_path(folder, "a").read_bytes() == before
        assert read_part(part_path(folder, "b")).results.steps == 3

    def test_none_that_has_failed_or_is_torn_or_of_nobody(self, folder, others):
        part_path(others[0], "b").write_text("torn")
        adopt_parts(folder, ["a", "b"], others[:1])
        adopt_parts(folder, ["a", "b"], [])
        assert [*folder.iterdir()] == []


def test_a_manifest_may_hold_more_than_is_read(tmp_path):
    written = write_manifest(tmp_path, MANIFEST | {"weather": "fine"})
    assert read_manifest(tmp_path) == written
    assert written["weather"] == "fine"
