"""What cells are expected to cost: the arithmetic of `plan`, and of the order in which a cluster computes them."""

from typing import Any, NamedTuple

from optbench.planning.jobs import Job
from optbench.store.record import CellResults

#: Problem, batch size and dtype: the cells that differ by their optimizer alone, and are taken to cost the same.
Group = tuple[str, Any, str]


class Cost(NamedTuple):
    """What compiling a cell takes, and what each update of each of its trials takes."""

    compile_seconds: float
    seconds_per_trial_step: float


def cost_of_cell(results: CellResults, report_trials: int) -> Cost:
    """Tell what a finished cell cost."""
    trained = results.trial_steps + report_trials * results.steps
    compiled = results.trace_seconds + results.compile_seconds
    return Cost(compiled, (results.select_seconds + results.report_seconds) / trained)


def group_of(job: Job) -> Group:
    """Name the group whose cost a job shares."""
    return job.cell.problem, job.cell.batch_size, job.cell.dtype


def trial_steps(job: Job) -> int:
    """Count the updates of all trials of a job, of both phases."""
    return job.num_trials * job.steps


def compile_seconds(num_cells: int, cost: Cost) -> float:
    """Estimate what compiling so many cells takes."""
    return num_cells * cost.compile_seconds


def run_seconds(steps: int, cost: Cost) -> float:
    """Estimate what so many updates, summed over trials, take."""
    return steps * cost.seconds_per_trial_step


def seconds(job: Job, cost: Cost) -> float:
    """Estimate what a job takes: compiling it and running it, one after the other."""
    return compile_seconds(1, cost) + run_seconds(trial_steps(job), cost)
