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
