"""Train one cell: compile it, choose its best point, and train that one on fresh seeds."""

import time
from collections.abc import Callable, Mapping, Sequence
from math import ceil
from typing import Any, NamedTuple

import numpy as np
import pyarrow as pa

from optbench.planning.jobs import Job
from optbench.problems.problem import Problem
from optbench.request import Cell
from optbench.runner.program_spec import points_of, recipe_of
from optbench.runner.trace import span
from optbench.runner.trial_rows import check_optimum, curve_rows, examples_per_step
from optbench.search.space import ask
from optbench.store.record import CellResults
from optbench.sweep.curves import Curves, join
from optbench.sweep.devices import Device, memory_limit_bytes, settings
from optbench.sweep.halving import least_bytes, num_parts, sweep_halving
from optbench.sweep.problem_data import Prepared
from optbench.sweep.selection import at_edge, best_point, final_losses
from optbench.sweep.streams import trial_name
from optbench.sweep.sweep import Compiled, Points, compile_sweep, out_of_memory, sweep

#: Points that optuna chooses before it learns what they scored: one program takes them all.
ASKED_TOGETHER = 8


class Ready(NamedTuple):
    """A job compiled for both phases."""

    points: Points
    #: For all points, or for as many as optuna chooses at a time.
    select: Compiled
    report: Compiled | None


def compile_job(
    job: Job, chosen: Sequence[Device], prepared: Callable[[Problem, str], Prepared], limit: int | None = None
) -> Ready:
    """Compile a job's programs for both phases, to fit into `limit` bytes, or into what a device has free."""
    if isinstance(job.problem, Exception):
        raise job.problem
    cell = job.cell
    with settings(cell.dtype, chosen[0]), span(f"compile {cell.problem} / {cell.optimizer}"):
        recipe = recipe_of(job, prepared(job.problem, cell.dtype))
        points, limit = points_of(cell, job.steps), limit or memory_limit_bytes(*chosen)
        together = points.part(0, min(cell.num_asked, ASKED_TOGETHER)) if cell.num_asked else points
        parts = (num_parts(recipe), least_bytes(recipe)) if cell.halving else (1,)
        select = compile_sweep(recipe, together, _trials(cell, "select"), limit, *parts)
        report = None
        if cell.report_seeds:
            report = compile_sweep(recipe, points.take([0]), _trials(cell, "report"), limit)
    return Ready(points, select, report)


def _trials(cell: Cell, phase: str) -> list[str]:
    count = cell.seeds if phase == "select" else cell.report_seeds
    return [trial_name(cell.seed, phase, seed) for seed in range(count)]


def train_job(job: Job, ready: Ready, limit: int) -> tuple[pa.Table, CellResults, str]:
    """Train a cell's points on the selection seeds and the best on the report seeds: (rows, results, message)."""
    cell, problem = job.cell, job.problem
    assert isinstance(problem, Problem)
    began = time.perf_counter()
    points, select, compiled = _select(job, ready, limit)
    selected = time.perf_counter()
    best = best_point(select)
    rows = curve_rows(job, "select", select, points)
    if ready.report is not None:
        report, _ = sweep_in_memory(ready.report, points_of(cell, job.steps, [points[best]]), limit)
        rows = pa.concat_tables([rows, curve_rows(job, "report", report, [points[best]])])
    ended = time.perf_counter()
    optimum = problem.optimum()
    check_optimum(rows, optimum, cell.dtype)
    parts = ceil((min(len(points), ASKED_TOGETHER) if cell.num_asked else len(points)) / compiled.num_points)
    phases = [phase for phase in (compiled, ready.report) if phase is not None]
    results = CellResults(
        best_point=best,
        best=_shown(points)[best],
        at_edge=at_edge(points, best),
        optimum=optimum,
        targets=dict(problem.targets),
        higher_is_better=tuple(sorted(problem.higher_is_better)),
        steps=job.steps,
        record_every=job.record_every,
        trial_steps=select.trial_steps,
        examples_per_step=examples_per_step(cell, problem),
        trace_seconds=sum(phase.trace_seconds for phase in phases),
        compile_seconds=sum(phase.compile_seconds for phase in phases),
        select_seconds=selected - began,
        report_seconds=ended - selected,
        memory_bytes=compiled.memory_bytes,
        parts=parts,
    )
    split = f"points split into {parts} parts of {compiled.num_points} to fit into memory"
    return rows, results, split if compiled.split_for_memory else ""


def _select(job: Job, ready: Ready, limit: int) -> tuple[Sequence[dict[str, Any]], Curves, Compiled]:
    """Train a cell's points on the selection seeds: the points, as they were chosen, their curves, what ran them."""
    cell, compiled = job.cell, ready.select
    if not cell.num_asked:
        return cell.points, *sweep_in_memory(compiled, ready.points, limit, cell.halving)
    asked: list[dict[str, Any]] = []
    curves: list[Curves] = []

    def measure(chosen: Sequence[dict[str, Any]]) -> np.ndarray:
        nonlocal compiled
        found, compiled = sweep_in_memory(compiled, points_of(cell, job.steps, chosen), limit)
        asked.extend(chosen)
        curves.append(found)
        return final_losses(found)

    ask(cell.points, cell.num_asked, ASKED_TOGETHER, cell.seed, cell.optimizer, measure)
    return asked, join(curves), compiled


def sweep_in_memory(compiled: Compiled, points: Points, limit: int, halving: bool = False) -> tuple[Curves, Compiled]:
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
