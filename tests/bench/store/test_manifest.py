"""Which commit a run belongs to."""

import subprocess

import pytest

from optbench.store import manifest


@pytest.fixture
def repository(tmp_path, monkeypatch):
    """Make a repository with one commit, and stand in it."""
    (tmp_path / "my_opt.py").write_text("x = 1\n")
    for words in (["init", "-q"], ["add", "."], ["-c", "user.name=n", "-c", "user.email=e@e", "commit", "-qm", "m"]):
        subprocess.run(["git", *words], cwd=tmp_path, check=True)
    monkeypatch.chdir(tmp_path)
    return tmp_path


def head(folder):
    done = subprocess.run(["git", "rev-parse", "HEAD"], cwd=folder, capture_output=True, text=True, check=True)
    return done.stdout.strip()


def test_a_checkout_names_its_own_commit(repository, monkeypatch):
    monkeypatch.setattr(manifest, "ROOT", repository)
    monkeypatch.chdir("/")
    assert manifest._git_commit() == head(repository)


def test_an_installed_copy_names_the_commit_of_the_current_folder(repository, tmp_path_factory, monkeypatch):
    installed = tmp_path_factory.mktemp("site-packages")
    monkeypatch.setattr(manifest, "ROOT", installed)
    assert manifest._git_commit() == head(repository)
    (repository / "my_opt.py").write_text("x = 2\n")
    assert manifest._git_commit() == f"{head(repository)}-dirty"


def test_outside_of_any_repository_there_is_none(tmp_path, monkeypatch):
    monkeypatch.setattr(manifest, "ROOT", tmp_path)
    monkeypatch.chdir(tmp_path)
    assert manifest._git_commit() is None


CELL = {"key": "key", "problem": "bowl", "optimizer": "sgd"}


@pytest.mark.parametrize("note", [None, "compilation cache is off: as asked"])
def test_a_run_that_begins_is_described_by_what_it_stands_on(monkeypatch, note):
    monkeypatch.setattr(manifest, "_git_commit", lambda: "commit")
    suite, cells, device = {"dtype": "float32"}, [CELL], {"device": "cpu"}
    described = manifest.describe(suite, cells, device, note)
    assert {name: described[name] for name in ("suite", "device", "cells")} == {
        "suite": suite,
        "device": device,
        "cells": cells,
    }
    assert described["compile_cache"] == (note or "on")
    assert (described["git_commit"], described["ended"]) == ("commit", None)
    assert set(described["versions"]) == {*manifest.PACKAGES, "python"}
    assert {*manifest.TRAINS} == {"jax", "jaxlib", "optax", "flax"}


WHOLE = {"suite": {"dtype": "float32", "report_seeds": 1}, "device": {"device": "cpu"}, "cells": [CELL]}


@pytest.mark.parametrize(
    ("change", "fault"),
    [
        *(({}, None), ({"more": 1}, None), ({"cells": []}, None)),
        *(({"suite": []}, "suite: no object"), ({"device": {}}, "device: device is missing")),
        ({"suite": {"dtype": 3, "report_seeds": 1}}, "suite: dtype is no str"),
        ({"suite": {"dtype": "float32", "report_seeds": "1"}}, "suite: report_seeds is no int"),
        ({"cells": {}}, "cells is no list"),
        ({"cells": [CELL, CELL | {"problem": None}]}, "cells[1]: problem is no str"),
        ({"cells": [{"key": "key"}]}, "cells[0]: problem is missing"),
        ({"cells": [CELL | {"key": ""}]}, "cells[0]: key is no name"),
    ],
    ids=str,
)
def test_the_first_thing_that_is_wrong_is_named(change, fault):
    assert manifest._missing(WHOLE | change) == fault


def test_what_lacks_all_names_the_first():
    assert manifest._missing({}) == "suite is missing"


@pytest.mark.parametrize(
    ("text", "is_name"),
    [
        *(("0123abcd", True), ("bowl-sgd-4", True), ("..a", True), ("...", True), ("häufig", True)),
        *(("", False), (".", False), ("..", False), ("a/b", False), ("/", False), ("a\\b", False), ("a\nb", False)),
    ],
)
def test_a_key_names_a_file_in_its_folder(text, is_name):
    assert manifest._is_name(text) == is_name
