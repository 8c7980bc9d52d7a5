"""Run a suite: from cells to sweeps to the store. The one module that knows what is asked and how it is measured."""

import time
from collections.abc import Callable, Iterator, Mapping, Sequence
from contextlib import AbstractContextManager, contextmanager, nullcontext
from pathlib import Path
from typing import Any

from optbench.errors import refused
from optbench.planning.in_process import is_in_process
from optbench.planning.jobs import Job, describe_run, pick_devices, plan_jobs, resolve_suite, run_place
from optbench.planning.registry import plugins_of
from optbench.request import RequestError, Suite
from optbench.results import Run
from optbench.runner.enough_seeds import seeds_warning
from optbench.runner.executor import Deadline, Executor, OnPlan, OnProgress, Progress, Reports, Say, Waiting
from optbench.runner.local import here
from optbench.runner.plugin_ranges import ranges_note
from optbench.runner.trace import traced
from optbench.store.manifest import read_manifest, write_manifest
from optbench.store.parts import TornPart, adopt_parts, set_aside
from optbench.store.run import assemble, load_stored
from optbench.store.runs import check_writable, now, remove_stale
from optbench.store.scan import packing, scan
from optbench.store.status import Outcome
from optbench.store.timings import read_timings

#: A machine that nothing is run on: what is asked is checked for it before a cluster is there.
NO_MACHINE = "none"


def run(
    suite: str | Suite | None = None,
    *,
    results: str | Path = "results",
    name: str | None = None,
    device: str | None = None,
    devices: int = 1,
    cluster: str | None = None,
    workers_must_match: bool = False,
    cell_timeout: float | None = None,
    max_minutes: float | None = None,
    force: bool = False,
    compile_cache: bool = True,
    throughput: bool = True,
    reuse: Sequence[Path] = (),
    trace: str | Path | None = None,
    on_progress: OnProgress = lambda progress: None,
    on_plan: OnPlan = lambda jobs: None,
    say: Say = lambda text: None,
    **overrides: Any,
) -> Run:
    """Train every cell of a suite that isn't finished yet, and return the run.

    `overrides` are a suite's own words (problems, optimizers, learning_rate, steps, seeds, ...), as on the command
    line. Raises RequestError for what can't be asked, StoreError for what can't be written. A cell that fails is
    kept as failed, with its message, and tried again by the next run. The points of a cell are shared out over
    `devices`. Cells that are finished in the folders of `reuse`, under the same key, are copied; where one of these
    runs holds them all, it is returned in place of a new one. With `throughput`, cells that are not timed yet are timed
    at the end, on the first device. With `trace`, what the training does is kept in that folder as
    `perfetto_trace.json.gz`, which ui.perfetto.dev opens.

    `cluster` hands the cells to workers, as `cluster.executor.open_executor` says; `workers_must_match` refuses those
    of other versions, which are otherwise left out. A cell that takes longer than `cell_timeout` seconds fails; it
    runs in a worker, which is killed then. After `max_minutes` no cell begins any more.
    """
    asked = resolve_suite(suite, **overrides)
    folder = run_place(results, name, suite, asked)
    _check_positive("cell_timeout", cell_timeout)
    deadline = deadline_in(max_minutes)
    cluster = "local:1" if cluster is None and cell_timeout else cluster
    if cluster is None:
        opened = nullcontext(here(pick_devices(device, devices), compile_cache))
    else:
        _check_one_process(devices, trace)
        _check_in_files(asked)
        open_executor = _cluster_opener()
        plan_jobs(asked, NO_MACHINE)
        check_writable(folder)
        opened = open_executor(
            cluster,
            asked,
            folder,
            device,
            compile_cache,
            must_match=workers_must_match,
            cell_timeout=cell_timeout,
            force=force,
            say=say,
        )
    reports = Reports(on_progress, on_plan, say)
    with opened as executor:
        jobs = plan_jobs(asked, executor.kind)
        for warning in filter(None, (seeds_warning(asked, jobs), ranges_note(asked, jobs))):
            say(warning)
        if reuse:
            if whole := _run_with_all(jobs, reuse, throughput):
                return whole
            check_writable(folder)
            adopt_parts(folder, [job.key for job in jobs], reuse)
        return run_jobs(
            asked, jobs, folder, executor, reports, force=force, throughput=throughput, trace=trace, deadline=deadline
        )


