"""What tuning came to: its run, and what choosing cost."""

from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import Any, NamedTuple

from optbench.planning.jobs import Job
from optbench.request import Cell
from optbench.results import Run
from optbench.store.parts import Part, part_path, read_part
from optbench.store.record import CellResults


class Tuned(NamedTuple):
    """A tuned run, and what choosing cost: summed over cells, and over the grids that were widened since."""

    run: Run
    #: (problem, optimizer, batch size) -> trials on selection seeds, of all studies.
    trials: dict[tuple[str, str, Any], int]
    trial_steps: int
    #: What they had been, had every trial run to its end.
    full_trial_steps: int
    select_seconds: float
    notes: tuple[str, ...]


class Rounds(NamedTuple):
    """The last of some runs of ever wider grids, its jobs, those of all runs, and notes."""

    run: Run
    jobs: Sequence[Job]
    all_jobs: Sequence[Job]
    notes: tuple[str, ...]


def summed(rounds: Rounds, budget: int) -> Tuned:
    """Add up what all cells cost, those of grids that were widened since too."""
    trials: dict[tuple[str, str, Any], int] = {}
    for job in rounds.all_jobs:
        name = (job.cell.problem, job.cell.optimizer, job.cell.batch_size)
        trials[name] = trials.get(name, 0) + job.cell.num_points * job.cell.seeds * job.cell.select_studies
    stored = [(job, _stored_results(rounds.run.folder, job)) for job in rounds.all_jobs]
    trained = [(job, results) for job, results in stored if results is not None]
    return Tuned(
        run=rounds.run,
        trials=trials,
        trial_steps=sum(results.trial_steps for _, results in trained),
        full_trial_steps=sum(
            job.cell.num_points * job.cell.seeds * job.cell.select_studies * job.steps for job, _ in trained
        ),
        select_seconds=sum(results.select_seconds for _, results in trained),
        notes=(*_budget_notes(trials, budget, rounds.jobs[0].cell), *rounds.notes),
    )


def _stored_results(folder: Path, job: Job) -> CellResults | None:
    """Return what a cell gave; None where it failed or has no part."""
    part = read_part(part_path(folder, job.key))
    return part.record.results if isinstance(part, Part) else None


def _budget_notes(trials: Mapping[tuple[str, str, Any], int], budget: int, cell: Cell) -> list[str]:
    """State the budget, and how many optimizers got fewer or more trials than that."""
    seeds, studies = cell.seeds, cell.select_studies
    number = budget * seeds
    fewer = sum(count < number * studies for count in trials.values())
    more = sum(count > number * studies for count in trials.values())
    of_studies = f", in each of {studies} studies" if studies > 1 else ""
    notes = [f"budget: {budget} points x {seeds} seeds = {number} trials for each optimizer{of_studies}"]
    notes += (
        [f"{fewer} of {len(trials)} cells got fewer trials: the next larger grid exceeds the budget"] if fewer else []
    )
    notes += [f"{more} of {len(trials)} cells got more trials: their grids were widened"] if more else []
    return notes
