"""Paths: ~ is the user's home, blanks are part of a name, and those in a suite's file count from that file."""

import os

import pytest

from optbench.cli.answer import typed
from optbench.request import RequestError, load_suite
from optbench.store.locations import locate, write_file

PLUGIN = "import optax\ndef make(learning_rate): return optax.sgd(learning_rate)\n"


@pytest.fixture
def home(tmp_path, monkeypatch):
    folder = tmp_path / "home"
    folder.mkdir()
    monkeypatch.setenv("HOME", str(folder))
    monkeypatch.chdir(tmp_path)
    return folder


def test_a_tilde_is_the_home_folder_wherever_a_folder_or_a_file_is_named(home, tmp_path):
    assert locate("~/runs") == home / "runs"
    write_file(locate("~") / "a.txt", b"a")
    write_file(type(home)("~/figures/b.svg"), b"b")
    assert (home / "a.txt").read_bytes() == b"a" and (home / "figures" / "b.svg").read_bytes() == b"b"
    assert not (tmp_path / "~").exists()


def test_runs_plug_ins_suites_and_results_are_found_in_the_home_folder(home, optbench, words, tmp_path):
    (home / "mine.py").write_text(PLUGIN)
    (home / "my results").mkdir()
    said = optbench("run", *words, "-o", "~/mine.py:make", "--learning-rate", "0.1", "--results", "~/my results")
    (folder,) = (home / "my results").iterdir()
    assert said.code == 0 and f"next: optbench table '{folder}' best" in said.out
    assert optbench("table", f"~/my results/{folder.name}").code == 0
    assert optbench("table", "--results", "~/my results").code == 0
    assert not (tmp_path / "~").exists()


def test_a_plug_in_that_is_not_there_is_told_with_the_path_that_was_looked_at(home, optbench, words):
    said = optbench("run", *words, "-o", "~/gone.py:make")
    assert said.code == 2 and f"plug-in file ~/gone.py is not here: {home}/gone.py is no file" in said.err


SUITE = """
problems = ["quadratic", {{ spec = 'linear_regression[data="{data}"]', steps = 3 }}]
optimizers = ["{plugin}", "sgd", "Mine={plugin}"]
"""


@pytest.fixture
def studies(tmp_path, monkeypatch):
    folder = tmp_path / "studies"
    folder.mkdir()
    (folder / "mine.py").write_text(PLUGIN)
    (folder / "a b.csv").write_text("1,2\n")
    (folder / "mine.toml").write_text(SUITE.format(data="a b.csv", plugin="./mine.py:make"))
    monkeypatch.chdir(tmp_path)
    return folder


def specs(suite):
    return [entry.spec for entry in (*suite.problems, *suite.optimizers)]


def test_paths_in_a_suite_count_from_its_file(studies, tmp_path, monkeypatch):
    expected = ["quadratic", 'linear_regression[data="./studies/a b.csv"]', "./studies/mine.py:make", "sgd"]
    expected.append("Mine=./studies/mine.py:make")
    assert specs(load_suite("studies/mine.toml")) == expected
    (tmp_path / "elsewhere").mkdir()
    monkeypatch.chdir(tmp_path / "elsewhere")
    assert specs(load_suite("../studies/mine.toml"))[2] == "../studies/mine.py:make"
    monkeypatch.chdir(studies)
    assert specs(load_suite("mine.toml"))[2] == "./mine.py:make"
    assert specs(load_suite("./mine.toml"))[1] == 'linear_regression[data="a b.csv"]'


def test_a_suite_that_was_written_elsewhere_finds_what_lies_in_the_current_folder(studies, tmp_path):
    (studies / "mine.py").rename(tmp_path / "mine.py")
    assert specs(load_suite("studies/mine.toml"))[2] == "./mine.py:make"
    (tmp_path / "mine.py").unlink()
    assert specs(load_suite("studies/mine.toml"))[2] == "./studies/mine.py:make"


def test_whole_paths_and_names_in_a_suite_stay(studies, tmp_path):
    whole = f"{tmp_path}/mine.py:make"
    text = f'problems = ["mlp[data=digits]"]\noptimizers = ["{whole}", "~/a.py:make", "package.module:make"]\n'
    (studies / "digits").write_text("no data")
    (studies / "names.toml").write_text(text)
    assert specs(load_suite("studies/names.toml")) == ["mlp[data=digits]", whole, "~/a.py:make", "package.module:make"]


def test_faulty_entries_of_a_suite_are_told_as_they_stand(studies):
    (studies / "bad.toml").write_text('problems = "quadratic["\noptimizers = ["sgd", 3]\n')
    with pytest.raises(RequestError, match=r"bad[.]toml'.*brackets do not match"):
        load_suite("studies/bad.toml")


def test_the_command_to_type_next_names_the_run(tmp_path):
    assert typed(locate("results/mine")) == "mine" and typed(locate("my runs/a")) == os.path.join("my runs", "a")
