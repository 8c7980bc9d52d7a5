"""What is around a command: its stdout, a wrong platform, words of other programs, help."""

import json
import os
import re
import subprocess
import sys

import pytest

COMMANDS = [["run"], ["tune"], ["plan"], ["throughput"], ["table"], ["plot"], ["compare"], ["report"], ["doctor"]]
COMMANDS += [["history", name] for name in ("add", "show", "plot", "check", "report", "export", "import")]

LOUD = """
import atexit, ctypes, os, subprocess
import optax

def make(learning_rate):
    print("printed by Python")
    subprocess.run(["echo", "printed by a subprocess"])
    os.write(1, b"written to the file itself\\n")
    ctypes.CDLL(None).puts(b"printed by C")
    atexit.register(print, "printed at the end")
    return optax.sgd(learning_rate)
"""


def call(tmp_path, *words, **variables):
    code = "import sys; from optbench.cli import main; sys.exit(main())"
    return subprocess.run(
        [sys.executable, "-c", code, *words], cwd=tmp_path, env=os.environ | variables, capture_output=True, text=True
    )


@pytest.mark.skipif(os.name != "posix", reason="needs echo and a C library")
def test_stdout_holds_json_alone_whatever_a_plug_in_prints(tmp_path, words, plugin):
    said = call(tmp_path, "run", *words, "-o", plugin(LOUD), "--learning-rate", "0.1", "--json")
    assert said.returncode == 0
    (row,) = json.loads(said.stdout)
    assert row["optimizer"].endswith("plug.py:make")
    for text in ("by Python", "by a subprocess", "to the file itself", "by C", "at the end"):
        assert text in said.stderr


def test_output_that_nobody_reads_any_more_ends_a_command_quietly(tmp_path):
    code = "import sys; from optbench.cli import main; sys.exit(main())"
    command = f"{sys.executable} -c '{code}' list optimizers --json | head -c 10"
    said = subprocess.run(command, shell=True, cwd=tmp_path, capture_output=True, text=True)
    assert len(said.stdout) == 10 and said.stderr == ""


@pytest.mark.parametrize("words", [["doctor"], ["run", "-p", "quadratic", "-o", "sgd"], ["plan", "smoke"]], ids=str)
def test_a_platform_that_is_not_here_is_told_in_one_line(tmp_path, words):
    said = call(tmp_path, *words, JAX_PLATFORMS="abacus")
    assert said.returncode == 2 and said.stdout == ""
    assert said.stderr.startswith("optbench: JAX_PLATFORMS='abacus': jax can't start 'abacus'; accepted: cpu, ")
    assert said.stderr.count("\n") == 1


@pytest.mark.parametrize(
    ("word", "own"),
    [
        ("--lr", "--learning-rate"),
        ("--lr=0.1", "--learning-rate"),
        ("--wd", "--weight-decay"),
        ("--num_steps", "--steps"),
        ("--minutes", "--max-minutes"),
        ("--stepz", "--steps"),
        ("--data", "-p 'FAMILY[data=FILE]'"),
    ],
)
def test_words_of_other_programs_are_told_as_ours(optbench, word, own):
    said = optbench("run", word, "1")
    assert said.code == 2 and f"Did you mean {own}?" in said.err and said.err.count("\n") == 1


def test_a_word_that_only_another_command_has_is_not_proposed(optbench):
    assert "--learning-rate" not in optbench("table", "--lr", "1").err


@pytest.mark.parametrize("command", COMMANDS, ids=" ".join)
def test_help_speaks_of_no_noise_of_the_parser(optbench, command):
    text = optbench(*command, "--help").out
    assert "--empty-" not in text and not re.search(r"\bG\b", text)
    if "--optimizer" in text:
        assert re.search(r"--optimizer.*-o\b", text) and not re.search(r"--output.*-o\b", text)


def test_help_tells_the_grammar_and_the_defaults(optbench):
    text = " ".join(optbench("run", "--help").out.replace("│", " ").split())
    assert "start:stop:count, which is geometric, as in 1e-4:1:5" in text
    for default in ("default:5 where not given", "2 where not given", "10 where not given", "float32 where not given"):
        assert default in text


@pytest.mark.parametrize("command", [["plot", "latest", "curves"], ["history", "plot"]], ids=" ".join)
def test_a_file_given_as_an_optimizer_is_told(optbench, command):
    said = optbench(*command, "-o", "a.svg")
    assert said.code == 2 and "-o, which was given a.svg, names optimizers; accepted: --output a.svg" in said.err
    assert "a figure needs a file; accepted: --output FIGURE.svg" in optbench(*command).err
