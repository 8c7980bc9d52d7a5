"""Tune: the same stated number of trials for each optimizer, and the best settings that they found."""

import dataclasses
import json
from collections.abc import Callable, Sequence
from fnmatch import fnmatchcase
from hashlib import sha256
from importlib.util import find_spec
from pathlib import Path
from typing import Any, NamedTuple

from optbench.planning.jobs import Job, pick_devices, plan_jobs, resolve_suite, run_place
from optbench.request import Cell, RequestError, Suite, nearest, parse_spec
from optbench.results import Run
from optbench.runner.best_suite import check_output, write_suite
from optbench.runner.executor import Progress, here
from optbench.runner.run import run_jobs
from optbench.search import space as searches
from optbench.store.parts import Part, part_path, read_part
from optbench.store.record import CellResults

SEARCHES = ("grid", "random", "sobol", "halving", "optuna")
#: Those whose points are a grid, which can be widened.
GRIDS = ("grid", "halving")
#: How often a grid is widened at the most.
MAX_ROUNDS = 6


class Tuned(NamedTuple):
    """A tuned run, and what choosing cost: summed over cells, and over the grids that were widened since."""

    run: Run
    #: (problem, optimizer, batch size) -> trials on selection seeds.
    trials: dict[tuple[str, str, Any], int]
    trial_steps: int
    #: What they had been, had every trial run to its end.
    full_trial_steps: int
    select_seconds: float
    notes: tuple[str, ...]


class Rounds(NamedTuple):
    """The last of some runs of ever wider grids, its jobs, and those of all."""

    run: Run
    jobs: Sequence[Job]
    all_jobs: Sequence[Job]
    notes: tuple[str, ...]


#: Which cell -> the points of its widened grid.
Wider = dict[tuple[Any, ...], tuple[searches.Point, ...]]


def tune(
    suite: str | Suite | None = None,
    *,
    trials: int,
    search: str = "grid",
    auto_extend: bool = False,
    output: str | Path | None = None,
    results: str | Path = "results",
    name: str | None = None,
    device: str | None = None,
    devices: int = 1,
    compile_cache: bool = True,
    on_progress: Callable[[Progress], None] = lambda progress: None,
    on_plan: Callable[[Sequence[Job]], None] = lambda jobs: None,
    say: Callable[[str], None] = lambda text: None,
    **overrides: Any,
) -> Tuned:
    """Choose each optimizer's settings by `trials` trials, a point on one selection seed each, and report the best.

    `search` says how the points come about: `grid` and `halving` give the learning rate as many values as the budget
    allows, unless its values are given; `halving` drops the worse half of the points on the way. `random` and `sobol`
    draw them within the grid's ends, `optuna` chooses them one after another. With `auto_extend`, a grid is widened
    until its winner no longer lies on an edge. `output` is a TOML file for the best settings, a suite.
    `overrides` are a suite's own words. Raises RequestError for what can't be asked, StoreError for what can't be
    written.
    """
    asked = resolve_suite(suite, **overrides)
    num_points = _num_points(trials, asked.seeds)
    _check(search, auto_extend)
    folder = run_place(results, name or _run_name(asked, trials, search, auto_extend), suite, asked)
    crew = here(pick_devices(device, devices), compile_cache)
    explicit = ["*"] if overrides.get("learning_rate") else _names_with_rates(asked)

    tuned = {"search": search, "trials": num_points * asked.seeds, "auto_extend": auto_extend}

    def plan(wider: Wider) -> list[Job]:
        def reshape(cell: Cell) -> Cell:
            found = wider.get(_identity(cell))
            return _shape(cell, search, num_points, explicit) if found is None else _with(cell, search, found)

        return plan_jobs(asked, crew.kind, reshape)

    def start(jobs: Sequence[Job], known: Sequence[Job]) -> Run:
        before = {job.key for job in known}

        def tell(progress: Progress) -> None:
            if progress.job.key not in before:
                on_progress(progress)

        on_plan([*known, *(job for job in jobs if job.key not in before)])
        return run_jobs(asked, jobs, folder, crew, throughput=False, tuned=tuned, on_progress=tell, say=say)

    jobs = plan({})
    if output is not None:
        check_output(Path(output), jobs)
    rounds = _widen_until_inside(plan, start, say) if auto_extend else Rounds(start(jobs, []), jobs, jobs, ())
    best = {key: results.best for key, results in _results(rounds.run).items()}
    if output is not None and best:
        words = f"Best settings by optbench tune: {search}, {num_points * asked.seeds} trials for each optimizer."
        write_suite(Path(output), rounds.jobs, best, words)
    return _summed(rounds, num_points)


def _widen_until_inside(
    plan: Callable[[Wider], list[Job]], start: Callable[[Sequence[Job], Sequence[Job]], Run], say: Callable[[str], None]
) -> Rounds:
    """Run grids, and widen those whose winner lies at an edge, until none does."""
    wider: Wider = {}
    known: dict[str, Job] = {}
    turn = 0
    while True:
        jobs = plan(wider)
        run = start(jobs, list(known.values()))
        known |= {job.key: job for job in jobs}
        more = _wider(run, jobs)
        if not more or turn == MAX_ROUNDS:
            break
        say(f"widening {len(more)} of {len(jobs)} grids: their winners lie at an edge")
        wider, turn = wider | more, turn + 1
    edge = [f"{_named(job.cell)}: the winner still lies at an edge" for job in jobs if _identity(job.cell) in more]
    for line in edge:
        say(line)
    return Rounds(run, jobs, list(known.values()), tuple(edge))


