"""Run a suite: from cells to sweeps to the store. The one module that knows what is asked and how it is measured."""

import os
import time
from collections.abc import Callable, Mapping, Sequence
from concurrent.futures import Future, ThreadPoolExecutor
from math import ceil
from pathlib import Path
from typing import Any, NamedTuple

import numpy as np
import pyarrow as pa

from bench.jobs import Job, pick_devices, plan_jobs, resolve_suite, run_place
from bench.manifest import manifest_of
from bench.measure.curves import Curves, join
from bench.measure.devices import Device, memory_limit_bytes, refuse_compile_cache, settings, use_compile_cache
from bench.measure.halving import num_parts, sweep_halving
from bench.measure.prepare import Prepared
from bench.measure.seeds import trial_name
from bench.measure.selection import at_edge, best_point, final_losses
from bench.measure.sweep import Compiled, Points, compile_sweep, out_of_memory, sweep
from bench.measure.trace import span, traced
from bench.recipes import points_of, preparer, recipe_of
from bench.request import Cell, Suite, one_line
from bench.rows import check_optimum, curve_rows, examples_per_step, failed_rows
from bench.search import ask
from bench.store import run_folder
from bench.tables import Run, load
from bench.timing import time_missing
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
    devices: int = 1,
    force: bool = False,
    compile_cache: bool = True,
    throughput: bool = True,
    trace: str | Path | None = None,
    on_progress: Callable[[Progress], None] = lambda progress: None,
    on_plan: Callable[[Sequence[Job]], None] = lambda jobs: None,
    say: Callable[[str], None] = lambda text: None,
    **overrides: Any,
) -> Run:
    """Train every cell of a suite that isn't finished yet, and return the run.

    `overrides` are a suite's own words (problems, optimizers, learning_rate, steps, seeds, ...), as on the command
    line. Raises RequestError for what can't be asked, StoreError for what can't be written. A cell that fails is
    kept as failed, with its message, and tried again by the next run. The points of a cell are shared out over
    `devices`. With `throughput`, cells that are not timed yet are timed at the end, on the first device. With `trace`,
    what the training does is kept in that folder as `perfetto_trace.json.gz`, which ui.perfetto.dev opens.
    """
    asked = resolve_suite(suite, **overrides)
    folder = run_place(results, name, suite, asked)
    chosen = pick_devices(device, devices)
    jobs = plan_jobs(asked, chosen[0])
    options = {"force": force, "compile_cache": compile_cache, "throughput": throughput, "trace": trace}
    return run_jobs(asked, jobs, folder, chosen, on_progress=on_progress, on_plan=on_plan, say=say, **options)


def run_jobs(
    asked: Suite,
    jobs: Sequence[Job],
    folder: Path,
    chosen: Sequence[Device],
    *,
    force: bool = False,
    compile_cache: bool = True,
    throughput: bool = True,
    trace: str | Path | None = None,
    on_progress: Callable[[Progress], None] = lambda progress: None,
    on_plan: Callable[[Sequence[Job]], None] = lambda jobs: None,
    say: Callable[[str], None] = lambda text: None,
) -> Run:
    """Run the jobs of a suite that are not finished in a folder yet, and return the run: `run` tells the rest."""
    if trace is not None:
        run_folder.check_writable(Path(trace))
    run_folder.check_writable(folder)
    cache_note = use_compile_cache() if compile_cache else refuse_compile_cache()
    manifest = manifest_of(asked, jobs, chosen[0], cache_note, len(chosen))
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
    with traced(trace):
        _run_jobs(waiting, folder, chosen, on_progress)
    # Outside the trace, which slows down what it watches.
    if throughput:
        time_missing(jobs, folder, chosen[0], say)
    run_folder.write_manifest(folder, manifest | {"ended": run_folder.now()})
    return load(folder)


#: Points that optuna chooses before it learns what they scored: one program takes them all.
ASKED_TOGETHER = 8


class Ready(NamedTuple):
    """A job compiled for both phases."""

    points: Points
    #: For all points, or for as many as optuna chooses at a time.
    select: Compiled
    report: Compiled | None


def _run_jobs(
    waiting: Sequence[tuple[Job, str]], folder: Path, chosen: Sequence[Device], on_progress: Callable[[Progress], None]
) -> None:
    """Run jobs one after another, while a second thread compiles the one that comes next."""
    prepared = preparer(*chosen)
    pool = ThreadPoolExecutor(1, thread_name_prefix="compile")
    try:
        ahead: Future | None = None
        for place, (job, note) in enumerate(waiting):
            current = ahead or pool.submit(compile_job, job, chosen, prepared)
            following = waiting[place + 1][0] if place + 1 < len(waiting) else None
            ahead = pool.submit(compile_job, following, chosen, prepared) if following else None
            on_progress(Progress(job, "started", note))
            outcome, message = _run_job(job, current, folder, chosen)
            on_progress(Progress(job, outcome, message))
    finally:
        pool.shutdown(wait=False, cancel_futures=True)


def compile_job(job: Job, chosen: Sequence[Device], prepared: Callable[[Problem, str], Prepared]) -> Ready:
    """Compile a job's programs for both phases."""
    if isinstance(job.problem, Exception):
        raise job.problem
    cell = job.cell
    with settings(cell.dtype, chosen[0]), span(f"compile {cell.problem} / {cell.optimizer}"):
        recipe = recipe_of(job, prepared(job.problem, cell.dtype))
        points, limit = points_of(cell, job.steps), memory_limit_bytes(*chosen)
        together = points.part(0, min(cell.num_asked, ASKED_TOGETHER)) if cell.num_asked else points
        parts = num_parts(recipe) if cell.halving else 1
        select = compile_sweep(recipe, together, _trials(cell, "select"), limit, parts)
        report = None
        if cell.report_seeds:
            report = compile_sweep(recipe, points.take([0]), _trials(cell, "report"), limit)
    return Ready(points, select, report)


