"""A table is one file: put beside the others it is in the help, the command, the report and the contract tests."""

import json
import os
import subprocess
import sys
from pathlib import Path

import pytest

import optbench
from optbench import tables
from optbench.store.run import load_stored

TESTS = Path(__file__).parents[1]
TABLE = '''
"""How many seeds each cell was reported on."""

from optbench.tables.table_kind import TableKind


def make(run, view):
    """Count the report seeds of each cell."""
    finished = [part for part in run.parts if part.outcome == "finished"]
    rows = [part.record.names | {"num_seeds": part.record.report_seeds} for part in finished]
    return ["problem", "optimizer", "batch_size", "num_seeds"], rows


TABLE = TableKind("how many seeds each cell was reported on", make, section="Results", open_in_report=True)
'''
#: A module that makes a folder one of those that tables are found in.
ADD = "from optbench import tables\ntables.__path__.append({folder!r})\n"
COMMAND = "import sys, add_table; from optbench.cli import main; sys.exit(main(sys.argv[1:]))"


@pytest.fixture
def folder(tmp_path, monkeypatch):
    """Put the file into a folder of its own, which the package has beside the real one."""
    folder = tmp_path / "more_tables"
    folder.mkdir()
    (folder / "seed_counts.py").write_text(TABLE)
    monkeypatch.setattr(tables, "__path__", [*tables.__path__, str(folder)])
    yield folder
    sys.modules.pop("optbench.tables.seed_counts", None)
    vars(tables).pop("seed_counts", None)


@pytest.fixture
def python(folder, tmp_path):
    """Run a fresh Python that has the new table from its start: python(*arguments) -> its standard output."""
    (tmp_path / "add_table.py").write_text(ADD.format(folder=str(folder)))
    environment = os.environ | {"PYTHONPATH": str(tmp_path)}

    def call(*arguments, cwd=tmp_path):
        done = subprocess.run(
            [sys.executable, *arguments], cwd=cwd, env=environment, capture_output=True, text=True, check=False
        )
        assert (done.returncode, done.stderr) == (0, ""), done.stdout + done.stderr
        return done.stdout

    return call


def test_comes_last_and_is_read_from_its_file(folder):
    assert tables.names()[-1] == "seed-counts"
    assert tables.kind("seed-counts").meaning == "how many seeds each cell was reported on"


def test_is_listed_last_in_the_help(python):
    words = " ".join(python("-c", COMMAND, "table", "--help").replace("│", " ").split())
    assert "profile, defaults or seed-counts." in words


def test_is_printed_by_the_command(folder, handmade, tmp_path, monkeypatch, capsys):
    from optbench.cli import main

    handmade("sgd", [[3.0, 2.0, 1.0]] * 3)
    monkeypatch.chdir(tmp_path)
    assert main(["table", "handmade", "seed-counts", "--format", "json"]) == 0
    rows = [{"problem": "bowl", "optimizer": "sgd", "batch_size": 4, "num_seeds": 3}]
    assert json.loads(capsys.readouterr().out) == rows
    assert optbench.load("handmade").table("seed-counts").to_records() == rows
    assert main(["table", "latest", "seed-counts"]) == 0
    assert capsys.readouterr().out.startswith("handmade: how many seeds each cell was reported on\n")


@pytest.mark.parametrize(("words", "section"), [('section="Results"', "Results"), ('section="Seeds"', "Seeds")])
def test_the_report_has_it_in_its_section(folder, handmade, tmp_path, monkeypatch, words, section):
    pytest.importorskip("altair")
    pytest.importorskip("vl_convert")
    from optbench.report.report import report

    monkeypatch.setattr("optbench.report.report._vega", lambda: "window.vegaEmbed = null;")
    (folder / "seed_counts.py").write_text(TABLE.replace('section="Results"', words))
    handmade("sgd", [[3.0, 2.0, 1.0]])
    page = report([load_stored("handmade", tmp_path / "results")], Path("report.html"))
    after = page[page.index(f">{section}</h3>") + len(section) :]
    assert "How many seeds each cell was reported on" in after[: after.index("<h3")]


def test_is_a_parameter_of_the_contract_tests_and_passes_them(python):
    files = [TESTS / "tables" / "test_tables.py", TESTS / "cli" / "test_table.py"]
    options = ("-p", "add_table", "-p", "no:cacheprovider", "-q", "-rA", "-k", "seed-counts")
    lines = python("-m", "pytest", *options, *map(str, files), cwd=TESTS.parents[1]).splitlines()
    passed = {line.split("::")[-1].split("[")[0] for line in lines if line.startswith("PASSED")}
    assert passed >= {
        "test_every_kind_of_run_has_every_kind_of_table",
        "test_nothing_finished_is_said",
        "test_every_table_in_every_format",
        "test_of_every_kind",
        "test_a_run_without_finished_cells_says_so",
    }
