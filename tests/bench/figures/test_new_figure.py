"""A figure is one file: what is put into the folder is found everywhere, and nothing else is told of it."""

import runpy
import subprocess
import sys
from pathlib import Path

import pytest

from optbench import figures
from optbench.store.run import load_stored

pytest.importorskip("altair")
pytest.importorskip("vl_convert")

FILE = """
from optbench.figures.figure import Figure, nothing_to_draw


def draw(run, options):
    from optbench.present.charts.dots import Dot, DotPanel, dots
    from optbench.present.charts.style import Look

    if not any(part.outcome == "finished" for part in run.parts):
        raise nothing_to_draw(run, "no cell has finished")
    names = dict.fromkeys(part.record.optimizer for part in run.parts)
    panel = DotPanel("names", "", "letters", [Dot(name, len(name), note=name) for name in names])
    return dots([panel], Look(round(options.width), options.interactive))


def caption(run, options):
    return f"Letters of each name. Run {run.folder.name}, float32 on cpu."


FIGURE = Figure(
    "how long the names are", draw, caption, takes_metric=True, section="Names", open_in_report=True, axes=("steps",)
)
"""


@pytest.fixture
def folder(tmp_path, monkeypatch):
    """Put the file into a folder of its own, which the package has beside the real one."""
    folder = tmp_path / "more"
    folder.mkdir()
    (folder / "name_lengths.py").write_text(FILE)
    monkeypatch.setattr(figures, "__path__", [*figures.__path__, str(folder)])
    yield folder
    for path in folder.glob("*.py"):
        sys.modules.pop(f"optbench.figures.{path.stem}", None)
        vars(figures).pop(path.stem, None)


def test_it_comes_after_the_others(folder):
    assert figures.names()[-1] == "name-lengths" and figures.kind("name-lengths").meaning == "how long the names are"


def test_help_names_it_and_loads_no_numpy(folder, tmp_path):
    code = (
        f"from optbench import figures\nfigures.__path__.append({str(folder)!r})\n"
        "import sys\nfrom optbench.cli import main\nmain(['plot', '--help'])\n"
        "print([name for name in ('numpy', 'pyarrow', 'altair', 'jax', 'scipy') if name in sys.modules])"
    )
    text = subprocess.run([sys.executable, "-c", code], cwd=tmp_path, capture_output=True, text=True, check=True).stdout
    assert "name-lengths" in text and text.endswith("[]\n")


def test_the_command_draws_it(folder, handmade, tmp_path, monkeypatch, capsys):
    from optbench.cli import main

    handmade("sgd", [[3.0, 2.0, 1.0]])
    monkeypatch.chdir(tmp_path)
    assert main(["plot", "handmade", "name-lengths", "--metric", "train_loss", "--output", "x.svg"]) == 0
    assert capsys.readouterr().out == "Letters of each name. Run handmade, float32 on cpu.\n"
    assert "letters" in (tmp_path / "x.svg").read_text()


def test_refusals_name_it(folder, handmade, tmp_path, monkeypatch, capsys):
    from optbench.cli import main

    handmade("sgd", [[3.0, 2.0, 1.0]])
    monkeypatch.chdir(tmp_path)
    assert main(["plot", "handmade", "ecdf", "--metric", "train_loss", "--output", "x.svg"]) == 2
    error = capsys.readouterr().err
    assert error.startswith("optbench: metric: not accepted for ecdf; accepted for ") and "name-lengths\n" in error
    assert main(["plot", "handmade", "name-lengths", "--x", "seconds", "--output", "x.svg"]) == 2
    assert "x: not accepted for name-lengths; accepted for curves, grid, ranks, profile, ecdf, ert" in " ".join(
        capsys.readouterr().err.split()
    )


def test_the_report_has_it_in_a_section_of_its_own(folder, handmade, tmp_path, monkeypatch):
    from optbench.report.report import report

    monkeypatch.setattr("optbench.report.report._vega", lambda: "window.vegaEmbed = null;")
    handmade("sgd", [[3.0, 2.0, 1.0]])
    page = report([load_stored("handmade", tmp_path / "results")], Path("report.html"))
    assert ">Names</h3>" in page and "<h4>How long the names are</h4>" in page
    assert page.index(">Results</h3>") < page.index(">Names</h3>") < page.index(">Where this comes from</h3>")


@pytest.mark.parametrize("path", ["test_figures.py", "../cli/test_plot.py"])
def test_contract_tests_go_through_it(folder, path):
    tests = [test for name, test in runpy.run_path(str(Path(__file__).parent / path)).items() if name[:5] == "test_"]
    marks = [mark for test in tests for mark in getattr(test, "pytestmark", []) if mark.args[0] == "kind"]
    assert marks and all("name-lengths" in mark.args[1] for mark in marks)


def test_the_contract_holds_for_it_and_fails_for_a_worse_one(folder, handmade, tmp_path):
    contract = runpy.run_path(str(Path(__file__).with_name("test_figures.py")))
    check, edges = contract["test_every_kind_of_run_is_drawn_or_says_why_not"], contract["EDGES"]
    check(handmade, tmp_path, next(iter(edges.values())), "name-lengths")
    (folder / "worse.py").write_text(FILE.replace("{run.folder.name}", "somewhere"))
    with pytest.raises(AssertionError):
        check(handmade, tmp_path, next(iter(edges.values())), "worse")