def _trials(cell: Cell, phase: str) -> list[str]:
    count = cell.seeds if phase == "select" else cell.report_seeds
    return [trial_name(cell.seed, phase, seed) for seed in range(count)]


def _run_job(job: Job, compiled: Future, folder: Path, chosen: Sequence[Device]) -> tuple[str, str]:
    """Run one job and write its part; whatever goes wrong inside a cell becomes that cell's status."""
    cell = job.cell
    footer = {
        "problem": cell.problem,
        "optimizer": cell.optimizer,
        "batch_size": cell.batch_size,
        "num_points": cell.num_points,
        "seeds": cell.seeds,
        "report_seeds": cell.report_seeds,
    }
    try:
        ready: Ready = compiled.result()
        with settings(cell.dtype, chosen[0]), span(f"run {cell.problem} / {cell.optimizer}"):
            rows, measured, message = _measure(job, ready, memory_limit_bytes(*chosen))
        footer |= {"outcome": "finished"} | measured
    except (KeyboardInterrupt, run_folder.StoreError):
        raise
    except (Exception, SystemExit) as error:
        if os.environ.get("OPTBENCH_TRACEBACK"):
            raise
        message = one_line(error)
        rows = failed_rows(cell, "oom" if out_of_memory(error) else "error", message)
        footer |= {"outcome": "failed", "message": message}
    run_folder.write_part(folder, job.key, rows, footer)
    return footer["outcome"], message


def _measure(job: Job, ready: Ready, limit: int) -> tuple[pa.Table, dict[str, Any], str]:
    """Train a cell's points on the selection seeds and the best on the report seeds: (rows, footer, message)."""
    cell, problem = job.cell, job.problem
    assert isinstance(problem, Problem)
    began = time.perf_counter()
    points, select, compiled = _select(job, ready, limit)
    selected = time.perf_counter()
    best = best_point(select)
    rows = curve_rows(job, "select", select, points)
    if ready.report is not None:
        report, _ = _sweep_in_memory(ready.report, points_of(cell, job.steps, [points[best]]), limit)
        rows = pa.concat_tables([rows, curve_rows(job, "report", report, [points[best]])])
    ended = time.perf_counter()
    optimum = problem.optimum()
    check_optimum(rows, optimum, cell.dtype)
    parts = ceil((min(len(points), ASKED_TOGETHER) if cell.num_asked else len(points)) / compiled.num_points)
    phases = [phase for phase in (compiled, ready.report) if phase is not None]
    footer = {
        "best_point": best,
        "best": _shown(points)[best],
        "at_edge": at_edge(points, best),
        "optimum": optimum,
        "targets": dict(problem.targets),
        "higher_is_better": sorted(problem.higher_is_better),
        "steps": job.steps,
        "record_every": job.record_every,
        "trial_steps": select.trial_steps,
        "examples_per_step": examples_per_step(cell, problem),
        "trace_seconds": sum(phase.trace_seconds for phase in phases),
        "compile_seconds": sum(phase.compile_seconds for phase in phases),
        "select_seconds": selected - began,
        "report_seconds": ended - selected,
        "memory_bytes": compiled.memory_bytes,
        "parts": parts,
    }
    split = f"points split into {parts} parts of {compiled.num_points} to fit into memory"
    return rows, footer, split if compiled.split_for_memory else ""


def _select(job: Job, ready: Ready, limit: int) -> tuple[Sequence[dict[str, Any]], Curves, Compiled]:
    """Train a cell's points on the selection seeds: the points, as they were chosen, their curves, what ran them."""
    cell, compiled = job.cell, ready.select
    if not cell.num_asked:
        return cell.points, *_sweep_in_memory(compiled, ready.points, limit, cell.halving)
    asked: list[dict[str, Any]] = []
    curves: list[Curves] = []

    def measure(chosen: Sequence[dict[str, Any]]) -> np.ndarray:
        nonlocal compiled
        found, compiled = _sweep_in_memory(compiled, points_of(cell, job.steps, chosen), limit)
        asked.extend(chosen)
        curves.append(found)
        return final_losses(found)

    ask(cell.points, cell.num_asked, ASKED_TOGETHER, cell.seed, cell.optimizer, measure)
    return asked, join(curves), compiled


def _sweep_in_memory(compiled: Compiled, points: Points, limit: int, halving: bool = False) -> tuple[Curves, Compiled]:
    """Sweep; where the device runs out of memory all the same, halve the points that run together and try again."""
    while True:
        try:
            return (sweep_halving if halving else sweep)(compiled, points), compiled
        except Exception as error:
            if not out_of_memory(error) or compiled.num_points == compiled.recipe.prepared.num_devices:
                raise
            parts = 2 * ceil(len(points) / compiled.num_points)
            compiled = compile_sweep(compiled.recipe, points, compiled.trials, limit, parts)
            compiled = compiled._replace(split_for_memory=True)


def _shown(points: Sequence[Mapping[str, Any]]) -> list[dict[str, Any]]:
    """Leave the schedule out where there is no choice of it."""
    if {point["schedule"] for point in points} == {"constant"}:
        return [{name: value for name, value in point.items() if name != "schedule"} for point in points]
    return [dict(point) for point in points]
