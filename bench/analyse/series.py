"""Curves to look at: thinned, with intervals over seeds."""

from collections.abc import Iterator
from typing import NamedTuple

import numpy as np
from jaxtyping import Float

from optbench.analyse.objective import gap
from optbench.analyse.outcomes import Slice, not_kept
from optbench.analyse.statistics import median_intervals
from optbench.analyse.trials import is_higher_better
from optbench.store.parts import Part
from optbench.store.schema import FIXED
from optbench.store.trials import measured_columns, read_batches

#: Records of a curve that are shown: about one for each point of a paper's column.
MOST_RECORDS = 100
#: Trials of a grid that are shown, evenly by rank, with the fewer records each.
MOST_TRIALS, GRID_RECORDS = 200, 40
X = ("steps", "examples", "gradient_evaluations", "seconds")


class Curve(NamedTuple):
    """One tuned optimizer: medians over seeds and their intervals at each record, up to where most seeds diverged."""

    x: Float[np.ndarray, " record"]
    middle: Float[np.ndarray, " record"]
    low: Float[np.ndarray, " record"]
    high: Float[np.ndarray, " record"]
    #: (x, y) of the last finite record of each seed that diverged.
    left: list[tuple[float, float]]


class Trial(NamedTuple):
    """One trial: some of its records. `best`: its point is the one that the run chose."""

    x: Float[np.ndarray, " record"]
    y: Float[np.ndarray, " record"]
    diverged: bool
    best: bool
    settings: dict[str, float]


def metric_of(part: Part, metric: str | None) -> str:
    """Name what is shown of a cell: the gap where the optimum is known, else the train loss, where not given."""
    return metric or ("train_loss" if part.results.optimum is None else "gap")


def has_curve(part: Part, metric: str) -> bool:
    """Say whether a cell has a metric's curves."""
    if metric == "gap":
        return part.results.optimum is not None
    return metric not in FIXED and metric in measured_columns(part)


def thin(steps: Float[np.ndarray, " record"], most: int = MOST_RECORDS) -> list[int]:
    """Choose places of at most so many records, evenly in steps and in their logarithm, first and last included."""
    if len(steps) <= most:
        return list(range(len(steps)))
    even = np.linspace(0, len(steps) - 1, most // 2).round().astype(int)
    log = np.searchsorted(steps, np.geomspace(max(steps[1], 1), steps[-1], most - most // 2))
    return sorted({*even.tolist(), *np.minimum(log, len(steps) - 1).tolist()})


def tuned_curve(part: Part, metric: str, x: str, view: Slice, seconds: float | None = None) -> Curve:
    """Read the curve of a cell's tuned optimizer: its report seeds, or its best point's selection seeds.

    `seconds` are those of a step, for curves against seconds.
    """
    phase = "report" if part.record.report_seeds else "select"
    trials = [trial for trial in _trials(part, metric, x, view, phase, MOST_RECORDS) if phase == "report" or trial.best]
    values = np.array([trial.y for trial in trials]).T
    along = np.median([trial.x for trial in trials], axis=0) * (1.0 if seconds is None else seconds)
    # What diverged is the worst there is.
    worst = -np.inf if is_higher_better(metric, part.results) else np.inf
    middle, low, high = median_intervals(np.where(np.isfinite(values), values, worst)).T
    kept = int(np.argmin(np.append(np.isfinite(middle), False)))
    lasts = [np.flatnonzero(np.isfinite(trial.y))[-1:] for trial in trials if trial.diverged]
    ys = [trial.y for trial in trials if trial.diverged]
    left = [(float(along[place]), float(y[place])) for y, last in zip(ys, lasts, strict=True) for place in last]
    return Curve(along[:kept], middle[:kept], low[:kept], high[:kept], left)


def grid_trials(part: Part, metric: str, x: str, view: Slice, seconds: float | None = None) -> tuple[list[Trial], int]:
    """Read the selection trials of a cell: (those that are shown, worst first; how many there are).

    Raises ValueError where they are not stored.
    """
    trials = list(_trials(part, metric, x, view, "select", GRID_RECORDS))
    if not trials:
        raise not_kept(part, "select")
    sign = -1.0 if is_higher_better(metric, part.results) else 1.0
    trials.sort(key=lambda trial: -_end(trial, sign))
    chosen = np.linspace(0, len(trials) - 1, min(len(trials), MOST_TRIALS)).round().astype(int).tolist()
    places = sorted({*chosen, *(place for place, trial in enumerate(trials) if trial.best)})
    unit = 1.0 if seconds is None else seconds
    return [_finite(trials[place], unit) for place in places], len(trials)


def _trials(part: Part, metric: str, x: str, view: Slice, phase: str, most: int) -> Iterator[Trial]:
    """Read the trials of a phase up to the step that is looked at, at most so many records each."""
    source, along = "train_loss" if metric == "gap" else metric, "step" if x in ("steps", "seconds") else x
    names = ["phase", "dtype", "seed", "point", "hyperparameters", "status", "step", along, source]
    for batch in read_batches(part, [*dict.fromkeys(names)], phase):
        for row in batch.to_pylist():
            if view.seeds is None or row["seed"] < view.seeds:
                steps = [step for step in row["step"] if view.at_step is None or step <= view.at_step]
                places = thin(np.array(steps), most)
                y = gap_of(np.array(row[source], dtype=float)[places], part, metric, row["dtype"])
                best = row["point"] == part.results.best_point
                lost, settings = row["status"] == "diverged", dict(row["hyperparameters"])
                yield Trial(np.array(row[along], dtype=float)[places], y, lost, best, settings)


def gap_of(y: np.ndarray, part: Part, metric: str, dtype: str) -> np.ndarray:
    """Return a cell's losses as gaps to its optimum where the gap is shown and the optimum known, else as they are."""
    optimum = part.results.optimum
    return y if metric != "gap" or optimum is None else gap(y, optimum, dtype)


def _end(trial: Trial, sign: float) -> float:
    finite = trial.y[np.isfinite(trial.y)]
    return np.inf if trial.diverged or not len(finite) else sign * float(finite[-1])


def _finite(trial: Trial, unit: float) -> Trial:
    kept = np.isfinite(trial.y)
    return trial._replace(x=trial.x[kept] * unit, y=trial.y[kept])
