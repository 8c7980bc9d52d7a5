"""What cells are expected to cost: the arithmetic of `plan`, and the order in which to compute many of them."""

from collections.abc import Iterable, Mapping
from math import inf
from typing import Any, NamedTuple, Protocol, TypeVar

from optbench.store.record import CellResults

#: Problem, batch size and dtype: the cells that differ by their optimizer alone, and are taken to cost the same.
Group = tuple[str, Any, str]


class Cost(NamedTuple):
    """What compiling a cell takes, and what each update of each of its trials takes."""

    compile_seconds: float
    seconds_per_trial_step: float


class Work(Protocol):
    """What is asked of a job here."""

    @property
    def cell(self) -> Any: ...
    @property
    def steps(self) -> int: ...
    @property
    def num_trials(self) -> int: ...


Job = TypeVar("Job", bound=Work)


def cost_of_cell(results: CellResults, report_seeds: int) -> Cost:
    """Tell what a finished cell cost."""
    trained = results.trial_steps + report_seeds * results.steps
    compiled = results.trace_seconds + results.compile_seconds
    return Cost(compiled, (results.select_seconds + results.report_seconds) / trained)


def group_of(job: Work) -> Group:
    """Name the group whose cost a job shares."""
    return job.cell.problem, job.cell.batch_size, job.cell.dtype


def trial_steps(job: Work) -> int:
    """Count the updates of all trials of a job, of both phases."""
    return job.num_trials * job.steps


def compile_seconds(num_cells: int, cost: Cost) -> float:
    """Estimate what compiling so many cells takes."""
    return num_cells * cost.compile_seconds


def run_seconds(steps: int, cost: Cost) -> float:
    """Estimate what so many updates, summed over trials, take."""
    return steps * cost.seconds_per_trial_step


def seconds(job: Work, cost: Cost) -> float:
    """Estimate what a job takes: compiling it and running it, one after the other."""
    return compile_seconds(1, cost) + run_seconds(trial_steps(job), cost)


def longest_first(jobs: Iterable[Job], costs: Mapping[Group, Cost]) -> list[Job]:
    """Order jobs by group, the one whose longest cell takes longest first, so that none is left to the end alone.

    Groups of unknown cost come before all others: they may be the longest, and tell what they cost. The jobs of a group
    stay together and in order, since they share what is prepared of their problem; equal groups stay in order too.
    """
    groups: dict[Group, list[Job]] = {}
    for job in jobs:
        groups.setdefault(group_of(job), []).append(job)
    longest = {
        group: max(seconds(job, costs[group]) for job in members) if group in costs else inf
        for group, members in groups.items()
    }
    return [job for group in sorted(groups, key=lambda group: -longest[group]) for job in groups[group]]
