"""Widen the grids whose winner lies at an edge, until it lies inside or its reported results get worse."""

from collections.abc import Callable, Mapping, Sequence
from typing import Any, NamedTuple

from optbench.analyse.costs import Costs, costs_of
from optbench.analyse.outcomes import Slice
from optbench.analyse.statistics import median, median_interval
from optbench.planning.jobs import Job
from optbench.request import Cell
from optbench.results import Run
from optbench.runner.tuned import Rounds
from optbench.search.space import Point
from optbench.search.widen import widen
from optbench.store.parts import Part
from optbench.store.status import Outcome

#: How often a grid is widened at the most.
MAX_ROUNDS = 6

#: Which cell -> the points of its wider grid.
Grids = dict[tuple[Any, ...], tuple[Point, ...]]


def identity(cell: Cell) -> tuple[Any, ...]:
    """Return what a cell shares with the same one on a wider grid."""
    return (cell.problem, cell.optimizer, cell.batch_size, *cell.points[0])


def finished_parts(run: Run) -> dict[str, Part]:
    """Return the parts of the cells that finished, by key."""
    return {part.path.stem: part for part in run.parts if part.outcome == Outcome.FINISHED}


class Grid(NamedTuple):
    """A grid of a cell, and its part once it finished; None while the cell has failed."""

    points: tuple[Point, ...]
    part: Part | None


def widen_until_inside(
    plan: Callable[[Grids], list[Job]], start: Callable[[Sequence[Job], Sequence[Job]], Run], say: Callable[[str], None]
) -> Rounds:
    """Run grids, and widen those whose winner lies at an edge, until none does or the wider grid reports worse results.

    `plan` makes the jobs of some wider grids, `start` runs them, with what ran before. A lucky setting far out may win
    the selection: where the settings of a wider grid come out worse on fresh seeds, the grid before it stays.
    """
    grids: Grids = {}
    narrower: dict[tuple[Any, ...], Grid] = {}
    stops: dict[tuple[Any, ...], str] = {}
    all_jobs: dict[str, Job] = {}
    rounds = 0
    while True:
        jobs = plan(grids)
        run = start(jobs, list(all_jobs.values()))
        all_jobs |= {job.key: job for job in jobs}
        parts = finished_parts(run)
        now = {identity(job.cell): Grid(job.cell.points, parts.get(job.key)) for job in jobs}
        worse = _worse(now, {name: grid for name, grid in narrower.items() if name not in stops})
        stops |= {name: f"{_label(name)}: {reason}, so the narrower one is kept" for name, reason in worse.items()}
        wider = _wider_grids({name: grid for name, grid in now.items() if name not in stops})
        if not worse and (not wider or rounds == MAX_ROUNDS):
            break
        grids |= {name: narrower[name].points for name in worse}
        if wider and rounds < MAX_ROUNDS:
            say(f"widening {len(wider)} of {len(jobs)} grids, whose best settings lie at an edge")
            narrower |= {name: now[name] for name in wider}
            grids, rounds = grids | wider, rounds + 1
    notes = [*stops.values(), *(f"{_label(name)}: the best settings still lie at an edge" for name in wider)]
    for note in notes:
        say(note)
    return Rounds(run, jobs, list(all_jobs.values()), tuple(notes))


def _worse(
    grids: Mapping[tuple[Any, ...], Grid], narrower: Mapping[tuple[Any, ...], Grid]
) -> dict[tuple[Any, ...], str]:
    """Say of each grid that came out worse than the narrower one before it by how much."""
    reasons = {}
    for name, before in narrower.items():
        part = grids[name].part
        if part is None:
            reasons[name] = "training a wider grid failed"
            continue
        wide, narrow = (_costs(each) for each in (part, before.part) if each)
        if median(wide.cost) > median_interval(narrow.cost)[2]:
            values = " instead of ".join(f"{median(costs.values()):.4g}" for costs in (wide, narrow))
            reasons[name] = f"the best settings of a wider grid gave {wide.metric} {values} on fresh seeds"
    return reasons


def _costs(part: Part) -> Costs:
    """Return what a cell's settings came to on each report seed, in what they were chosen by; lower is better."""
    criterion = part.results.criteria[0]
    # Who chooses by seconds counts gradients.
    metric = "gradients_to_target" if criterion == "seconds_to_target" else criterion
    return costs_of(part, metric, Slice(), None, None)


def _wider_grids(grids: Mapping[tuple[Any, ...], Grid]) -> Grids:
    """Widen the grids of the finished cells whose winner lies at an edge."""
    wider = {
        name: widen(grid.points, grid.points[grid.part.results.best_point])
        for name, grid in grids.items()
        if grid.part is not None
    }
    return {name: points for name, points in wider.items() if points}


def _label(name: tuple[Any, ...]) -> str:
    problem, optimizer, batch_size, *_ = name
    return f"{problem} / {optimizer}" + ("" if batch_size == "full" else f" / {batch_size}")
