"""Turn jobs into what `optbench.sweep` takes: prepared problems, recipes, points as arrays."""

from collections.abc import Callable, Mapping, Sequence
from typing import Any

import numpy as np
from jaxtyping import Float

from optbench.optimizers.adapted import adapted
from optbench.optimizers.optimizer import Optimizer
from optbench.planning.jobs import Job
from optbench.problems.problem import Problem
from optbench.request import Cell, parse_schedule
from optbench.request.studies import study_points
from optbench.sweep import devices
from optbench.sweep.problem_data import Prepared, prepare
from optbench.sweep.schedules import multipliers
from optbench.sweep.step import Recipe
from optbench.sweep.sweep import Points


def preparer(*chosen: devices.Device) -> Callable[..., Prepared]:
    """Return `prepare` with a short memory: cells come problem by problem, one ahead of the other."""
    # A problem holds arrays, which have no hash; it is the same problem where it is the same object.
    recent: dict[tuple[int, str, tuple[str, ...]], tuple[Problem, Prepared]] = {}

    def prepared(problem: Problem, dtype: str, probes: tuple[str, ...] = ()) -> Prepared:
        key = (id(problem), dtype, probes)
        if key not in recent:
            while len(recent) > 1:
                del recent[next(iter(recent))]
            recent[key] = (problem, prepare(problem, dtype, *chosen, probes=probes))
        return recent[key][1]

    return prepared


def recipe_of(job: Job, prepared: Prepared) -> Recipe:
    """Name everything that a job's program depends on, besides its points."""
    cell, optimizer = job.cell, job.known.optimizers[job.cell.optimizer_name]
    static = _optimum(cell, prepared.problem, optimizer) | cell.optimizer_static
    scheduled = any(point["schedule"] != "constant" for point in cell.points)
    optimizer = adapted(optimizer, prepared.params, static, tuned_names(cell), scheduled)
    return Recipe(
        prepared=prepared,
        optimizer=optimizer,
        batch_size=cell.batch_size or "full",
        steps=job.steps,
        record_every=job.record_every,
        coupled=cell.decay == "coupled",
        static=static,
    )


def _optimum(cell: Cell, problem: Problem, optimizer: Optimizer) -> dict[str, float]:
    """Return the problem's optimum as the hyperparameter that stands for it, unless the cell's points set that one.

    A cell's key has no word for it, for the key digests the code and parameters that an optimum follows from.
    """
    name = optimizer.optimum_parameter
    optimum = None if name is None or name in cell.points[0] else problem.optimum()
    return {} if name is None or optimum is None else {name: float(optimum)}


def defaults_of(job: Job) -> dict[str, float]:
    """Return what an optimizer has without tuning, of the numbers that a cell's points hold."""
    optimizer = job.known.optimizers[job.cell.optimizer_name]
    rate = optimizer.default_learning_rate
    known = {**optimizer.hyperparameters, "learning_rate": rate, "weight_decay": 0.0}
    # A second rate without a default of its own is as the first.
    seconds = {name: rate for name, value in known.items() if value is None and name.endswith("learning_rate")}
    values = {name: (known | seconds).get(name) for name in sorted(job.cell.points[0])}
    return {name: float(value) for name, value in values.items() if value is not None}


#: The settings of trials, [seed][point].
Settings = Sequence[Sequence[Mapping[str, Any]]]


def settings_of(cell: Cell, points: Sequence[Mapping[str, Any]]) -> list[list[dict[str, Any]]]:
    """Return the settings of all selection trials: every study's seeds train its points."""
    studies = study_points(points, cell.select_studies, cell.seed, cell.has_range)
    return [study for study in studies for _ in range(cell.seeds)]


def points_of(cell: Cell, steps: int, settings: Settings) -> Points:
    """Turn the settings of trials within a cell's ranges into arrays: one program takes them all."""
    schedules = sorted({point["schedule"] for point in cell.points})
    table = [multipliers(*parse_schedule(text), steps) for text in schedules]
    index = np.array([[schedules.index(point["schedule"]) for point in points] for points in settings])
    values = {
        name: np.array([[point[name] for point in points] for points in settings], dtype=np.float64)
        for name in tuned_names(cell)
    }
    return Points(values, index, np.stack(table, axis=1))


def tuned_names(cell: Cell) -> list[str]:
    """Name the hyperparameters of a cell's points; weight decay is left out where none of the cell's has any."""
    decayed = any(point["weight_decay"] for point in cell.points)
    return [name for name in cell.points[0] if name != "schedule" and (name != "weight_decay" or decayed)]


def hyperparameters_of(cell: Cell) -> dict[str, Float[np.ndarray, " point"]]:
    """Gather the values of each hyperparameter of a cell's points."""
    return {name: np.array([point[name] for point in cell.points], dtype=np.float64) for name in tuned_names(cell)}
