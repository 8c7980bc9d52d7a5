"""What tests of several folders share: a cache of their own, and cells written by hand."""

import re
from collections.abc import Callable, Mapping
from math import inf
from pathlib import Path
from statistics import median
from typing import Any

import pytest


def group_of(nodeid: str) -> str:
    """Return what a test shares a process with: the tests of its file, of the cluster, or of its problem.

    By name: xdist 3.8 writes its own groups into a test's id, which pytest 9.2 no longer takes.
    """
    file, _, test = nodeid.partition("::")
    if "/cluster/" in file:
        return "cluster"
    problem = re.search(r"\[.*?(\w+\[.*?\])", test) if file.endswith("test_problem_contract.py") else None
    return problem[1] if problem else file


@pytest.fixture(name="group_of")
def _group_of():
    return group_of


@pytest.hookimpl(optionalhook=True)
def pytest_xdist_make_scheduler(config, log):
    """Hand tests out group by group, in their order: problems, which are many small groups, come last."""
    from xdist.scheduler import LoadScopeScheduling

    config.option.loadscopereorder = False
    scheduler = LoadScopeScheduling(config, log)
    scheduler._split_scope = group_of
    return scheduler


@pytest.fixture(scope="session", autouse=True)
def _own_cache(tmp_path_factory):
    """Keep compiled programs out of the user's cache folder."""
    with pytest.MonkeyPatch.context() as patch:
        patch.setenv("XDG_CACHE_HOME", str(tmp_path_factory.mktemp("cache")))
        yield


def _trial(optimizer: str, seed: int, losses: list[float], steps: tuple[int, ...], **fields: Any) -> dict[str, Any]:
    named = {"phase": "report", "problem": "bowl", "optimizer": optimizer, "batch_size": "4", "dtype": "float32"}
    chosen = {"seed": seed, "point": 0, "schedule": "constant", "status": "ok"}
    counted = {"step": steps, "examples": [4 * step for step in steps], "gradient_evaluations": steps}
    tuned = {"hyperparameters": {"learning_rate": 0.1, "weight_decay": 0.0}}
    return named | chosen | tuned | counted | {"train_loss": losses, "batch_loss": losses} | fields


def _tried(optimizer: str, tried: Mapping[float, list[list[float]]], steps: tuple[int, ...], of: Mapping[int, Any]):
    """Write selection trials: a point per learning rate, a curve per seed; what ends above its start diverged."""
    for point, (rate, curves) in enumerate(tried.items()):
        for seed, curve in enumerate(curves):
            fields = dict(of.get(point, {}))
            tuned = {"learning_rate": rate, "weight_decay": 0.0} | fields.pop("hyperparameters", {})
            status = "ok" if curve[-1] <= curve[0] else "diverged"
            named = {"phase": "select", "point": point, "hyperparameters": tuned, "status": status}
            yield _trial(optimizer, seed, curve, steps, **named | fields)


def _best_point(rows: list[dict[str, Any]]) -> int:
    """Choose as a run does: the lowest median end, of points that no search stopped."""
    ends: dict[int, list[float]] = {}
    for row in rows:
        if row["phase"] == "select" and row["status"] != "stopped":
            ends.setdefault(row["point"], []).append(inf if row["status"] == "diverged" else row["train_loss"][-1])
    return min(ends, key=lambda point: median(ends[point]), default=0)


def _record(**fields: Any) -> Any:
    """Make what a part says of its cell; a failed one by `outcome="failed"` and its message."""
    from optbench.store.record import CellRecord

    names = {"problem": "bowl", "optimizer": "sgd", "batch_size": 4, "num_points": 1, "seeds": 1, "report_seeds": 1}
    best = {"best_point": 0, "best": {"learning_rate": 0.1, "weight_decay": 0.0}, "at_edge": [], "optimum": None}
    steps = {"targets": {"train_loss": 1.0}, "steps": 20, "record_every": 10, "examples_per_step": 4}
    seconds = dict.fromkeys(("trace_seconds", "compile_seconds", "select_seconds", "report_seconds"), 0.0)
    told = {"outcome": "finished", "message": "", "memory_bytes": 0, "parts": 1}
    return CellRecord.from_json(names | best | steps | seconds | told | fields)


