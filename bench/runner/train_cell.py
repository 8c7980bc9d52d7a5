"""Train one cell: compile it, choose its best point, and train that one on fresh seeds."""

import time
from collections.abc import Callable, Mapping, Sequence
from dataclasses import replace
from math import ceil
from typing import Any, NamedTuple

import numpy as np
import pyarrow as pa
from jaxtyping import Int

from optbench import search
from optbench.planning.jobs import Job
from optbench.problems.problem import Problem
from optbench.request import Cell
from optbench.runner.program_spec import Settings, defaults_of, points_of, recipe_of, settings_of
from optbench.runner.randomness import is_random
from optbench.runner.trace import span
from optbench.runner.trial_rows import check_optimum, curve_rows, examples_per_step
from optbench.search.space import Space, axes_of
from optbench.search.strategy import Measure
from optbench.store.record import CellResults
from optbench.sweep.at_once import points_at_once
from optbench.sweep.criteria import Choice, choices, point_scores
from optbench.sweep.curves import Curves, join
from optbench.sweep.devices import Device, memory_limit_bytes, settings
from optbench.sweep.halving import least_bytes, num_parts, sweep_halving
from optbench.sweep.probes import directions, probes_at
from optbench.sweep.problem_data import Prepared
from optbench.sweep.selection import at_edge
from optbench.sweep.streams import trial_name
from optbench.sweep.sweep import Compiled, Points, compile_sweep, measuring_ends, out_of_memory, sweep

#: Positions among a cell's selection seeds, or its points.
Indices = Int[np.ndarray, "seed criterion"]


class Ready(NamedTuple):
    """A job compiled for both phases."""

    points: Points
    #: How many points are trained before the next are known: all, or a round of those that a strategy proposes.
    together: int
    select: Compiled
    #: None where no seed is reported on, or the trials that would be were all trained for the selection.
    report: Compiled | None
    #: Selection seeds of a study that are one trial, since nothing random reaches them.
    copies: int


def compile_job(
    job: Job,
    chosen: Sequence[Device],
    prepared: Callable[..., Prepared],
    limit: int | None = None,
) -> Ready:
    """Compile a job's programs for both phases, to fit into `limit` bytes, or into what a device has free."""
    if isinstance(job.problem, Exception):
        raise job.problem
    cell = job.cell
    with settings(cell.dtype, chosen[0]), span(f"compile {cell.problem} / {cell.optimizer}"):
        recipe = recipe_of(job, prepared(job.problem, cell.dtype, cell.probes))
        random = is_random(recipe)
        copies = 1 if random else cell.seeds
        points = points_of(cell, job.steps, settings_of(cell, cell.points)[::copies])
        limit = limit or memory_limit_bytes(*chosen)
        strategy, trials = search.strategy(cell.search), _trials(cell, "select")[::copies]
        recipe = replace(recipe, at_once=points_at_once(recipe, len(points) * len(trials)))
        together = min(cell.budget, strategy.together) if strategy.propose else len(points)
        parts = (num_parts(recipe, strategy.rungs), least_bytes(recipe)) if strategy.rungs else (1,)
        select = compile_sweep(recipe, points.part(0, together), trials, limit, *parts)
        report = None
        if cell.report_seeds and (random or probes_at("end", cell.probes)):
            chosen_points = points_of(cell, job.steps, [[cell.points[0]] * len(cell.select_by)] * cell.report_seeds)
            report = compile_sweep(recipe, chosen_points, _trials(cell, "report"), limit)
            report = measuring_ends(report, chosen_points)
    return Ready(points, together, select, report, copies)


def _trials(cell: Cell, phase: str) -> list[str]:
    count = cell.seeds * cell.select_studies if phase == "select" else cell.report_seeds
    return [trial_name(cell.seed, phase, seed) for seed in range(count)]


def train_job(job: Job, ready: Ready, limit: int) -> tuple[pa.Table, CellResults, str]:
    """Train each study's points on its selection seeds, and what it chooses on its report seed.

    Where nothing is random, a study's seeds are one trial, and what a report seed would train was trained before.
    Returns (rows, results, message).
    """
    cell, problem = job.cell, job.problem
    assert isinstance(problem, Problem)
    began = time.perf_counter()
    points, select, compiled = _select(job, ready, limit)
    select = select.repeat(ready.copies)
    selected = time.perf_counter()
    settings = settings_of(cell, points)
    rates = np.array([point["learning_rate"] for point in points])
    chosen = choices(select, cell.select_by, problem, rates, cell.select_studies)
    best = chosen[0].over_all
    plain = compiled.recipe.optimizer.evaluation_params is None
    rows = curve_rows(job, "select", select, settings, plain)
    if cell.report_seeds:
        winners = _winners(cell, settings, chosen)
        if ready.report is None:
            report = select.take(*_selected_trials(cell, chosen))
        else:
            report, _ = sweep_in_memory(ready.report, points_of(cell, job.steps, winners), limit)
        rows = pa.concat_tables([rows, curve_rows(job, "report", report, winners, plain)])
    ended = time.perf_counter()
    optimum = problem.optimum()
    check_optimum(rows, optimum, cell.dtype)
    parts = ceil(ready.together / compiled.num_points)
    phases = [phase for phase in (compiled, ready.report) if phase is not None]
    results = CellResults(
        best_point=best,
        best=_shown(points)[best],
        at_edge=at_edge(points, best),
        criteria=cell.select_by,
        space={axis: _range_text(values) for axis, values in axes_of(points).items()},
        selected={choice.criterion: float(np.median(choice.scores)) for choice in chosen},
        optimum=optimum,
        targets=dict(problem.targets),
        higher_is_better=tuple(sorted(problem.higher_is_better)),
        probes=directions(cell.probes),
        defaults=defaults_of(job),
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
        at_once=compiled.recipe.at_once,
    )
    split = f"points split into {parts} parts of {compiled.num_points} to fit into memory"
    return rows, results, split if compiled.split_for_memory else ""