def run_jobs(
    asked: Suite,
    jobs: Sequence[Job],
    folder: Path,
    executor: Executor,
    reports: Reports = Reports(),  # noqa: B008 (immutable)
    *,
    force: bool = False,
    throughput: bool = True,
    trace: str | Path | None = None,
    tuned: Mapping[str, Any] | None = None,
    deadline: Deadline = Deadline(),  # noqa: B008 (immutable)
) -> Run:
    """Run the jobs of a suite that are not finished in a folder yet, and return the run: `run` tells the rest.

    `tuned` says how points were chosen, where they are not the suite's own, for the manifest.
    """
    if trace is not None:
        check_writable(Path(trace))
    check_writable(folder)
    remove_stale(folder)
    manifest = describe_run(asked, jobs, executor.device, executor.cache_note) | ({"tuned": tuned} if tuned else {})
    write_manifest(folder, manifest)
    reports.plan(jobs)
    waiting = _waiting(jobs, folder, force, reports.progress)
    with traced(trace), packing(folder) as note:

        def on_progress(progress: Progress) -> None:
            reports.progress(progress)
            if progress.outcome in (Outcome.FINISHED, Outcome.FAILED):
                note(progress.job.key)

        executor.train(waiting, folder, on_progress, deadline)
    # Outside the trace, which slows down what it watches.
    if throughput and not deadline.passed:
        executor.time(jobs, folder, reports.say)
    return Run(assemble(folder, write_manifest(folder, manifest | {"ended": now()})))


def _run_with_all(jobs: Sequence[Job], folders: Sequence[Path], timed: bool) -> Run | None:
    """Return the first run whose cells of these optimizers are the jobs, all finished, and timed where that counts."""
    wanted, names = {job.key for job in jobs}, {job.cell.optimizer for job in jobs}
    for folder in folders:
        if {cell["key"] for cell in read_manifest(folder)["cells"] if cell["optimizer"] in names} != wanted:
            continue
        parts = scan(folder, wanted).values()
        finished = sum(part.outcome == Outcome.FINISHED for part in parts if not isinstance(part, TornPart))
        if finished == len(wanted) and (not timed or len(read_timings(folder, wanted)) == len(wanted)):
            return Run(load_stored(folder))
    return None


def _waiting(jobs: Sequence[Job], folder: Path, force: bool, on_progress: OnProgress) -> list[Waiting]:
    """Pick the jobs that are not finished yet, or all, and tell which are kept."""
    stored = scan(folder, (job.key for job in jobs))
    waiting: list[Waiting] = []
    for job in jobs:
        part = stored.get(job.key)
        if part is not None and part.outcome == Outcome.FINISHED and not force:
            on_progress(Progress(job, Outcome.KEPT))
        else:
            waiting.append((job, set_aside(part) if isinstance(part, TornPart) else ""))
    return waiting


def deadline_in(max_minutes: float | None) -> Deadline:
    """Return the moment after so many minutes, or none. Raises RequestError for what is no length of time."""
    _check_positive("max_minutes", max_minutes)
    return Deadline() if max_minutes is None else Deadline(time.monotonic() + 60 * max_minutes)


def _check_positive(name: str, value: float | None) -> None:
    """Raise RequestError for what is no length of time."""
    if value is not None and not value > 0:
        raise refused(name, f"{value:g}", "a number > 0")


def _check_one_process(devices: int, trace: str | Path | None) -> None:
    """Raise RequestError for what only a run in one process can do."""
    if devices != 1:
        raise RequestError(f"devices: {devices} is not accepted with a cluster, which has a worker per device")
    if trace is not None:
        raise RequestError("trace is not accepted with a cluster; accepted: in one process")


def _check_in_files(asked: Suite) -> None:
    """Raise RequestError for functions, which only this process knows."""
    for name in (name for names in plugins_of(asked) for name in names if is_in_process(name)):
        raise RequestError(f"{name} is a function, which no worker of a cluster has; accepted: ./file.py:make")


@contextmanager
def needs_cluster() -> Iterator[None]:
    """Say what to install where dask is not here. Raises RequestError."""
    try:
        yield
    except ModuleNotFoundError as error:
        raise RequestError("cluster needs the extra cluster: pip install 'optbench[cluster]'") from error


def _cluster_opener() -> Callable[..., AbstractContextManager[Executor]]:
    """Return `open_executor`, once this process keeps off its devices. Raises RequestError if dask is not here."""
    # Late: most runs need no cluster, and dask takes half a second to import.
    with needs_cluster():
        from optbench.runner.cluster.executor import keep_off_devices, open_executor

    keep_off_devices()
    return open_executor
