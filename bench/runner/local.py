"""Jobs in this process: the points of a cell are shared out over its devices, and what is timed is on the first."""

import os
from collections.abc import Callable, Sequence
from concurrent.futures import Future, ThreadPoolExecutor
from functools import partial
from pathlib import Path

from optbench import errors
from optbench.planning.isolation import apart, remember
from optbench.planning.jobs import Job, choose_compile_cache
from optbench.request import Cell, one_line
from optbench.runner.executor import Deadline, Executor, OnProgress, Progress, Waiting
from optbench.runner.program_spec import preparer
from optbench.runner.time_cells import time_missing
from optbench.runner.trace import span
from optbench.runner.train_cell import Ready, compile_job, train_job
from optbench.runner.trial_rows import failed_rows
from optbench.store.parts import write_part
from optbench.store.record import CellRecord, CellResults
from optbench.store.status import Outcome, TrialStatus
from optbench.sweep.devices import Device, describe, memory_limit_bytes, settings
from optbench.sweep.sweep import out_of_memory


def here(chosen: Sequence[Device], compile_cache: bool) -> Executor:
    """Work in this process: the points of a cell are shared out over some devices, timed is on the first."""
    return Executor(
        device=describe(chosen[0]) | {"devices": len(chosen)},
        cache_note=choose_compile_cache(compile_cache),
        train=partial(_train, chosen),
        time=lambda jobs, folder, say: time_missing(jobs, folder, chosen[0], say),
    )


@apart()
def _train(
    chosen: Sequence[Device], waiting: Sequence[Waiting], folder: Path, on_progress: OnProgress, deadline: Deadline
) -> None:
    """Run jobs one after another, while a second thread compiles the one that comes next."""
    prepared = preparer(*chosen)
    pool = ThreadPoolExecutor(1, thread_name_prefix="compile")
    # In the thread that plug-ins are compiled in, where nothing is set for the thread alone.
    compile_apart = apart(pool.submit(remember).result())(compile_job)
    # A plug-in that is being compiled may stand in another folder for a while.
    folder = folder.absolute()
    try:
        ahead: Future | None = None
        for place, (job, note) in enumerate(waiting):
            if deadline.passed:
                break
            current = ahead or pool.submit(compile_apart, job, chosen, prepared)
            following = waiting[place + 1][0] if place + 1 < len(waiting) else None
            ahead = pool.submit(compile_apart, following, chosen, prepared) if following else None
            on_progress(Progress(job, Outcome.STARTED, note))
            outcome, message = run_job(job, current.result, folder, chosen)
            on_progress(Progress(job, outcome, message))
    finally:
        pool.shutdown(wait=False, cancel_futures=True)


def run_job(
    job: Job, compiled: Callable[[], Ready], folder: Path, chosen: Sequence[Device], limit: int | None = None
) -> tuple[Outcome, str]:
    """Run one job and write its part; whatever goes wrong inside a cell becomes that cell's status.

    In `limit` bytes, or in what a device has free.
    """
    try:
        ready = compiled()
        with settings(job.cell.dtype, chosen[0]), span(f"run {job.cell.problem} / {job.cell.optimizer}"):
            rows, results, message = train_job(job, ready, limit or memory_limit_bytes(*chosen))
    except (KeyboardInterrupt, errors.StoreError):
        raise
    except (Exception, SystemExit) as error:
        if os.environ.get("OPTBENCH_TRACEBACK"):
            raise
        write_failure(folder, job, TrialStatus.OOM if out_of_memory(error) else TrialStatus.ERROR, one_line(error))
        return Outcome.FAILED, one_line(error)
    write_part(folder, job.key, rows, _record(job.cell, results=results))
    return Outcome.FINISHED, message


def write_failure(folder: Path, job: Job, status: TrialStatus, message: str) -> None:
    """Keep a cell that failed, with the status and message of its trials."""
    write_part(folder, job.key, failed_rows(job.cell, status, message), _record(job.cell, message=message))


def _record(cell: Cell, results: CellResults | None = None, message: str = "") -> CellRecord:
    return CellRecord(
        problem=cell.problem,
        optimizer=cell.optimizer,
        batch_size=cell.batch_size,
        num_points=cell.num_points,
        seeds=cell.seeds,
        report_seeds=cell.report_seeds,
        studies=cell.studies,
        select_studies=cell.select_studies,
        results=results,
        message=message,
    )
