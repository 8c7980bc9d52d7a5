"""`optbench doctor`, `optbench completion` and the help."""

import json

import pytest


def test_doctor_finds_this_machine_well(optbench):
    said = optbench("doctor", "--json")
    checks = {row["check"]: row for row in json.loads(said.out)}
    assert said.code == 0
    assert {"device", "versions", "compilation cache", "results folder", "float32 product", "sweep"} <= checks.keys()
    assert checks["sweep"]["ok"] is checks["float32 product"]["ok"] is checks["results folder"]["ok"] is True


def test_doctor_leaves_no_results(optbench, tmp_path):
    optbench("doctor")
    assert list(tmp_path.rglob("*.tmp")) == []


def test_doctor_tells_a_wrong_sweep(optbench, monkeypatch):
    monkeypatch.setattr("optbench.runner.doctor.closed_form_error", lambda device: 1e-3)
    said = optbench("doctor", "--json")
    assert said.code == 1
    assert [row["ok"] for row in json.loads(said.out) if row["check"] == "sweep"] == [False]


@pytest.mark.parametrize(
    ("shell", "mark"), [("bash", "complete "), ("zsh", "#compdef optbench"), ("fish", "complete -c")]
)
def test_completion_is_a_script(optbench, shell, mark):
    said = optbench("completion", shell)
    assert (said.code, said.err) == (0, "")
    assert mark in said.out
    assert "optbench" in said.out


@pytest.mark.parametrize("words", [[], ["--help"], ["-h"]], ids=["nothing", "help", "h"])
def test_help_names_every_command(optbench, words):
    said = optbench(*words)
    assert (said.code, said.err) == (0, "")
    for command in ("run", "tune", "plan", "throughput", "list", "table", "doctor", "new", "completion"):
        assert f"\n  {command} " in said.out or f" {command} " in said.out


@pytest.mark.parametrize(
    "command", ["run", "tune", "plan", "throughput", "list", "table", "doctor", "new", "completion"]
)
def test_help_of_a_command(optbench, command):
    said = optbench(command, "--help")
    assert (said.code, said.err) == (0, "")
    assert f"optbench {command}" in said.out


def test_version(optbench):
    from importlib.metadata import version

    assert optbench("--version").out.strip() == version("optbench")


def test_template_is_named_in_its_own_words(optbench, tmp_path):
    optbench("new", "optimizer", "mine")
    assert "def make(learning_rate" in (tmp_path / "mine.py").read_text()
    optbench("new", "problem", "ours")
    assert "return Problem(" in (tmp_path / "ours.py").read_text()
