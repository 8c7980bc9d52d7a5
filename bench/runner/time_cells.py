"""Time the cells of a suite: one unbatched trial each, all optimizers of a problem in turns, kept beside the run."""

import os
from collections.abc import Callable, Iterable, Mapping, Sequence
from dataclasses import replace
from functools import partial
from math import isfinite
from pathlib import Path
from typing import Any, NamedTuple

from optbench import errors, tables
from optbench.analyse.outcomes import Slice, tuned
from optbench.analyse.statistics import median
from optbench.optimizers import catalogue
from optbench.planning.isolation import apart
from optbench.planning.jobs import (
    Job,
    choose_compile_cache,
    describe_run,
    pick_device,
    plan_jobs,
    resolve_suite,
    run_place,
)
from optbench.present.table import Table
from optbench.problems.problem import Problem
from optbench.request import Cell, Suite, check_repeats, one_line
from optbench.runner.named_run import check_same_cells, named_run, suite_of_run
from optbench.runner.program_spec import hyperparameters_of, preparer, recipe_of
from optbench.runner.trial_rows import examples_per_step
from optbench.store.manifest import read_manifest, write_manifest
from optbench.store.parts import Part, part_path, read_part
from optbench.store.run import assemble
from optbench.store.runs import check_writable, now
from optbench.store.status import Outcome
from optbench.store.timings import StepTimes, Timing, read_timings, write_timing
from optbench.sweep import devices
from optbench.sweep.memory import num_elements, tree_bytes
from optbench.sweep.problem_data import Prepared
from optbench.sweep.step import Recipe
from optbench.timing.limits import limits
from optbench.timing.loops import gradient_loop, training_loop
from optbench.timing.timer import CompiledLoop, Effort, Result, compile_loop, time_in_turns

#: At the end of a run: short, for a first look.
SHORT = Effort(10, 0.2)
#: A step takes other gradients before the target than overall if they differ by more than this share.
UNEVEN = 0.05


class Trained(NamedTuple):
    """The settings that won where a cell was trained, and the steps after which a timed trial begins again."""

    settings: Mapping[str, Any]
    restart: int | None


UNTRAINED = Trained({}, None)


def throughput(
    suite: str | Suite | None = None,
    *,
    results: str | Path = "results",
    name: str | None = None,
    device: str | None = None,
    compile_cache: bool = False,
    repeats: int = 20,
    min_seconds: float = 1.0,
    say: Callable[[str], None] = lambda text: None,
    **overrides: Any,
) -> Table:
    """Time every cell of a suite, or of a run that is named, anew and tabulate what a step costs.

    The timings are kept in the run's folder, where they replace shorter ones. Without the compilation cache, so that
    compile times are what they say. Raises RequestError for what can't be asked, StoreError for what can't be written.
    """
    check_repeats(repeats)
    run = named_run(suite, results) if isinstance(suite, str) else None
    if run is None:
        asked = resolve_suite(suite, **overrides)
        folder = run_place(results, name, suite, asked)
    else:
        asked, folder = suite_of_run(run, overrides | {"name": name}), run
    chosen = pick_device(device)
    jobs = plan_jobs(asked, chosen.device_kind)
    if run is not None:
        check_same_cells(run, jobs)
    check_writable(folder)
    note = choose_compile_cache(compile_cache)
    manifest = _ensure_manifest(folder, describe_run(asked, jobs, devices.describe(chosen) | {"devices": 1}, note))
    time_jobs(jobs, folder, chosen, Effort(repeats, min_seconds), say)
    return tables.table(assemble(folder, manifest), "throughput")


def _ensure_manifest(folder: Path, manifest: dict[str, Any]) -> dict[str, Any]:
    """Keep the manifest of a run of these very cells, which says when they were trained, and return what is stored."""
    try:
        kept = read_manifest(folder)
    except errors.StoreError:
        kept = {}
    same = kept.get("cells") == manifest["cells"]
    return kept if same else write_manifest(folder, manifest)


def time_missing(jobs: Sequence[Job], folder: Path, device: devices.Device, say: Callable[[str], None]) -> None:
    """Time the cells of which this machine has kept no timing; with them the others they are compared with."""
    groups = missing_groups(jobs, folder, devices.describe(device))
    time_jobs([job for group in groups for job in group], folder, device, SHORT, say)


def missing_groups(jobs: Sequence[Job], folder: Path, machine: Mapping[str, Any]) -> list[list[Job]]:
    """Gather the jobs that differ by their optimizer alone, and of which not all were timed by a machine."""
    timings = read_timings(folder, (job.key for job in jobs))
    kept = {key for key, timing in timings.items() if timing.times is not None and timing.device == machine}
    return [group for group in _groups(jobs) if not {job.key for job in group} <= kept]


def time_jobs(
    jobs: Sequence[Job], folder: Path, device: devices.Device, effort: Effort, say: Callable[[str], None]
) -> None:
    """Time jobs and write what was measured, one problem and batch size after another."""
    prepared = preparer(device)
    for group in _groups(jobs):
        cell = group[0].cell
        say(f"timing {len(group)} optimizers on {cell.problem}, batch size {cell.batch_size}")
        time_group(group, folder, device, prepared, effort)


def time_group(
    group: Sequence[Job],
    folder: Path,
    device: devices.Device,
    prepared: Callable[[Problem, str], Prepared],
    effort: Effort,
) -> None:
    """Time jobs that differ by their optimizer alone, in turns, and write what was measured."""
    with apart(), devices.settings(group[0].cell.dtype, device):
        trained = [read_trained(job, folder) for job in group]
        timed = _time_group(group, trained, device, prepared, effort)
    for job, times in zip(group, timed, strict=True):
        write_timing(folder, _timing(job, devices.describe(device), times))


