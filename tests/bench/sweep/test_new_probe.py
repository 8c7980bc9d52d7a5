"""A probe is one entry in one table: then it is in the help, runs, and stands in tables, figures and the report."""

import json
import os
import subprocess
import sys

import pytest

from optbench.sweep.probes import PROBES, Probe

#: Adds an entry before anything looks for it. The largest parameter by magnitude; less of it is better.
ADD = """
import jax.numpy as jnp
from optbench.sweep.probes import PROBES, Probe

PROBES["largest"] = Probe("largest parameter", "record", lambda at: jnp.max(jnp.abs(at.params)), higher_is_better=False)
PROBES["last_seed"] = Probe("number of report seeds", "end", lambda at: jnp.float32(len(at.finite)))
"""
COMMAND = "import sys, add_probe; from optbench.cli import main; sys.exit(main(sys.argv[1:]))"
#: Leaves the JavaScript out, which takes three seconds to gather.
REPORT = """
from pathlib import Path
from optbench.report import report
from optbench.store.run import load_stored

report._vega = lambda: ""
Path("page.html").write_text(report.report([load_stored("tiny")], Path("page.html")))
"""
WORDS = ["-p", "quadratic[dim=3,condition=2]", "-o", "sgd", "--learning-rate", "0.1,0.5", "--steps", "4"]
WORDS += ["--seeds", "2", "--report-seeds", "2", "--records", "2", "--no-throughput", "--name", "tiny"]
NAMES = ("largest", "last_seed")


@pytest.fixture(scope="module")
def python(tmp_path_factory):
    """Run a Python that may have the new probes, where a run has measured them: python(*arguments) -> its output."""
    folder = tmp_path_factory.mktemp("probes")
    (folder / "add_probe.py").write_text(ADD)
    environment = os.environ | {"PYTHONPATH": str(folder)}

    def call(*arguments):
        done = subprocess.run(
            [sys.executable, *arguments], cwd=folder, env=environment, capture_output=True, text=True, check=False
        )
        assert done.returncode == 0, done.stdout + done.stderr
        return done.stdout

    call("-c", COMMAND, "run", *WORDS, "--probe", "largest,last_seed")
    return call


def test_is_in_the_help(python):
    words = " ".join(python("-c", COMMAND, "run", "--help").replace("│", " ").split())
    names = [*PROBES, *NAMES]
    assert f"{', '.join(names[:-1])} or {names[-1]}; repeat for several" in words


def rows(python, kind):
    """Read a table as a Python sees it that doesn't know the probes."""
    command = "import sys; from optbench.cli import main; sys.exit(main(sys.argv[1:]))"
    return json.loads(python("-c", command, "table", "tiny", kind, "--format", "json"))


def test_is_in_the_tables(python):
    curves = [row for row in rows(python, "curves") if row["phase"] == "report"]
    assert len(curves) == 6 and all(row["largest"] > 0 for row in curves)
    assert [row["last_seed"] for row in curves] == [None, None, 2.0] * 2
    trials = rows(python, "trials")
    assert all(row["largest"] > 0 for row in trials)
    assert [row["last_seed"] for row in trials] == [None] * 4 + [2.0] * 2
    ends = [row["largest"] for row in trials if row["phase"] == "report"]
    (row,) = rows(python, "convergence")
    assert row["largest"] == pytest.approx(sum(ends) / 2) and row["last_seed"] == 2.0


@pytest.mark.parametrize("kind", ["curves --metric largest", "grid --metric largest", "convergence --metric last_seed"])
def test_is_drawn(python, kind):
    pytest.importorskip("vl_convert")
    command = "import sys; from optbench.cli import main; sys.exit(main(sys.argv[1:]))"
    said = python("-c", command, "plot", "tiny", *kind.split(), "-o", "figure.svg")
    assert kind.split()[-1].replace("_", " ").capitalize() in said


def test_is_in_the_report(python):
    pytest.importorskip("altair")
    pytest.importorskip("vl_convert")
    python("-c", REPORT)
    page = python("-c", "print(open('page.html').read())")
    assert "largest" in page and "last_seed" in page


def test_is_in_the_history_where_less_of_it_is_better(python):
    code = """if True:
        from optbench.history.record import summarise
        from optbench.results import load
        print(*[row["measure"] for row in summarise(load("tiny"))[1]])"""
    measures = python("-c", code).split()
    assert "largest" in measures and "last_seed" not in measures


def test_a_tuned_suite_asks_for_it_again(python, tmp_path):
    """And is a suite that measures it, with halving."""
    words = [*WORDS[:4], "--steps", "16", "--seeds", "1", "--report-seeds", "2", "--name", "tuned"]
    search = ["--trials", "4", "--search", "halving", "--probe", "largest", "-o", "best.toml"]
    python("-c", COMMAND, "tune", *words, *search)
    assert 'probes = "largest"' in python("-c", "print(open('best.toml').read())")


@pytest.mark.parametrize(
    ("asked", "message"),
    [
        ({"probes": ["gradnorm"]}, "unknown probe 'gradnorm'; did you mean 'gradient_norm'?"),
        ({"probes": ["seed_distance"], "report_seeds": 0}, "seed_distance is measured of the report seeds"),
        ({"probes": [""]}, "unknown probe ''"),
        ({"probes": [3]}, "takes a name or a list of them"),
    ],
)
def test_what_cannot_be_measured_is_refused_before_any_work(tiny, tmp_path, asked, message):
    from optbench.request import RequestError

    with pytest.raises(RequestError, match="probes: .*" + message.replace("?", r"\?")):
        tiny(**asked)
    assert not (tmp_path / "results").exists()


def test_a_suite_asks_for_probes(tmp_path):
    from optbench.planning.jobs import resolve_suite

    suite = tmp_path / "mine.toml"
    suite.write_text('problems = ["quadratic"]\noptimizers = ["sgd"]\nprobes = ["distance", "gradient_norm"]\n')
    assert resolve_suite(str(suite)).probes == ("distance", "gradient_norm")
    assert resolve_suite(str(suite), probes=["parameter_norm"]).probes == ("parameter_norm",)


def test_an_entry_is_all_that_a_run_in_this_process_needs(tiny, monkeypatch):
    monkeypatch.setitem(PROBES, "half", Probe("half the loss", "record", lambda at: at.loss(at.params) / 2))
    records = tiny(probes="half").table("curves").to_records()
    assert [row["half"] for row in records] == pytest.approx([row["train_loss"] / 2 for row in records])
