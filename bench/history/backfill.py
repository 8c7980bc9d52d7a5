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

from optbench.errors import RequestError, StoreError, nearest, quote, refused
from optbench.history.entries import read_history, read_samples, write_entry
from optbench.history.environments import LONG, Call, VersionError, environment, last, run_command, unheard
from optbench.history.record import machine_facts, summarise
from optbench.history.schema import SERIES
from optbench.store.run import load_stored
from optbench.store.runs import now

#: A run whose progress is heard, not its tables, and what a run here says of itself: modules that Python can run.
QUIET, DESCRIBE = "optbench.cli.quiet", "optbench.cli.describe"


@dataclass(frozen=True)
class Request:
    """What to run under each version of a package, and where to keep it; `words` are further ones of `run`."""

    package: str
    suite: str
    results: str | Path
    history: str
    words: tuple[str, ...] = ()
    label: str | None = None

    def run_name(self, number: str) -> str:
        """Name the run of a version, which goes on from there when it is run again."""
        return f"backfill-{self.package}-{number}"


class VersionResult(NamedTuple):
    """What became of a version."""

    version: str
    #: "added", "there" (nothing changed since it was added) or "failed".
    outcome: str
    message: str
    seconds: float


def backfill(
    request: Request, versions: Sequence[str], say: Callable[[str], None] = unheard, call: Call = run_command
) -> list[VersionResult]:
    """Run a suite under each version and add each run when it ends; a version that gives none, as failed.

    Raises RequestError for a package or a version that can't be one, StoreError for what can't be written.
    """
    check(request.package, versions)
    results = []
    for number in versions:
        results.append(_backfill_version(request, number, say, call))
        say(f"{request.package}=={number}: {results[-1].outcome}, {results[-1].message}, {results[-1].seconds:.0f} s")
    return results


def check(package: str, versions: Sequence[str]) -> None:
    """Raise RequestError for a package that isn't installed here, and for what can't be a version."""
    try:
        version(package)
    except (PackageNotFoundError, ValueError):
        known = ("optax", "jax", "flax", "numpy", "scipy", "scikit-learn")
        raise RequestError(f"package {quote(package)} is not installed here{nearest(package, known)}") from None
    wrong = [number for number in versions if not re.fullmatch(r"\d[\w.+!]*", number)]
    if wrong or not versions:
        raise refused("versions", quote(",".join(wrong)), f"versions of {package}, as in 0.2.7,0.2.8")


def _backfill_version(request: Request, number: str, say: Callable[[str], None], call: Call) -> VersionResult:
    began = time.monotonic()
    try:
        about, rows, notes = _run_version(request, number, say, call)
        outcome, message = "added", "; ".join([f"{len(rows)} rows", *notes])
    except VersionError as error:
        outcome, message = "failed", str(error)
        about, rows = _failed_entry(request, number, message, call)
    if _is_new(request.history, about, rows):
        write_entry(request.history, about, rows)
    elif outcome == "added":
        outcome = "there"
    return VersionResult(number, outcome, message, time.monotonic() - began)


def _run_version(
    request: Request, number: str, say: Callable[[str], None], call: Call
) -> tuple[dict[str, Any], list[dict[str, Any]], list[str]]:
    """Run a suite under a version and summarise it as `summarise` does. Raises VersionError."""
    pinned, name = f"{request.package}=={number}", request.run_name(number)
    say(f"{pinned}: installing")
    with environment(request.package, number, call) as python:
        say(f"{pinned}: running {request.suite}")
        words = ["run", request.suite, *request.words, "--name", name, "--results", str(request.results)]
        code, lines = call([str(python), "-P", "-m", QUIET, *words], lambda line: say(f"{pinned}: {line[:LONG]}"))
    if code not in (0, 1):
        raise VersionError(f"the run {_ended(code)}: {last(lines)}")
    try:
        about, rows, notes = summarise(load_stored(name, request.results), request.label or pinned)
    except StoreError as error:
        raise VersionError(str(error)) from error
    return about | {"versions": about["versions"] | {request.package: number}}, rows, notes


def _ended(code: int) -> str:
    return f"was ended by {signal.Signals(-code).name}" if code < 0 else f"ended with exit code {code}"


def _failed_entry(
    request: Request, number: str, message: str, call: Call
) -> tuple[dict[str, Any], list[dict[str, Any]]]:
    """Return the entry of a version that gave no run: what it says of itself, and one row, which says why.

    Raises StoreError if this machine can't be described.
    """
    code, lines = call([sys.executable, "-P", "-m", DESCRIBE], unheard)
    if code or not lines:
        raise StoreError(f"can't describe this machine: {last(lines)}")
    here = json.loads(lines[-1])
    # A jaxlib belongs to its jax.
    versions = {name: text for name, text in here["versions"].items() if (request.package, name) != ("jax", "jaxlib")}
    about = {"time": now(), "label": request.label or f"{request.package}=={number}", "suite": Path(request.suite).stem}
    about |= {"run": request.run_name(number), "commit": here["git_commit"]}
    about |= {"versions": versions | {request.package: number}, **machine_facts(here["device"])}
    return about, [dict.fromkeys(SERIES, "") | {"measure": "failed", "message": message}]


def _is_new(place: str, about: dict[str, Any], rows: list[dict[str, Any]]) -> bool:
    """Return whether no entry of this run has these rows: one that went on from where it was may have nothing new."""
    try:
        history = read_history(place)
    except StoreError:
        return True
    same = [entry for entry in history.entries if entry.run == about["run"]]
    return all(_values(read_samples(history, [entry])) != _values(rows) for entry in same)


def _values(rows: list[dict[str, Any]]) -> list[list[str]]:
    return sorted([str(row.get(name)) for name in (*SERIES, "key", "value", "message")] for row in rows)
