"""Run a suite: from cells to sweeps to the store. The one module that knows what is asked and how it is measured."""

import os
import platform
import subprocess
import time
from collections.abc import Callable, Mapping, Sequence
from concurrent.futures import Future, ThreadPoolExecutor
from importlib.metadata import version
from math import ceil
from pathlib import Path
from typing import Any, NamedTuple

import numpy as np

from bench.jobs import Job, pick_device, plan_jobs, resolve_suite, run_place
from bench.measure import devices
from bench.measure.prepare import Prepared, prepare
from bench.measure.program import Recipe
from bench.measure.schedules import multipliers
from bench.measure.seeds import trial_name
from bench.measure.selection import at_edge, best_point
from bench.measure.sweep import Compiled, Curves, Points, compile_sweep, out_of_memory, sweep
from bench.request import Cell, Suite, parse_schedule
from bench.rows import check_optimum, curve_rows, examples_per_step, failed_rows
from bench.store import cell_key, run_folder
from bench.store.schema import trial_rows
from bench.tables import Run, load
from problems.problem import Problem


class Progress(NamedTuple):
    """What happened to one cell."""

    job: Job
    #: "started", "finished", "failed" or "kept" (it was finished before).
    outcome: str
    message: str = ""


def run(
    suite: str | Suite | None = None,
    *,
    results: str | Path = "results",
    name: str | None = None,
    device: str | None = None,
    force: bool = False,
    compile_cache: bool = True,
    on_progress: Callable[[Progress], None] = lambda progress: None,
    on_plan: Callable[[Sequence[Job]], None] = lambda jobs: None,
    **overrides: Any,
) -> Run:
    """Train every cell of a suite that isn't finished yet, and return the run.

    `overrides` are a suite's own words (problems, optimizers, learning_rate, steps, seeds, ...), as on the command
    line. Raises RequestError for what can't be asked, StoreError for what can't be written. A cell that fails is
    kept as failed, with its message, and tried again by the next run.
    """
    asked = resolve_suite(suite, **overrides)
    folder = run_place(results, name, suite, asked)
    chosen = pick_device(device)
    jobs = plan_jobs(asked, chosen)
    run_folder.check_writable(folder)
    cache_note = devices.use_compile_cache() if compile_cache else devices.refuse_compile_cache()
    manifest = _manifest(asked, jobs, chosen, cache_note)
    run_folder.write_manifest(folder, manifest)
    on_plan(jobs)
    waiting = []
    for job in jobs:
        part = None if force else run_folder.read_part(run_folder.part_path(folder, job.key))
        if part is not None and part.outcome == "finished":
            on_progress(Progress(job, "kept"))
        elif part is not None and part.outcome == "torn":
            waiting.append((job, f"part {part.path} is torn: ignored, computed again"))
        else:
            waiting.append((job, ""))
    _run_jobs(waiting, folder, chosen, on_progress)
    run_folder.write_manifest(folder, manifest | {"ended": run_folder.now()})
    return load(folder)


class Ready(NamedTuple):
    """A job compiled for both phases."""

    points: Points
    select: Compiled
    report: Compiled | None


def _run_jobs(
    waiting: Sequence[tuple[Job, str]], folder: Path, device: devices.Device, on_progress: Callable[[Progress], None]
) -> None:
    """Run jobs one after another, while a second thread compiles the one that comes next."""
    prepared = preparer(device)
    pool = ThreadPoolExecutor(1, thread_name_prefix="compile")
    try:
        ahead: Future | None = None
        for place, (job, note) in enumerate(waiting):
            current = ahead or pool.submit(compile_job, job, device, prepared)
            following = waiting[place + 1][0] if place + 1 < len(waiting) else None
            ahead = pool.submit(compile_job, following, device, prepared) if following else None
            on_progress(Progress(job, "started", note))
            outcome, message = _run_job(job, current, folder, device)
            on_progress(Progress(job, outcome, message))
    finally:
        pool.shutdown(wait=False, cancel_futures=True)


