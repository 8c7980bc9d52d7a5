"""Estimate a suite before running it, from a short calibration of one cell per problem and batch size."""

import dataclasses
import time
from collections.abc import Callable, Sequence
from pathlib import Path
from typing import Any, NamedTuple

from optbench.planning.cost import Cost, compile_seconds, run_seconds, trial_steps
from optbench.planning.isolation import apart
from optbench.planning.jobs import Job, choose_compile_cache, pick_devices, plan_jobs, resolve_suite, run_place
from optbench.present.table import Table
from optbench.request import Suite, one_line
from optbench.runner.enough_seeds import seeds_warning
from optbench.runner.program_spec import preparer
from optbench.runner.train_cell import compile_job
from optbench.store.scan import scan
from optbench.store.status import Outcome
from optbench.sweep.devices import Device, settings
from optbench.sweep.sweep import sweep


class Calibration(NamedTuple):
    """What one cell of a problem cost: the others are taken to cost the same per compile, trial and step."""

    cost: Cost
    bytes_per_trial: float
    #: Points of a seed that a program trains at once, 0 for all trials.
    at_once: int


def plan(
    suite: str | Suite | None = None,
    *,
    results: str | Path = "results",
    name: str | None = None,
    device: str | None = None,
    devices: int = 1,
    compile_cache: bool = True,
    say: Callable[[str], None] = lambda text: None,
    **overrides: Any,
) -> Table:
    """Tabulate cells, trials, compiles, estimated minutes and memory per problem and batch size, and in all."""
    asked = resolve_suite(suite, **overrides)
    folder = run_place(results, name, suite, asked)
    chosen = pick_devices(device, devices)
    jobs = plan_jobs(asked, chosen[0].device_kind)
    choose_compile_cache(compile_cache)
    groups: dict[tuple[str, Any], list[Job]] = {}
    for job in jobs:
        groups.setdefault((job.cell.problem, job.cell.batch_size), []).append(job)
    parts = scan(folder, [job.key for job in jobs])
    finished = {key for key, part in parts.items() if part.outcome == Outcome.FINISHED}
    rows = [_row(group, finished, calibrate(group, chosen, say)) for group in groups.values()]
    total = {"problem": "all", "batch_size": "", "at_once": ""} | {
        name: sum(row[name] for row in rows) for name in SUMMED
    }
    total |= {"memory_bytes": max((row["memory_bytes"] for row in rows), default=0)}
    kind = chosen[0].device_kind
    several = f", {len(chosen)} of them (memory_bytes on each)," if len(chosen) > 1 else ""
    notes = (
        f"estimated on {kind}{several} by training one optimizer per problem and batch size for a few steps; others "
        "may take from half to several times as long",
        "compilation goes on beside training; timing steps at the end of a run adds about a second a cell",
    )
    if any(row["at_once"] == 1 for row in rows):
        notes += ("at_once 1: trials train one after another, which was measured to be faster there",)
    warning = seeds_warning(asked, jobs)
    return Table(f"plan of {folder.name}", COLUMNS, (*rows, total), (*notes, *([warning] if warning else [])))


SUMMED = ("cells", "finished", "trials", "compiles", "compile_minutes", "run_minutes")
COLUMNS = ("problem", "batch_size", *SUMMED, "at_once", "memory_bytes")


def _row(group: list[Job], finished: set[str], one: Calibration | None) -> dict[str, Any]:
    left = [job for job in group if job.key not in finished]
    compiles = sum(1 + (job.cell.report_seeds > 0) for job in left)
    work = sum(map(trial_steps, left))
    largest = max(len(job.cell.points) * job.cell.seeds * job.cell.select_studies for job in group)
    return {
        "problem": group[0].cell.problem,
        "batch_size": group[0].cell.batch_size,
        "cells": len(group),
        "finished": len(group) - len(left),
        "trials": sum(job.num_trials for job in left),
        "compiles": compiles,
        "compile_minutes": compile_seconds(len(left), one.cost) / 60 if one else float("nan"),
        "run_minutes": run_seconds(work, one.cost) / 60 if one else float("nan"),
        "at_once": "" if one is None else one.at_once or "all",
        "memory_bytes": int(largest * one.bytes_per_trial) if one else 0,
    }


def calibrate(group: list[Job], chosen: Sequence[Device], say: Callable[[str], None]) -> Calibration | None:
    """Compile the group's first cell, run a few of its steps, and leave nothing behind; None where that fails."""
    job = group[0]
    # Enough records that the one before the first step weighs little.
    steps = min(job.steps, 5 * job.record_every)
    short = job._replace(steps=steps, cell=dataclasses.replace(job.cell, steps=steps))
    say(f"calibrating on {job.cell.problem} / {job.cell.optimizer}, {steps} steps")
    try:
        began = time.perf_counter()
        with apart():
            ready = compile_job(short, chosen, preparer(*chosen))
        compiled = time.perf_counter()
        with settings(job.cell.dtype, chosen[0]):
            sweep(ready.select, ready.points)
            warm = time.perf_counter()
            sweep(ready.select, ready.points)
            took = time.perf_counter() - warm
    except (Exception, SystemExit) as error:
        say(f"{job.cell.problem} / {job.cell.optimizer} failed: {one_line(error)}")
        return None
    seeds = job.cell.seeds * job.cell.select_studies
    trials, together = seeds * len(ready.points), seeds * min(ready.select.num_points, len(ready.points))
    cost = Cost(compiled - began, took / (trials * steps))
    return Calibration(cost, ready.select.memory_bytes / together, ready.select.recipe.at_once)
