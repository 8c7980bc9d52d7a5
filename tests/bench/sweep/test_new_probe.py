"""A probe is one entry in one table: then it is in the help, runs, and stands in tables, figures and the report."""

import json
import os
import subprocess
import sys
from pathlib import Path

import pytest

from optbench import load
from optbench.cli import main
from optbench.history.record import summarise
from optbench.store.run import load_stored
from optbench.sweep.probes import PROBES, Probe

#: Adds an entry before anything looks for it. The largest parameter by magnitude; less of it is better.
ADD = """
import jax.numpy as jnp
from optbench.sweep.probes import PROBES, Probe

PROBES["largest"] = Probe("largest parameter", "record", lambda at: jnp.max(jnp.abs(at.params)), higher_is_better=False)
PROBES["last_seed"] = Probe("number of report seeds", "end", lambda at: jnp.float32(len(at.finite)))
"""
#: Commands of one process that knows them.
PROCESS = """
import sys, add_probe
from optbench.cli import main
for words in " ".join(sys.argv[1:]).split(" then "):
    if main(words.split()):
        sys.exit(f"failed: {words}")
"""
WORDS = ["-p", "quadratic[dim=3,condition=2]", "-o", "sgd", "--learning-rate", "0.1,0.5", "--steps", "4"]
WORDS += [
    "--seeds",
    "2",
    "--report-seeds",
    "2",
    "--select-by",
    "train_loss",
    "--records",
    "2",
    "--no-throughput",
    "--name",
    "tiny",
]
NAMES = ("largest", "last_seed")


#: With halving, to see it measured there.
TUNE = [*WORDS[:4], "--steps", "16", "--seeds", "1", "--report-seeds", "2", "--name", "tuned"]
TUNE += ["--trials", "4", "--search", "halving", "--probe", "largest", "--output", "best.toml"]


@pytest.fixture(scope="module")
def output(tmp_path_factory):
    """Run what knows the probes, and return its folder and what it printed: all else here doesn't know them."""
    folder = tmp_path_factory.mktemp("probes")
    (folder / "add_probe.py").write_text(ADD)
    words = ["run", "--help", "then", "run", *WORDS, "--probe", "largest,last_seed", "then", "tune", *TUNE]
    environment = os.environ | {"PYTHONPATH": str(folder)}
    command = [sys.executable, "-c", PROCESS, *words]
    done = subprocess.run(command, cwd=folder, env=environment, capture_output=True, text=True, check=False)
    assert done.returncode == 0, done.stdout + done.stderr
    return folder, done.stdout


@pytest.fixture
def optbench(output, monkeypatch, capsys):
    """Run a command beside what it stored, in a Python that doesn't know the probes: optbench(*words) -> its output."""
    monkeypatch.chdir(output[0])

    def call(*words):
        capsys.readouterr()
        assert main(list(words)) == 0
        return capsys.readouterr().out

    return call


def test_is_in_the_help(output):
    words = " ".join(output[1].replace("│", " ").split())
    names = [*PROBES, *NAMES]
    assert f"{', '.join(names[:-1])} or {names[-1]}; repeat for several" in words


def rows(optbench, kind):
    return json.loads(optbench("table", "tiny", kind, "--format", "json"))


def test_is_in_the_tables(optbench):
    curves = [row for row in rows(optbench, "curves") if row["phase"] == "report"]
    assert len(curves) == 6 and all(row["largest"] > 0 for row in curves)
    assert [row["last_seed"] for row in curves] == [None, None, 2.0] * 2
    trials = rows(optbench, "trials")
    assert all(row["largest"] > 0 for row in trials)
    # Two studies of two points on two seeds each, and a report seed each.
    assert [row["last_seed"] for row in trials] == [None] * 8 + [2.0] * 2
    ends = [row["largest"] for row in trials if row["phase"] == "report"]
    (row,) = rows(optbench, "convergence")
    assert row["largest"] == pytest.approx(sum(ends) / 2) and row["last_seed"] == 2.0


@pytest.mark.parametrize("kind", ["curves --metric largest", "grid --metric largest", "convergence --metric last_seed"])
def test_is_drawn(optbench, kind):
    pytest.importorskip("vl_convert")
    caption = optbench("plot", "tiny", *kind.split(), "--output", "figure.svg")
    assert kind.split()[-1].replace("_", " ").capitalize() in caption


def test_is_in_the_report(output, monkeypatch):
    pytest.importorskip("altair")
    pytest.importorskip("vl_convert")
    from optbench.report import report

    # Without the JavaScript, which takes three seconds to gather.
    monkeypatch.setattr(report, "_vega", lambda: "")
    monkeypatch.chdir(output[0])
    page = report.report([load_stored("tiny")], Path("page.html"))
    assert "largest" in page and "last_seed" in page


def test_is_in_the_history_where_less_of_it_is_better(output):
    measures = {row["measure"] for row in summarise(load("tiny", output[0] / "results"))[1]}
    assert "largest" in measures and "last_seed" not in measures


def test_a_tuned_suite_asks_for_it_again(output):
    """And is a suite that measures it, with halving."""
    assert 'probes = "largest"' in (output[0] / "best.toml").read_text()


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