def preparer(device: devices.Device) -> Callable[[Problem, str], Prepared]:
    """Return `prepare` with a short memory: cells come problem by problem, one ahead of the other."""
    # A problem holds arrays, which have no hash; it is the same problem where it is the same object.
    recent: dict[tuple[int, str], tuple[Problem, Prepared]] = {}

    def prepared(problem: Problem, dtype: str) -> Prepared:
        key = (id(problem), dtype)
        if key not in recent:
            while len(recent) > 1:
                del recent[next(iter(recent))]
            recent[key] = (problem, prepare(problem, dtype, device))
        return recent[key][1]

    return prepared


def compile_job(job: Job, device: devices.Device, prepared: Callable[[Problem, str], Prepared]) -> Ready:
    """Compile a job's programs for both phases."""
    if isinstance(job.problem, Exception):
        raise job.problem
    cell = job.cell
    with devices.settings(cell.dtype, device):
        recipe = Recipe(
            prepared=prepared(job.problem, cell.dtype),
            optimizer=job.known.optimizers[cell.optimizer_name],
            batch_size=cell.batch_size or "full",
            steps=job.steps,
            record_every=job.record_every,
            coupled=cell.decay == "coupled",
            static=cell.optimizer_static,
        )
        points, limit = points_of(cell, job.steps), devices.memory_limit_bytes(device)
        select = compile_sweep(recipe, points, _trials(cell, "select"), limit)
        report = None
        if cell.report_seeds:
            report = compile_sweep(recipe, points.take([0]), _trials(cell, "report"), limit)
    return Ready(points, select, report)


def points_of(cell: Cell, steps: int) -> Points:
    """Turn a cell's points into arrays; weight decay is left out of the program where every point has none."""
    schedules = sorted({point["schedule"] for point in cell.points})
    names = [name for name in cell.points[0] if name != "schedule"]
    values = {name: np.array([point[name] for point in cell.points], dtype=np.float64) for name in names}
    if not values["weight_decay"].any():
        del values["weight_decay"]
    table = [multipliers(*parse_schedule(text), steps) for text in schedules]
    index = np.array([schedules.index(point["schedule"]) for point in cell.points])
    return Points(values, index, np.stack(table, axis=1))


def _trials(cell: Cell, phase: str) -> list[str]:
    count = cell.seeds if phase == "select" else cell.report_seeds
    return [trial_name(cell.seed, phase, seed) for seed in range(count)]


def _run_job(job: Job, compiled: Future, folder: Path, device: devices.Device) -> tuple[str, str]:
    """Run one job and write its part; whatever goes wrong inside a cell becomes that cell's status."""
    cell = job.cell
    footer = {
        "problem": cell.problem,
        "optimizer": cell.optimizer,
        "batch_size": cell.batch_size,
        "num_points": len(cell.points),
        "seeds": cell.seeds,
        "report_seeds": cell.report_seeds,
    }
    try:
        ready: Ready = compiled.result()
        with devices.settings(cell.dtype, device):
            rows, measured, message = _measure(job, ready, devices.memory_limit_bytes(device))
        footer |= {"outcome": "finished"} | measured
    except (KeyboardInterrupt, run_folder.StoreError):
        raise
    except (Exception, SystemExit) as error:
        if os.environ.get("OPTBENCH_TRACEBACK"):
            raise
        message = f"{type(error).__name__}: {(str(error).strip().splitlines() or [''])[0]}"
        rows = failed_rows(cell, "oom" if out_of_memory(error) else "error", message)
        footer |= {"outcome": "failed", "message": message}
    run_folder.write_part(folder, job.key, trial_rows(rows), footer)
    return footer["outcome"], message


