"""Run a suite: from cells to sweeps to the store. The one module that knows what is asked and how it is measured."""

import os
from collections.abc import Callable, Mapping, Sequence
from concurrent.futures import Future, ThreadPoolExecutor
from pathlib import Path
from typing import Any, NamedTuple

from bench.apart import apart, remember
from bench.jobs import Job, choose_compile_cache, pick_devices, plan_jobs, resolve_suite, run_place
from bench.manifest import manifest_of
from bench.measure.devices import Device, memory_limit_bytes, settings
from bench.measure.sweep import out_of_memory
from bench.measure.trace import span, traced
from bench.recipes import preparer
from bench.request import Suite, one_line
from bench.rows import failed_rows
from bench.store import run_folder
from bench.tables import Run, load
from bench.timing import time_missing
from bench.train import Ready, compile_job, train_job


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
    tuned: Mapping[str, Any] | None = None,
    on_progress: Callable[[Progress], None] = lambda progress: None,
    on_plan: Callable[[Sequence[Job]], None] = lambda jobs: None,
    say: Callable[[str], None] = lambda text: None,
) -> Run:
    """Run the jobs of a suite that are not finished in a folder yet, and return the run: `run` tells the rest.

    `tuned` says how points were chosen, where they are not the suite's own, for the manifest.
    """
    if trace is not None:
        run_folder.check_writable(Path(trace))
    run_folder.check_writable(folder)
    run_folder.remove_stale(folder)
    cache_note = choose_compile_cache(compile_cache)
    manifest = manifest_of(asked, jobs, chosen[0], cache_note, len(chosen)) | ({"tuned": tuned} if tuned else {})
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
    with traced(trace), apart():
        _run_jobs(waiting, folder, chosen, on_progress)
    # Outside the trace, which slows down what it watches.
    if throughput:
        time_missing(jobs, folder, chosen[0], say)
    run_folder.write_manifest(folder, manifest | {"ended": run_folder.now()})
    return load(folder)


def _run_jobs(
    waiting: Sequence[tuple[Job, str]], folder: Path, chosen: Sequence[Device], on_progress: Callable[[Progress], None]
) -> None:
    """Run jobs one after another, while a second thread compiles the one that comes next."""
    prepared = preparer(*chosen)
    pool = ThreadPoolExecutor(1, thread_name_prefix="compile")
    # In the thread that plug-ins are compiled in, where nothing is set for the thread alone.
    before = pool.submit(remember).result()
    compile_apart = apart(before)(compile_job)
    # A plug-in that is being compiled may stand in another folder for a while.
    folder = folder.absolute()
    try:
        ahead: Future | None = None
        for place, (job, note) in enumerate(waiting):
            current = ahead or pool.submit(compile_apart, job, chosen, prepared)
            following = waiting[place + 1][0] if place + 1 < len(waiting) else None
            ahead = pool.submit(compile_apart, following, chosen, prepared) if following else None
            on_progress(Progress(job, "started", note))
            outcome, message = _run_job(job, current, folder, chosen)
            on_progress(Progress(job, outcome, message))
    finally:
        pool.shutdown(wait=False, cancel_futures=True)


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
            rows, measured, message = train_job(job, ready, memory_limit_bytes(*chosen))
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
