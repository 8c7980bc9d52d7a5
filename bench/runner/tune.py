"""Tune: the same stated number of trials for each optimizer, and the best settings that they found."""

import dataclasses
import json
from collections.abc import Sequence
from fnmatch import fnmatchcase
from hashlib import sha256
from importlib.util import find_spec
from pathlib import Path
from typing import Any

from optbench import search as searches
from optbench.errors import RequestError, check_name, refused
from optbench.planning.jobs import Job, pick_devices, plan_jobs, resolve_suite, run_place
from optbench.request import Cell, Suite, parse_spec
from optbench.results import Run
from optbench.runner.best_suite import check_output, write_suite
from optbench.runner.executor import OnPlan, OnProgress, Progress, Reports, Say
from optbench.runner.local import here
from optbench.runner.run import deadline_in, run_jobs
from optbench.runner.tuned import Rounds, Tuned, summed
from optbench.runner.widening import Grids, finished_parts, identity, widen_until_inside
from optbench.search.space import Space


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
    max_minutes: float | None = None,
    compile_cache: bool = True,
    on_progress: OnProgress = lambda progress: None,
    on_plan: OnPlan = lambda jobs: None,
    say: Say = lambda text: None,
    **overrides: Any,
) -> Tuned:
    """Choose each optimizer's settings by `trials` trials, a point on one selection seed each, and report the best.

    `search` names the strategy of `optbench.search` by which points come about: `grid` and `halving` give the learning
    rate as many values as the budget allows, unless its values are listed; `halving` drops the worse half of the
    points on the way; `random` and `sobol` draw points within the grid's ends; `optuna` proposes them one after
    another. With `auto_extend`, a grid is widened until its winner lies inside, or a wider one reports worse results.
    `output` is a TOML file for the best settings, a suite. After `max_minutes` no cell begins any more. `overrides` are
    a suite's own words. Raises RequestError for what can't be asked, StoreError for what can't be written.
    """
    asked = resolve_suite(suite, **overrides)
    budget = _num_points(trials, asked.seeds)
    _check(search, auto_extend)
    folder = run_place(results, name or _run_name(asked, trials, search, auto_extend), suite, asked)
    deadline = deadline_in(max_minutes)
    executor = here(pick_devices(device, devices), compile_cache)
    fixed_rates = ["*"] if overrides.get("learning_rate") else _names_with_rates(asked)
    tuned = {"search": search, "trials": budget * asked.seeds, "auto_extend": auto_extend}

    def plan(grids: Grids) -> list[Job]:
        def reshape(cell: Cell) -> Cell:
            designed = _designed(cell, search, budget, fixed_rates)
            return dataclasses.replace(designed, points=grids.get(identity(cell), designed.points))

        return plan_jobs(asked, executor.kind, reshape)

    def start(jobs: Sequence[Job], earlier: Sequence[Job]) -> Run:
        keys = {job.key for job in earlier}

        def report(progress: Progress) -> None:
            if progress.job.key not in keys:
                on_progress(progress)

        on_plan([*earlier, *(job for job in jobs if job.key not in keys)])
        reports = Reports(report, say=say)
        return run_jobs(asked, jobs, folder, executor, reports, throughput=False, tuned=tuned, deadline=deadline)

    jobs = plan({})
    if output is not None:
        check_output(Path(output), jobs)
    rounds = widen_until_inside(plan, start, say) if auto_extend else Rounds(start(jobs, []), jobs, jobs, ())
    settings = {key: part.results.best for key, part in finished_parts(rounds.run).items()}
    if output is not None and settings:
        words = f"Best settings by optbench tune: {search}, {budget * asked.seeds} trials for each optimizer."
        write_suite(Path(output), rounds.jobs, settings, words)
    return summed(rounds, budget)


def _num_points(trials: int, seeds: int) -> int:
    """Turn a number of trials into one of points, rounded down. Raises RequestError for fewer than two."""
    if trials // seeds < 2:
        raise refused("trials", trials, f"{2 * seeds} or more, which are two points on {seeds} seeds each")
    return trials // seeds


def _check(search: str, auto_extend: bool) -> None:
    """Raise RequestError for a strategy that isn't there, or isn't installed, or has no grid to widen."""
    strategies = searches.strategies()
    check_name(search, strategies, "search")
    grids = [name for name, strategy in strategies.items() if strategy.keeps_grid]
    if auto_extend and search not in grids:
        raise RequestError(f"auto_extend: {search} has no grid to widen; accepted: with {' or '.join(grids)}")
    package = strategies[search].package
    if package and find_spec(package) is None:
        raise RequestError(f"search: {search} needs the extra {package}: pip install 'optbench[{package}]'")


def _run_name(asked: Suite, *words: Any) -> str:
    return f"tune-{sha256(json.dumps([asked.model_dump(mode='json'), *words]).encode()).hexdigest()[:6]}"


def _names_with_rates(asked: Suite) -> list[str]:
    """Name the optimizers, or patterns of them, whose learning rates stand in brackets."""
    specs = [parse_spec(entry.spec) for entry in asked.optimizers]
    return [spec.name for spec in specs if "learning_rate" in spec.parameters]


def _designed(cell: Cell, search: str, budget: int, fixed_rates: Sequence[str]) -> Cell:
    """Return a cell with the points that a strategy designs, or with its ranges and budget where it proposes some.

    `fixed_rates` are names or patterns of optimizers whose learning rates stay as they are.
    """
    strategy = searches.strategy(search)
    fixed = any(fnmatchcase(cell.optimizer_name, pattern) for pattern in fixed_rates)
    points = strategy.design(Space(cell.points, budget, cell.seed, cell.optimizer, fixed))
    return dataclasses.replace(
        cell, points=points, search=search if strategy.trains else "", budget=budget if strategy.propose else 0
    )