def _measure(job: Job, ready: Ready, limit: int) -> tuple[list[dict[str, Any]], dict[str, Any], str]:
    """Train a cell's grid on the selection seeds and its best point on the report seeds: (rows, footer, message)."""
    cell, points, problem = job.cell, ready.points, job.problem
    assert isinstance(problem, Problem)
    began = time.perf_counter()
    select, compiled = _sweep_in_memory(ready.select, points, limit)
    selected = time.perf_counter()
    best = best_point(select)
    rows = curve_rows(job, "select", select, cell.points)
    if ready.report is not None:
        report, _ = _sweep_in_memory(ready.report, points.take([best]), limit)
        rows += curve_rows(job, "report", report, [cell.points[best]])
    ended = time.perf_counter()
    optimum = problem.optimum()
    check_optimum(rows, optimum, cell.dtype)
    parts = ceil(len(points) / compiled.num_points)
    phases = [phase for phase in (compiled, ready.report) if phase is not None]
    footer = {
        "best_point": best,
        "best": _shown(cell.points)[best],
        "at_edge": at_edge(cell.points, best),
        "optimum": optimum,
        "targets": dict(problem.targets),
        "steps": job.steps,
        "record_every": job.record_every,
        "examples_per_step": examples_per_step(cell, problem),
        "trace_seconds": sum(phase.trace_seconds for phase in phases),
        "compile_seconds": sum(phase.compile_seconds for phase in phases),
        "select_seconds": selected - began,
        "report_seconds": ended - selected,
        "memory_bytes": compiled.memory_bytes,
        "parts": parts,
    }
    split = f"points split into {parts} parts of {compiled.num_points} to fit into memory" if parts > 1 else ""
    return rows, footer, split


def _sweep_in_memory(compiled: Compiled, points: Points, limit: int) -> tuple[Curves, Compiled]:
    """Sweep; where the device runs out of memory all the same, halve the points that run together and try again."""
    while True:
        try:
            return sweep(compiled, points), compiled
        except Exception as error:
            if not out_of_memory(error) or compiled.num_points == 1:
                raise
            parts = 2 * ceil(len(points) / compiled.num_points)
            compiled = compile_sweep(compiled.recipe, points, compiled.trials, limit, parts)


def _shown(points: Sequence[Mapping[str, Any]]) -> list[dict[str, Any]]:
    """Leave the schedule out where there is no choice of it."""
    if {point["schedule"] for point in points} == {"constant"}:
        return [{name: value for name, value in point.items() if name != "schedule"} for point in points]
    return [dict(point) for point in points]


def _manifest(asked: Suite, jobs: Sequence[Job], device: devices.Device, cache_note: str | None) -> dict[str, Any]:
    packages = ("optbench", "jax", "jaxlib", "optax", "flax", "numpy", "scipy", "scikit-learn")
    return {
        "suite": asked.model_dump(mode="json"),
        "versions": {package: version(package) for package in packages} | {"python": platform.python_version()},
        "device": devices.describe(device),
        "compile_cache": cache_note or "on",
        "git_commit": _git_commit(),
        "started": run_folder.now(),
        "ended": None,
        "cells": [
            {"key": job.key, "problem": job.cell.problem, "optimizer": job.cell.optimizer}
            | {"batch_size": job.cell.batch_size}
            for job in jobs
        ],
    }


def _git_commit() -> str | None:
    """Name the commit of the checkout that this code runs from, where it is one; "-dirty" where it was edited since."""
    git = ["git", "-C", str(cell_key.ROOT)]
    options: dict[str, Any] = {"capture_output": True, "text": True, "timeout": 5, "check": True}
    try:
        # An installed copy may lie inside somebody else's checkout.
        top = subprocess.run([*git, "rev-parse", "--show-toplevel"], **options).stdout.strip()
        if Path(top) != cell_key.ROOT:
            return None
        described = [*git, "describe", "--always", "--dirty", "--abbrev=40", "--exclude", "*"]
        return subprocess.run(described, **options).stdout.strip()
    except (OSError, subprocess.SubprocessError):
        return None