def _handmade(
    folder: Path,
    optimizer: str,
    losses: list[list[float]],
    *,
    step: tuple[int, ...] = (0, 10, 20),
    select: list[list[float]] | None = None,
    tried: Mapping[float, list[list[float]]] | None = None,
    points: Mapping[int, dict[str, Any]] | None = None,
    trial: dict[str, Any] | None = None,
    trials: dict[int, dict[str, Any]] | None = None,
    **fields: Any,
):
    from optbench.store.parts import part_path, read_part, write_part
    from optbench.store.runs import check_writable
    from optbench.store.schema import trial_rows

    decoy = [[9.0] * len(step)] if select is None else select
    rows = [_trial(optimizer, seed, curve, step, phase="select") for seed, curve in enumerate(decoy)]
    rows = rows if tried is None else list(_tried(optimizer, tried, step, points or {}))
    counts = {"num_points": len(tried or [0]), "seeds": len({row["seed"] for row in rows}), "report_seeds": len(losses)}
    counts |= {"best_point": _best_point(rows), "steps": step[-1]}
    record = _record(optimizer=optimizer, **counts | fields)
    own = [(trial or {}) | (trials or {}).get(seed, {}) for seed in range(len(losses))]
    rows += [_trial(optimizer, seed, curve, step, **own[seed]) for seed, curve in enumerate(losses)]
    rows = [row | {"problem": record.problem, "batch_size": str(record.batch_size)} for row in rows]
    key = f"{record.problem}-{optimizer}-{record.batch_size}".replace("/", "_")
    check_writable(folder)
    write_part(folder, key, trial_rows(rows), record)
    _write_manifest(folder)
    return read_part(part_path(folder, key))


def _write_manifest(folder: Path) -> None:
    """Write the manifest of a run of all cells that lie in a folder."""
    from optbench.store.manifest import write_manifest
    from optbench.store.parts import Part, read_part

    parts = [read_part(path) for path in sorted((folder / "parts").glob("*.parquet"))]
    cells = [{"key": part.path.stem} | part.record.names for part in parts if isinstance(part, Part)]
    suite = {"name": "handmade", "dtype": "float32", "report_seeds": 1}
    suite |= {"problems": [{"spec": "quadratic"}], "optimizers": [{"spec": "sgd"}]}
    manifest = {"suite": suite, "device": {"device": "cpu"}, "cells": cells, "started": "2025", "ended": None}
    write_manifest(folder, manifest)


def _timing(**fields: Any) -> Any:
    from optbench.store.timings import Timing

    names = {"key": "key", "problem": "bowl", "optimizer": "sgd", "batch_size": 4, "dtype": "float32"}
    when = {"measured": "2025", "device": {"device": "cpu", "cpu": "abacus"}, "outcome": "finished", "message": ""}
    turns = dict.fromkeys(("step_seconds", "gradient_seconds", "sgd_seconds"), [0.5] * 6)
    once = {"trace_seconds": 1.0, "compile_seconds": None, "first_step_seconds": 1.0, "steps_per_call": 1}
    sizes = {"state_bytes": 8, "peak_bytes": 64, "examples_per_step": 4, "num_parameters": 1}
    work = {"flops_per_step": 10, "bytes_per_step": 10}
    limits = {"copy_bytes_per_second": 100.0, "product_flops_per_second": 50.0}
    return Timing.from_json(names | when | turns | once | sizes | work | limits | fields)


@pytest.fixture(scope="session")
def timing() -> Callable[..., Any]:
    """Make what timing a cell gave, by default half a second a step: timing(optimizer="adam", step_seconds=[...])."""
    return _timing


@pytest.fixture(scope="session")
def record() -> Callable[..., Any]:
    """Make what a part says of its cell: record(optimizer="adam", optimum=0.0, outcome="failed", message="boom")."""
    return _record


@pytest.fixture
def handmade(tmp_path) -> Callable[..., Any]:
    """Write a cell and return its part: handmade(optimizer, [[train loss per record] per report seed], ...).

    Records are at steps 0, 10 and 20, a batch has 4 examples, the target is 1; `trial` sets fields of every report
    trial, `trials` of one seed's, anything else of the record. The run is `results/handmade`, or
    another by `run=`.
    Selection trials are a decoy unless `tried` gives learning rate -> a curve per seed; `points` sets fields of the
    trials of some of these points, by number.
    """

    def write(*given: Any, run: str = "handmade", **fields: Any) -> Any:
        return _handmade(tmp_path / "results" / run, *given, **fields)

    return write


@pytest.fixture(scope="session")
def write_handmade() -> Callable[..., Any]:
    """Write a cell into any folder: write_handmade(folder, optimizer, losses, ...), as `handmade` does."""
    return _handmade
