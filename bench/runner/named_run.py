"""A run whose cells are timed, in place of a suite: found by its name, and held to what it was."""

from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import Any

from optbench.errors import RequestError, StoreError
from optbench.planning.jobs import Job
from optbench.request import Suite, list_suites, parse_suite
from optbench.store.locations import locate
from optbench.store.manifest import read_manifest
from optbench.store.runs import find_run


def named_run(name: str, results: str | Path) -> Path | None:
    """Return the folder of a run, if that and no suite is meant."""
    if name.endswith(".toml") or any(suite.name == name for suite in list_suites()):
        return None
    try:
        return find_run(locate(results), name)
    except StoreError:
        return None


def suite_of_run(run: Path, words: Mapping[str, Any]) -> Suite:
    """Return what a run was asked for. Raises RequestError for words beside its name: all of its cells are timed."""
    further = [word for word, value in words.items() if value not in (None, (), [])]
    if further:
        raise RequestError(
            f"{further[0]}: not accepted beside the run {run.name!r}, which is timed as it is; accepted: beside a suite"
        )
    return parse_suite(read_manifest(run)["suite"])


def check_same_cells(run: Path, jobs: Sequence[Job]) -> None:
    """Raise RequestError if a run's cells would now be others: timed, they would take the place of its own."""
    manifest = read_manifest(run)
    if manifest.get("tuned"):
        raise RequestError(
            f"run {run.name!r} was tuned, and its points are not those of a suite; accepted: the best settings that "
            "tune --output FILE.toml writes"
        )
    if {cell["key"] for cell in manifest["cells"]} != {job.key for job in jobs}:
        raise RequestError(
            f"run {run.name!r} was trained by other code, on other data or another kind of device; accepted: "
            "what it was asked for, to be trained and timed again"
        )
