"""The finished cells of a run by task, a problem at one batch size: what has a panel of its own in most figures."""

from collections.abc import Sequence
from typing import Any

from optbench.analyse.objective import objective
from optbench.analyse.outcomes import Slice, tuned
from optbench.analyse.series import has_curve, metric_of
from optbench.analyse.statistics import median
from optbench.analyse.step_times import step_seconds
from optbench.figures.captions import NOT_TIMED
from optbench.figures.figure import Options, nothing_to_draw
from optbench.store.parts import Part
from optbench.store.run import StoredRun
from optbench.store.status import Outcome

#: (problem, batch size)
Task = tuple[str, Any]
#: The finished cells of each task.
Tasks = dict[Task, list[Part]]
#: Panels of single cells; of more cells only the best of each task is shown.
MOST_PANELS = 12


def finished_tasks(run: StoredRun) -> Tasks:
    """Group the finished cells by task. Raises ValueError if there are none."""
    tasks: Tasks = {}
    for part in run.parts:
        if part.outcome == Outcome.FINISHED:
            tasks.setdefault((part.record.problem, part.record.batch_size), []).append(part)
    if not tasks:
        raise nothing_to_draw(run, "no cell has finished, so there is nothing to draw")
    return tasks


def measured_tasks(run: StoredRun, options: Options) -> Tasks:
    """Group the finished cells that have the metric, and where x is seconds a timing. Raises ValueError if none has."""
    tasks, metric = finished_tasks(run), options.metric
    if metric is not None:
        tasks = {task: [part for part in parts if has_curve(part, metric)] for task, parts in tasks.items()}
    if options.x == "seconds":
        seconds = seconds_of(run)
        tasks = {task: [part for part in parts if seconds.get(cell_of(part))] for task, parts in tasks.items()}
    measured = {task: parts for task, parts in tasks.items() if parts}
    if not measured:
        raise nothing_to_draw(run, f"no finished cell {NOT_TIMED if options.x == 'seconds' else f'has {metric}'}")
    return measured


def shown_cells(tasks: Tasks, options: Options) -> Tasks:
    """Choose the cells that get a panel each: all, or of many the best of each task."""
    if sum(map(len, tasks.values())) <= MOST_PANELS:
        return tasks
    return {task: best_first(parts, options.view)[:1] for task, parts in tasks.items()}


def best_first(parts: Sequence[Part], view: Slice) -> list[Part]:
    """Order the cells of a task by the median final objective of their tuned optimizers."""
    return sorted(parts, key=lambda part: median(objective(tuned(part, view), part.results)[:, 0]))


def cell_of(part: Part) -> tuple[Any, ...]:
    """Return what a cell is joined with its timing by: (problem, optimizer, batch size)."""
    return tuple(part.record.names.values())


def seconds_of(run: StoredRun) -> dict[tuple[Any, ...], float]:
    """Return the median seconds of a step of each cell that was timed."""
    return {cell: seconds for cell, seconds in step_seconds(run.timings).items() if seconds is not None}


def metrics_of(tasks: Tasks, options: Options) -> dict[Task, str]:
    """Return the metric that is shown of each task."""
    return {task: metric_of(parts[0], options.metric) for task, parts in tasks.items()}


def optimizers_of(tasks: Tasks) -> list[str]:
    """Return the optimizers of the cells of tasks, each once."""
    return list(dict.fromkeys(part.record.optimizer for parts in tasks.values() for part in parts))


def task_titles(task: Task) -> tuple[str, str]:
    """Return the title and subtitle of a task's panel."""
    return task[0], f"batch size {task[1]}"


def cell_titles(part: Part, task: Task) -> tuple[str, str]:
    """Return the title and subtitle of a cell's panel."""
    return f"{part.record.optimizer} on {task[0]}", f"batch size {task[1]}"