def _winners(cell: Cell, settings: Settings, chosen: Sequence[Choice]) -> Settings:
    """Return what each report seed trains, by each criterion: the settings of `_selected_trials`."""
    trials = zip(*_selected_trials(cell, chosen), strict=True)
    return [[settings[seed][point] for seed, point in zip(*of_seed, strict=True)] for of_seed in trials]


def _selected_trials(cell: Cell, chosen: Sequence[Choice]) -> tuple[Indices, Indices]:
    """Return the selection seed and the point whose settings each report seed trains, by each criterion.

    Those are its study's choice; a single study serves all seeds with what is chosen over all of its own.
    """
    if cell.select_studies == 1:
        points = np.array([[choice.over_all for choice in chosen]] * cell.report_seeds)
        return np.zeros_like(points), points
    points = np.array([choice.of_studies for choice in chosen]).T
    return np.broadcast_to(np.arange(cell.studies)[:, None] * cell.seeds, points.shape), points


def _select(job: Job, ready: Ready, limit: int) -> tuple[Sequence[dict[str, Any]], Curves, Compiled]:
    """Train a cell's points on the selection seeds: the points in the order of their curves, these, what ran them."""
    strategy = search.strategy(job.cell.search)
    if strategy.propose:
        return _select_proposed(job, ready, limit, strategy.propose)
    return job.cell.points, *sweep_in_memory(ready.select, ready.points, limit, strategy.rungs)


def _select_proposed(
    job: Job, ready: Ready, limit: int, propose: Callable[[Space, Measure], None]
) -> tuple[Sequence[dict[str, Any]], Curves, Compiled]:
    """Train points round by round, as a strategy proposes them from the scores of earlier rounds."""
    cell, compiled, problem = job.cell, ready.select, job.problem
    assert isinstance(problem, Problem)
    points: list[dict[str, Any]] = []
    curves: list[Curves] = []

    def measure(proposed: Sequence[dict[str, Any]]) -> Sequence[float]:
        nonlocal compiled
        settings = settings_of(cell, proposed)[:: ready.copies]
        measured, compiled = sweep_in_memory(compiled, points_of(cell, job.steps, settings), limit)
        points.extend(proposed)
        curves.append(measured)
        return point_scores(measured, cell.select_by[0], problem).tolist()

    propose(Space(cell.points, cell.budget, cell.seed, cell.optimizer), measure)
    return points, join(curves), compiled


def sweep_in_memory(
    compiled: Compiled, points: Points, limit: int, rungs: Sequence[float] = ()
) -> tuple[Curves, Compiled]:
    """Sweep; where the device runs out of memory all the same, halve the points that run together and try again.

    At each of `rungs`, shares of all steps, the worse half of the points is dropped.
    """
    while True:
        try:
            return sweep_halving(compiled, points, rungs) if rungs else sweep(compiled, points), compiled
        except Exception as error:
            if not out_of_memory(error) or compiled.num_points == compiled.recipe.prepared.num_devices:
                raise
            parts = 2 * ceil(len(points) / compiled.num_points)
            compiled = compile_sweep(compiled.recipe, points, compiled.trials, limit, parts)
            compiled = compiled._replace(split_for_memory=True)


def _range_text(values: Sequence[Any]) -> str:
    """Write the values of an axis: all of a few, the ends and the number of many."""
    if isinstance(values[0], str) or len(values) < 4:
        return ", ".join(value if isinstance(value, str) else f"{value:g}" for value in values)
    return f"{values[0]:g} to {values[-1]:g} in {len(values)}"


def _shown(points: Sequence[Mapping[str, Any]]) -> list[dict[str, Any]]:
    """Leave the schedule out where there is no choice of it."""
    if {point["schedule"] for point in points} == {"constant"}:
        return [{name: value for name, value in point.items() if name != "schedule"} for point in points]
    return [dict(point) for point in points]