def _num_points(trials: int, seeds: int) -> int:
    """Turn a number of trials into one of points, rounded down."""
    if trials // seeds < 2:
        accepted = f"accepted: {2 * seeds} or more, which are two points on {seeds} seeds each"
        raise RequestError(f"trials: {trials} is not accepted; {accepted}")
    return trials // seeds


def _check(search: str, auto_extend: bool) -> None:
    if search not in SEARCHES:
        raise RequestError(f"unknown search {search!r}{nearest(search, SEARCHES)}")
    if auto_extend and search not in GRIDS:
        raise RequestError(f"auto_extend: {search} has no grid to widen; accepted: with {' or '.join(GRIDS)}")
    if search == "optuna" and find_spec("optuna") is None:
        raise RequestError("search: optuna needs the extra optuna: pip install 'optbench[optuna]'")


def _run_name(asked: Suite, *words: Any) -> str:
    return f"tune-{sha256(json.dumps([asked.model_dump(mode='json'), *words]).encode()).hexdigest()[:6]}"


def _names_with_rates(asked: Suite) -> list[str]:
    """Name the optimizers, or patterns of them, whose learning rates are given in brackets."""
    specs = [parse_spec(entry.spec) for entry in asked.optimizers]
    return [spec.name for spec in specs if "learning_rate" in spec.parameters]


def _shape(cell: Cell, search: str, num_points: int, explicit: Sequence[str]) -> Cell:
    """Give a cell the points that a budget pays for; `explicit` are optimizers whose learning rates stay as given."""
    points, label = cell.points, cell.optimizer
    if search == "optuna":
        return dataclasses.replace(cell, num_asked=num_points)
    if search == "random":
        points = searches.random(points, num_points, cell.seed, label)
    elif search == "sobol":
        points = searches.sobol(points, num_points, cell.seed, label)
    elif any(fnmatchcase(cell.optimizer_name, name) for name in explicit):
        searches.check_budget(len(points), num_points, label)
    else:
        points = searches.grid(points, num_points, label)
    return _with(cell, search, points)


def _with(cell: Cell, search: str, points: tuple[searches.Point, ...]) -> Cell:
    return dataclasses.replace(cell, points=points, halving=search == "halving")


def _identity(cell: Cell) -> tuple[Any, ...]:
    return (cell.problem, cell.optimizer, cell.batch_size, *cell.points[0])


def _named(cell: Cell) -> str:
    return f"{cell.problem} / {cell.optimizer}" + ("" if cell.batch_size == "full" else f" / {cell.batch_size}")


def _results(run: Run) -> dict[str, CellResults]:
    """Return what each finished cell gave, by key."""
    return {part.path.stem: part.results for part in run.parts if part.outcome == "finished"}


def _wider(run: Run, jobs: Sequence[Job]) -> Wider:
    """Widen the grids of the cells whose winner lies at an edge."""
    best = {key: results.best_point for key, results in _results(run).items()}
    at = {job.key: job.cell.points for job in jobs if job.key in best}
    widened = {key: searches.widen(points, points[best[key]]) for key, points in at.items()}
    return {_identity(job.cell): more for job in jobs if (more := widened.get(job.key))}


def _summed(rounds: Rounds, num_points: int) -> Tuned:
    """Add up what all cells cost, those of grids that were widened since too."""
    done, jobs = rounds.run, rounds.all_jobs
    known = [(job, results) for job in jobs if (results := _stored_results(done.folder, job)) is not None]
    trials: dict[tuple[str, str, Any], int] = {}
    for job in jobs:
        name = (job.cell.problem, job.cell.optimizer, job.cell.batch_size)
        trials[name] = trials.get(name, 0) + job.cell.num_points * job.cell.seeds
    seeds = jobs[0].cell.seeds
    budget = f"budget: {num_points} points x {seeds} seeds = {num_points * seeds} trials for each optimizer"
    fewer = sum(number < num_points * seeds for number in trials.values())
    more = sum(number > num_points * seeds for number in trials.values())
    said = [budget]
    said += [f"{fewer} of {len(trials)} got fewer: no whole grid fits the budget better"] if fewer else []
    said += [f"{more} of {len(trials)} got more than that: their grids were widened"] if more else []
    return Tuned(
        run=done,
        trials=trials,
        trial_steps=sum(results.trial_steps for _, results in known),
        full_trial_steps=sum(job.cell.num_points * job.cell.seeds * job.steps for job, _ in known),
        select_seconds=sum(results.select_seconds for _, results in known),
        notes=(*said, *rounds.notes),
    )


def _stored_results(folder: Path, job: Job) -> CellResults | None:
    part = read_part(part_path(folder, job.key))
    return part.record.results if isinstance(part, Part) else None
