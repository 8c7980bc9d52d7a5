"""Learning curves for figures: thinned, with intervals over seeds."""

from collections.abc import Iterator
from typing import NamedTuple

import numpy as np
from jaxtyping import Float

from optbench.analyse.objective import gap
from optbench.analyse.outcomes import Slice, chosen_for, missing_metric, missing_trials
from optbench.analyse.statistics import median_intervals
from optbench.analyse.trials import direction, is_higher_better
from optbench.store.parts import Part
from optbench.store.schema import FIXED
from optbench.store.status import TrialStatus
from optbench.store.trials import measured_columns, read_batches

#: Records of a curve in a figure: about one for each point of a paper's column.
MOST_RECORDS = 100
#: Trials of a grid in a figure, evenly by rank, with fewer records each.
MOST_TRIALS, GRID_RECORDS = 200, 40
X = ("steps", "examples", "gradients", "seconds")
#: The column that each is read from.
COLUMN_OF = {"steps": "step", "seconds": "step", "gradients": "gradient_evaluations"}


class Curve(NamedTuple):
    """The learning curve of a tuned optimizer: medians over seeds and their intervals, until most seeds diverged."""

    x: Float[np.ndarray, " record"]
    median: Float[np.ndarray, " record"]
    low: Float[np.ndarray, " record"]
    high: Float[np.ndarray, " record"]
    #: (x, y) of the last finite record of each seed that diverged.
    diverged: list[tuple[float, float]]


class Trial(NamedTuple):
    """Some records of one trial; `best`: its settings are those that were chosen."""

    x: Float[np.ndarray, " record"]
    y: Float[np.ndarray, " record"]
    diverged: bool
    best: bool
    settings: dict[str, float]


def metric_of(part: Part, metric: str | None) -> str:
    """Return a metric, or of None the cell's own: the gap if the optimum is known, else the train loss."""
    return metric or ("train_loss" if part.results.optimum is None else "gap")


def has_curve(part: Part, metric: str) -> bool:
    """Return whether a cell has learning curves of a metric."""
    if metric == "gap":
        return part.results.optimum is not None
    return metric not in FIXED and metric in measured_columns(part)


def thin(steps: Float[np.ndarray, " record"], most: int = MOST_RECORDS) -> list[int]:
    """Return indices of at most so many records, evenly in steps and in their logarithm, first and last included."""
    if len(steps) <= most:
        return list(range(len(steps)))
    even = np.linspace(0, len(steps) - 1, most // 2).round().astype(int)
    log = np.searchsorted(steps, np.geomspace(max(steps[1], 1), steps[-1], most - most // 2))
    return sorted({*even.tolist(), *np.minimum(log, len(steps) - 1).tolist()})


def tuned_curve(part: Part, metric: str, x: str, view: Slice, seconds: float | None = None) -> Curve:
    """Return the learning curve of a cell's tuned optimizer: of its report seeds, or its best point's selection seeds.

    `seconds` are those of a step, for curves against seconds. Raises ValueError for what has no curve.
    """
    phase = "report" if part.record.report_seeds else "select"
    every = [trial for trial in _trials(part, metric, x, view, phase, MOST_RECORDS) if trial.best]
    trials = every
    if direction(metric, part.results) is None:
        # What diverged is not known, and no better nor worse than what didn't.
        trials = [trial for trial in trials if not trial.diverged] or trials
    values = np.array([trial.y for trial in trials]).T
    if np.isfinite(values[-1:]).any() and not np.isfinite(values[:-1]).any() and len(values) > 1:
        raise ValueError(f"{metric} is measured once, at the end, so it has no curve; convergence shows it")
    along = np.median([trial.x for trial in trials], axis=0) * (1.0 if seconds is None else seconds)
    # Trials that diverged count as worse than all others.
    worst = -np.inf if is_higher_better(metric, part.results) else np.inf
    medians, low, high = median_intervals(np.where(np.isfinite(values), values, worst)).T
    num = int(np.argmin(np.append(np.isfinite(medians), False)))
    lasts = [np.flatnonzero(np.isfinite(trial.y))[-1:] for trial in every if trial.diverged]
    ys = [trial.y for trial in every if trial.diverged]
    diverged = [(float(along[index]), float(y[index])) for y, last in zip(ys, lasts, strict=True) for index in last]
    return Curve(along[:num], medians[:num], low[:num], high[:num], diverged)


def grid_trials(part: Part, metric: str, x: str, view: Slice, seconds: float | None = None) -> tuple[list[Trial], int]:
    """Return the selection trials of a cell: (those that a figure shows, worst first; the number of all).

    Raises ValueError if they are not stored.
    """
    trials = list(_trials(part, metric, x, view, "select", GRID_RECORDS))
    if not trials:
        raise missing_trials(part, "select")
    sign = -1.0 if is_higher_better(metric, part.results) else 1.0
    trials.sort(key=lambda trial: -_end(trial, sign))
    chosen = np.linspace(0, len(trials) - 1, min(len(trials), MOST_TRIALS)).round().astype(int).tolist()
    indices = sorted({*chosen, *(index for index, trial in enumerate(trials) if trial.best)})
    unit = 1.0 if seconds is None else seconds
    return [_finite(trials[index], unit) for index in indices], len(trials)


def _trials(part: Part, metric: str, x: str, view: Slice, phase: str, most: int) -> Iterator[Trial]:
    """Read the trials of a phase up to the last step of the slice, at most so many records each."""
    source, along = "train_loss" if metric == "gap" else metric, COLUMN_OF.get(x, x)
    names = ["phase", "dtype", "seed", "point", "hyperparameters", "status", "step", along, source]
    chosen = chosen_for(part.results, metric)
    for batch in read_batches(part, [*dict.fromkeys(names)], phase):
        for row in batch.to_pylist():
            if view.seeds is None or row["seed"] < view.seeds:
                if row[source] is None:
                    raise missing_metric(part, phase, metric)
                steps = [step for step in row["step"] if view.at_step is None or step <= view.at_step]
                indices = thin(np.array(steps), most)
                y = gap_of(np.array(row[source], dtype=float)[indices], part, metric, row["dtype"])
                best = row["point"] == (part.results.best_point if phase == "select" else chosen)
                diverged, settings = row["status"] == TrialStatus.DIVERGED, dict(row["hyperparameters"])
                yield Trial(np.array(row[along], dtype=float)[indices], y, diverged, best, settings)


def gap_of(y: np.ndarray, part: Part, metric: str, dtype: str) -> np.ndarray:
    """Return a cell's losses as gaps to its optimum if the metric is the gap and the optimum known, else unchanged."""
    optimum = part.results.optimum
    return y if metric != "gap" or optimum is None else gap(y, optimum, dtype)


def _end(trial: Trial, sign: float) -> float:
    finite = trial.y[np.isfinite(trial.y)]
    return np.inf if trial.diverged or not len(finite) else sign * float(finite[-1])


def _finite(trial: Trial, unit: float) -> Trial:
    finite = np.isfinite(trial.y)
    return trial._replace(x=trial.x[finite] * unit, y=trial.y[finite])
