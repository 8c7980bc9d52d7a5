"""The same suite under several versions of a package, each run added to a history."""

import json
import re
import signal
import sys
import time
from collections.abc import Callable, Sequence
from dataclasses import dataclass
from importlib.metadata import PackageNotFoundError, version
from pathlib import Path
from typing import Any, NamedTuple

from optbench.errors import RequestError, StoreError, nearest, quote
from optbench.history.entries import read_history, read_samples, write_entry
from optbench.history.environments import LONG, Call, VersionError, environment, last, run_command, unheard
from optbench.history.record import machine_facts, summarise
from optbench.history.schema import SERIES
from optbench.store.run import load_stored
from optbench.store.runs import now

#: A run whose progress is heard, not its tables, and what a run here says of itself: modules that Python can run.
QUIET, DESCRIBE = "optbench.cli.quiet", "optbench.cli.describe"


@dataclass(frozen=True)
class Asked:
    """What to run under each version of a package, and where to keep it; `words` are further ones of `run`."""

    package: str
    suite: str
    results: str | Path
    history: str
    words: tuple[str, ...] = ()
    label: str | None = None

    def run_name(self, number: str) -> str:
        """Name the run of a version, which goes on from there when it is asked for again."""
        return f"backfill-{self.package}-{number}"


class Filled(NamedTuple):
    """What became of a version."""

    version: str
    #: "added", "there" (nothing changed since it was added) or "failed".
    outcome: str
    message: str
    seconds: float


def backfill(
    asked: Asked, versions: Sequence[str], say: Callable[[str], None] = unheard, call: Call = run_command
) -> list[Filled]:
    """Run a suite under each version and add each run when it ends; a version that gives none, as failed.

    Raises RequestError for a package or a version that can't be one, StoreError for what can't be written.
    """
    check(asked.package, versions)
    filled = []
    for number in versions:
        filled.append(_fill(asked, number, say, call))
        say(f"{asked.package}=={number}: {filled[-1].outcome}, {filled[-1].message}, {filled[-1].seconds:.0f} s")
    return filled


def check(package: str, versions: Sequence[str]) -> None:
    """Refuse a package that isn't here, and what can't be a version."""
    try:
        version(package)
    except (PackageNotFoundError, ValueError):
        known = ("optax", "jax", "flax", "numpy", "scipy", "scikit-learn")
        raise RequestError(f"package {quote(package)} is not installed here{nearest(package, known)}") from None
    wrong = [number for number in versions if not re.fullmatch(r"\d[\w.+!]*", number)]
    if wrong or not versions:
        given = quote(",".join(wrong))
        raise RequestError(f"versions: {given} is not accepted; accepted: versions of {package}, as in 0.2.7,0.2.8")


def _fill(asked: Asked, number: str, say: Callable[[str], None], call: Call) -> Filled:
    began = time.monotonic()
    try:
        about, rows, left = _ran(asked, number, say, call)
        outcome, message = "added", "; ".join([f"{len(rows)} rows", *left])
    except VersionError as error:
        outcome, message = "failed", str(error)
        about, rows = _failed(asked, number, message, call)
    if _is_new(asked.history, about, rows):
        write_entry(asked.history, about, rows)
    elif outcome == "added":
        outcome = "there"
    return Filled(number, outcome, message, time.monotonic() - began)


def _ran(
    asked: Asked, number: str, say: Callable[[str], None], call: Call
) -> tuple[dict[str, Any], list[dict[str, Any]], list[str]]:
    """Run a suite under a version and summarise the run. Raises VersionError."""
    pinned, name = f"{asked.package}=={number}", asked.run_name(number)
    say(f"{pinned}: installing")
    with environment(asked.package, number, call) as python:
        say(f"{pinned}: running {asked.suite}")
        words = ["run", asked.suite, *asked.words, "--name", name, "--results", str(asked.results)]
        code, lines = call([str(python), "-P", "-m", QUIET, *words], lambda line: say(f"{pinned}: {line[:LONG]}"))
    if code not in (0, 1):
        raise VersionError(f"the run {_ended(code)}: {last(lines)}")
    try:
        about, rows, left = summarise(load_stored(name, asked.results), asked.label or pinned)
    except StoreError as error:
        raise VersionError(str(error)) from error
    return about | {"versions": about["versions"] | {asked.package: number}}, rows, left


def _ended(code: int) -> str:
    return f"was ended by {signal.Signals(-code).name}" if code < 0 else f"ended with exit code {code}"


def _failed(asked: Asked, number: str, message: str, call: Call) -> tuple[dict[str, Any], list[dict[str, Any]]]:
    """Make the entry of a version that gave no run: one row, which says why."""
    code, lines = call([sys.executable, "-P", "-m", DESCRIBE], unheard)
    if code or not lines:
        raise StoreError(f"can't describe this machine: {last(lines)}")
    here = json.loads(lines[-1])
    # A jaxlib belongs to its jax.
    versions = {name: found for name, found in here["versions"].items() if (asked.package, name) != ("jax", "jaxlib")}
    about = {"time": now(), "label": asked.label or f"{asked.package}=={number}", "suite": Path(asked.suite).stem}
    about |= {"run": asked.run_name(number), "commit": here["git_commit"]}
    about |= {"versions": versions | {asked.package: number}, **machine_facts(here["device"])}
    return about, [dict.fromkeys(SERIES, "") | {"measure": "failed", "message": message}]


def _is_new(place: str, about: dict[str, Any], rows: list[dict[str, Any]]) -> bool:
    """Say whether no entry of this run has these rows: one that went on from where it was may have nothing new."""
    try:
        history = read_history(place)
    except StoreError:
        return True
    same = [entry for entry in history.entries if entry.run == about["run"]]
    return all(_told(read_samples(history, [entry])) != _told(rows) for entry in same)


def _told(rows: list[dict[str, Any]]) -> list[list[str]]:
    return sorted([str(row.get(name)) for name in (*SERIES, "key", "value", "message")] for row in rows)
