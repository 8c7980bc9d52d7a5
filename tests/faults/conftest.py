"""Run the command line as a process of its own, under whatever is done to it."""

import json
import os
import subprocess
import sys
from collections.abc import Callable, Iterator, Sequence
from contextlib import ExitStack
from functools import partial
from pathlib import Path
from textwrap import dedent
from typing import Any, NamedTuple

import pytest

MAIN = "import sys; from optbench.cli import main; sys.exit(main())"
#: Two problems, three optimizers, both phases; without what is timed, which differs from run to run.
BOWLS = ("-p", "quadratic[dim=3,condition=2]", "-p", "quadratic[dim=4,condition=3]")
RATES = ("--learning-rate", "0.1,0.5")
SHORT = ("--steps", "20", "--seeds", "2", "--report-seeds", "2", "--records", "2", "--no-throughput", *RATES)


def _start(
    folder: Path,
    *words: str,
    before: str = "",
    env: dict[str, str | None] | None = None,
    within: Sequence[str] = (),
    **options: Any,
):
    merged = {name: value for name, value in (os.environ | (env or {})).items() if value is not None}
    # Python finds this checkout, whatever its folder is.
    merged["PYTHONPATH"] = str(Path(__file__).parents[2])
    piped = {"stdout": subprocess.PIPE, "stderr": subprocess.PIPE, "text": True, "encoding": "utf-8", "cwd": folder}
    command = [*within, sys.executable, "-c", f"{dedent(before)}\n{MAIN}", *words]
    return subprocess.Popen(command, env=merged, **piped | options)


def _run(folder: Path, *words: str, **options: Any) -> subprocess.CompletedProcess:
    process = _start(folder, *words, **options)
    out, err = process.communicate()
    return subprocess.CompletedProcess(words, process.returncode, out, err)


@pytest.fixture
def start(tmp_path) -> Iterator[Callable[..., subprocess.Popen]]:
    """Start `optbench` in `tmp_path`: start(*words, before=code to run first, env=more variables) -> Popen.

    A variable that is None is taken away; `within` is a command that takes another one as its last words.
    """
    with ExitStack() as stack:

        def call(*words: str, **options: Any) -> subprocess.Popen:
            process = stack.enter_context(_start(tmp_path, *words, **options))
            # Where a test failed it may wait for ever.
            stack.callback(process.kill)
            return process

        yield call


@pytest.fixture
def optbench(tmp_path) -> Callable[..., subprocess.CompletedProcess]:
    """Run `optbench` to its end, as `start` does: optbench(*words, ...) -> (returncode, stdout, stderr)."""
    return partial(_run, tmp_path)


@pytest.fixture(scope="session")
def whole(tmp_path_factory) -> Callable[[Sequence[str]], Any]:
    """Return all that is kept of a run to which nothing happens: whole(words)."""
    done: dict[tuple[str, ...], Any] = {}

    def call(words: Sequence[str]) -> Any:
        if (asked := tuple(words)) not in done:
            folder = tmp_path_factory.mktemp("whole")
            said = _run(folder, *words, "--name", "whole")
            assert said.returncode == 0, said.stderr
            done[asked] = _kept(folder / "results" / "whole")
        return done[asked]

    return call


@pytest.fixture
def six() -> list[str]:
    """Return the words of a run of six cells."""
    return ["run", *BOWLS, "-o", "sgd", "-o", "adam", "-o", "lion", *SHORT, "--json"]


@pytest.fixture
def two() -> list[str]:
    """Return the words of a run of two cells."""
    return ["run", *BOWLS[:2], "-o", "sgd", "-o", "adam", *SHORT, "--json"]


class Kept(NamedTuple):
    """All that is kept of a run, to the last bit."""

    #: Every stored row as text, by the cell's key: repr tells floats apart to the last bit, and NaN equals itself.
    rows: dict[str, str]
    convergence: list[dict[str, Any]]
    trials: list[dict[str, Any]]


def _kept(folder: Path) -> Kept:
    from optbench import load
    from optbench.present.formats import format_table
    from optbench.store.trials import read_rows

    run = load(folder)
    rows = {part.path.stem: repr(read_rows([part]).to_pylist()) for part in run.parts}
    return Kept(rows, *(json.loads(format_table(run.table(kind), "json")) for kind in ("convergence", "trials")))


@pytest.fixture
def kept() -> Callable[[Path], Kept]:
    """Return all that is kept of a run: kept(folder) -> (rows, convergence, trials)."""
    return _kept


@pytest.fixture
def plugin(tmp_path) -> Callable[..., str]:
    """Write a plug-in file and return what names its `make`: plugin(code, stem="plug") -> "./plug.py:make"."""

    def write(code: str, stem: str = "plug") -> str:
        (tmp_path / f"{stem}.py").write_text(dedent(code), encoding="utf-8")
        return f"./{stem}.py:make"

    return write


#: A plug-in whose compilation takes as long as a file `wait` stands beside it.
WAITING = """
    import time
    from pathlib import Path
    import optax

    def make(learning_rate):
        while (Path(__file__).parent / "wait").exists():
            time.sleep(0.01)
        return optax.sgd(learning_rate)
"""


@pytest.fixture
def waiting(plugin) -> str:
    """Write that plug-in, and return what names it."""
    return plugin(WAITING, "waiting")