def write_failures(group: Sequence[Job], folder: Path, machine: Mapping[str, Any], message: str) -> None:
    """Keep that jobs could not be timed on a machine."""
    for job in group:
        write_timing(folder, _timing(job, machine, message))


def _groups(jobs: Iterable[Job]) -> list[list[Job]]:
    """Gather the jobs that differ by their optimizer alone."""
    groups: dict[tuple[Any, ...], list[Job]] = {}
    for job in jobs:
        groups.setdefault((job.cell.problem, job.cell.batch_size, job.cell.dtype), []).append(job)
    return list(groups.values())


def _timing(job: Job, machine: Mapping[str, Any], times: StepTimes | str) -> Timing:
    """Make what is kept of a job that was timed now; `times` may be why it failed."""
    cell = job.cell
    return Timing(
        key=job.key,
        problem=cell.problem,
        optimizer=cell.optimizer,
        batch_size=cell.batch_size,
        dtype=cell.dtype,
        measured=now(),
        device=dict(machine),
        times=None if isinstance(times, str) else times,
        message=times if isinstance(times, str) else "",
    )


def _time_group(
    group: Sequence[Job],
    trained: Sequence[Trained],
    device: devices.Device,
    prepared: Callable[[Problem, str], Prepared],
    effort: Effort,
) -> list[StepTimes | str]:
    """Time the jobs of one problem and batch size in turns, beside the gradient alone and plain sgd.

    Return what a step of each takes, or why that is not known.
    """
    cell, problem = group[0].cell, group[0].problem
    try:
        if isinstance(problem, Exception):
            raise problem
        shared = prepared(problem, cell.dtype)
        gradient = compile_loop(gradient_loop(shared, cell.batch_size or "full"), device)
        # Other optimizers are compared with plain sgd, also where nobody asked for it.
        plain = Recipe(shared, catalogue()["sgd"], cell.batch_size or "full", steps=1, record_every=1)
        sgd = compile_loop(training_loop(plain, {"learning_rate": 0.01}), device)
    except (Exception, SystemExit) as error:
        return [_failed(error)] * len(group)
    makers = [
        (lambda: sgd) if job.cell.optimizer == "sgd" else partial(_compile, job, shared, device, own)
        for job, own in zip(group, trained, strict=True)
    ]
    results = time_in_turns(makers, [gradient, sgd], effort, devices.memory_limit_bytes(device))
    copy, product = limits(cell.dtype, device)
    times = partial(_step_times, cell, problem, shared, copy.rate, product.rate)
    return [
        _failed(result) if isinstance(result, BaseException) else replace(times(result), restart_steps=own.restart)
        for result, own in zip(results, trained, strict=True)
    ]


def read_trained(job: Job, folder: Path) -> Trained:
    """Return what training a job says of the trial to time; of one that isn't trained nothing is known.

    It begins again where it reaches the target if it takes other numbers of gradients from there on, as line searches
    do at the optimum.
    """
    part = read_part(part_path(folder, job.key))
    if not isinstance(part, Part) or part.outcome != Outcome.FINISHED:
        return UNTRAINED
    trials, results = tuned(part, Slice()), part.results
    if not results.targets:
        return Trained(results.best, None)
    name = next(iter(results.targets))
    steps, gradients = (median(counts[name][:, 0]) for counts in (trials.steps_to, trials.gradients_to))
    overall = median(trials.gradients[:, 0]) / results.steps
    even = not isfinite(steps) or steps == 0 or abs(gradients / steps - overall) <= UNEVEN * overall
    return Trained(results.best, None if even else round(steps))


def _compile(job: Job, shared: Prepared, device: devices.Device, trained: Trained = UNTRAINED) -> CompiledLoop:
    recipe, cell = recipe_of(job, shared), job.cell
    middle = len(cell.points) // 2
    hyperparameters = {
        name: float(trained.settings.get(name, values[middle])) for name, values in hyperparameters_of(cell).items()
    }
    return compile_loop(training_loop(recipe, hyperparameters, trained.restart), device)


def _step_times(
    cell: Cell,
    problem: Problem,
    shared: Prepared,
    copy_bytes_per_second: float,
    product_flops_per_second: float,
    result: Result,
) -> StepTimes:
    loop, (gradient, sgd) = result.loop, result.baselines
    params, state, *_ = loop.start
    # What a step moves at the least: parameters and state read and written, the gradient and the batch read.
    moved = 3 * tree_bytes(params) + 2 * tree_bytes(state) + tree_bytes(shared.batch(cell.batch_size or "full"))
    return StepTimes(
        step_seconds=tuple(result.samples.step_seconds.tolist()),
        steps_per_call=result.samples.steps_per_call,
        gradient_seconds=tuple(gradient.step_seconds.tolist()),
        sgd_seconds=tuple(sgd.step_seconds.tolist()),
        trace_seconds=loop.trace_seconds,
        compile_seconds=loop.compile_seconds,
        first_step_seconds=loop.first_step_seconds,
        state_bytes=tree_bytes(state),
        peak_bytes=loop.peak_bytes,
        flops_per_step=loop.flops_per_step,
        bytes_per_step=moved,
        copy_bytes_per_second=copy_bytes_per_second,
        product_flops_per_second=product_flops_per_second,
        examples_per_step=examples_per_step(cell, problem),
        num_parameters=num_elements(shared.params),
    )


def _failed(error: BaseException) -> str:
    if os.environ.get("OPTBENCH_TRACEBACK"):
        raise error
    return one_line(error)
