"""The outcomes of a cell's trials as arrays [seed, point], from which every table that compares is computed."""

import math
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field, replace
from functools import lru_cache
from pathlib import Path
from types import MappingProxyType
from typing import Any, NamedTuple

import numpy as np
from jaxtyping import Bool, Float, Int

from optbench.analyse.reached import Ending
from optbench.analyse.trials import first_seeds, read_trials
from optbench.errors import check_name, refused
from optbench.store.parts import Part
from optbench.store.record import CellResults
from optbench.store.schema import FIXED, METRICS
from optbench.store.status import Outcome
from optbench.store.trials import batches_of, column_names, measured_columns, open_part

#: What work is counted in.
UNITS = ("steps", "examples", "gradients", "seconds")
#: Metrics that every table of cells shows.
SHOWN = ("train_loss", "test_loss", "test_accuracy")
#: Columns that identify a trial.
NAMES = ("phase", "dtype", "seed", "point", "hyperparameters", "schedule", "status", "step", "gradient_evaluations")
#: The cache holds so many outcomes, of parts up to such a size: 72 trials are 80 kB of a part, and 5 kB in the cache.
MOST_OUTCOMES, MOST_BYTES = 512, 1 << 22


@dataclass(frozen=True)
class Slice:
    """The part of the learning curves that is analysed.

    Raises RequestError for a step or number of seeds that is too small, a target that is not finite, an unknown unit.
    """

    #: Curves end at the last record at or before this step.
    at_step: int | None = None
    #: Train loss that counts as reached, in place of the problem's own target.
    target: float | None = None
    #: Only so many seeds of each phase count, the first ones.
    seeds: int | None = None
    #: The unit that work is counted in: steps, examples, gradients or seconds; None: gradients where optimizers differ
    #: in gradients a step, else steps.
    by: str | None = None
    #: Curves end at the last record at or before so many gradient evaluations.
    at_gradients: int | None = None
    #: Steps are counted at every step where the loss is known there, otherwise at records.
    every_step: bool = True

    def __post_init__(self) -> None:
        for name, value, least in (("at_step", self.at_step, 0), ("seeds", self.seeds, 1)):
            if value is not None and value < least:
                raise refused(name, value, f"integers >= {least}")
        if self.target is not None and not math.isfinite(self.target):
            raise refused("target", self.target, "finite numbers")
        if self.by is not None:
            check_name(self.by, UNITS, "by")

    @property
    def ending(self) -> Ending:
        """Return where curves end, and how finely steps are counted on them."""
        return Ending(self.at_step, self.at_gradients, self.every_step)


class Outcomes(NamedTuple):
    """The final values of the trials of one cell and phase, as arrays [seed, point]; the worst value if one diverged.

    A trial that a search stopped early counts with its last record.
    """

    seeds: Int[np.ndarray, " seed"]
    points: Int[np.ndarray, " point"]
    #: Arrays [point] of each hyperparameter, and of the schedule.
    settings: Mapping[str, np.ndarray]
    ends: Mapping[str, Float[np.ndarray, "seed point"]]
    #: Train loss before the first update.
    start: Float[np.ndarray, "seed point"]
    #: Updates until each target is met; infinity if it isn't by the last step of the slice.
    steps_to: Mapping[str, Float[np.ndarray, "seed point"]]
    #: The same in gradient evaluations, and those until the last record of the slice.
    gradients_to: Mapping[str, Float[np.ndarray, "seed point"]]
    gradients: Float[np.ndarray, "seed point"]
    #: By the last step of the slice.
    diverged: Bool[np.ndarray, "seed point"]
    dtype: str

    def take(self, points: Sequence[int]) -> "Outcomes":
        """Return the outcomes of some points, by their indices."""
        of = lambda values: values[:, points]  # noqa: E731
        settings = {name: values[points] for name, values in self.settings.items()}
        chosen: dict[str, Any] = {"points": self.points[points], "settings": settings}
        chosen |= {name: of(getattr(self, name)) for name in ("start", "diverged", "gradients")}
        chosen |= {
            name: {key: of(v) for key, v in getattr(self, name).items()}
            for name in ("ends", "steps_to", "gradients_to")
        }
        return self._replace(**chosen)


def own_metrics(part: Part) -> list[str]:
    """Return the names of the metrics that a problem has beside loss and accuracy."""
    return [name for name in measured_columns(part) if name not in (*METRICS, *FIXED)]


def counted_alike(parts: Sequence[Part]) -> bool:
    """Return whether the loss at every step is known of all optimizers or none on a task with full batches.

    It isn't of those that are evaluated at other parameters than their gradients. Looks as far as the first task that
    tells.
    """
    tasks: dict[str, list[Part]] = {}
    for part in parts:
        if part.outcome == Outcome.FINISHED and part.record.batch_size == "full":
            tasks.setdefault(part.record.problem, []).append(part)
    for members in tasks.values():
        known = {"step_loss" in measured_columns(part) for part in members} if len(members) > 1 else set()
        if True in known:
            return False not in known
    return True


def targets_of(results: CellResults, view: Slice) -> dict[str, float]:
    """Return the targets of a cell, metric -> value: its problem's own, unless the slice has one."""
    return dict(results.targets) if view.target is None else {"train_loss": view.target}


def outcomes(part: Part, phase: str, view: Slice, targets: Mapping[str, tuple[str, float]] | None = None) -> Outcomes:
    """Return the outcomes of a finished cell's trials of one phase; they are read some hundred at a time.

    `targets` are those that steps are counted to, name -> (metric, value); None: the cell's own. Raises ValueError if
    the trials are not stored.
    """
    aims = (
        {name: (name, value) for name, value in targets_of(part.results, view).items()} if targets is None else targets
    )
    stored = _Stored(str(part.path), _version(part), part)
    # The unit is of what is made of outcomes.
    view = replace(view, by=None)
    read = _outcomes if stored.version[-1] <= MOST_BYTES else _outcomes.__wrapped__
    return read(stored, phase, view, tuple(aims.items()))


def _version(part: Part) -> tuple[int, int, int]:
    """Return the identity of a part's file, which changes when it is replaced, with its size last."""
    if not isinstance(part.path, Path):
        # To ask object storage takes as long as to read it; the record in memory identifies the part instead.
        return id(part.record), 0, 0
    status = (part.archive or part.path).stat()
    # Cells in an archive are small, so they are cached whatever the archive's size.
    return status.st_ino, status.st_mtime_ns, status.st_size if part.archive is None else 0


@dataclass(frozen=True)
class _Stored:
    """The key of the cache of outcomes: a part, compared by its file, which holds its footer too."""

    path: str
    version: tuple[int, int, int]
    part: Part = field(compare=False)


@lru_cache(MOST_OUTCOMES)
def _outcomes(stored: _Stored, phase: str, view: Slice, aims: tuple[tuple[str, tuple[str, float]], ...]) -> Outcomes:
    """Return outcomes from the cache, or read them: the report of 60 cells asks 2530 times for 306.

    Raises ValueError if the trials are not stored.
    """
    part = stored.part
    with open_part(part) as file:
        own = [name for name in column_names(file) if name not in (*METRICS, *FIXED)]
        # Reading empty columns takes less time than finding out that they are empty.
        curves = [*SHOWN, *own, *(metric for _, (metric, _) in aims), "step_loss"]
        columns = [*dict.fromkeys([*NAMES, *curves])]
        batches = (first_seeds(batch, view.seeds) for batch in batches_of(file, columns, phase))
        pieces = [read_trials(batch, part.results, view.ending, dict(aims)) for batch in batches if len(batch)]
    if not pieces:
        raise missing_trials(part, phase)
    return _read_only(_arrange(pieces))


def _read_only(trials: Outcomes) -> Outcomes:
    """Return outcomes that no caller can change, since the cache hands the same ones to all."""
    maps = {name: MappingProxyType(getattr(trials, name)) for name in ("settings", "ends", "steps_to", "gradients_to")}
    inner = [values for some in maps.values() for values in some.values()]
    for values in (trials.seeds, trials.points, trials.start, trials.diverged, trials.gradients, *inner):
        values.flags.writeable = False
    return trials._replace(**maps)


def missing_trials(part: Part, phase: str) -> ValueError:
    """Return the error for a cell whose trials of a phase are not stored."""
    names = f"{part.record.problem} / {part.record.optimizer}"
    return ValueError(f"{names}: its {phase} trials are not kept, as in all reference runs")


def missing_metric(part: Part, phase: str, metric: str) -> ValueError:
    """Return the error that a cell's trials of a phase lack a metric at the step that is looked at."""
    names = f"{part.record.problem} / {part.record.optimizer}"
    return ValueError(f"{names}: its {phase} trials have no {metric} there")


def tuned(
    part: Part, view: Slice, targets: Mapping[str, tuple[str, float]] | None = None, metric: str | None = None
) -> Outcomes:
    """Return the outcomes of a cell's tuned optimizer: of its report seeds, or of its best point's selection seeds.

    They have one point: the settings that were chosen for a metric, or by the main criterion. Raises ValueError if the
    trials are not stored.
    """
    if part.record.report_seeds:
        trials = outcomes(part, "report", view, targets)
        return trials.take([chosen_for(part.results, metric)]) if len(trials.points) > 1 else trials
    trials = outcomes(part, "select", view, targets)
    return trials.take(np.flatnonzero(trials.points == part.results.best_point).tolist())


#: Metric -> the criteria whose settings show it, the best first.
_CRITERIA_FOR = {
    "gap": ("train_loss",),
    "train_loss": ("train_loss",),
    "steps_to_target": ("steps_to_target", "gradients_to_target", "seconds_to_target"),
    "gradients_to_target": ("gradients_to_target", "seconds_to_target", "steps_to_target"),
    "time_to_target": ("seconds_to_target", "gradients_to_target", "steps_to_target"),
}


def chosen_for(results: CellResults, metric: str | None) -> int:
    """Return which of a cell's criteria chose the settings that a metric is read of: its own, else the main one."""
    criteria = results.criteria
    return next((criteria.index(name) for name in _CRITERIA_FOR.get(metric or "", ()) if name in criteria), 0)


def _arrange(pieces: Sequence[Mapping[str, Any]]) -> Outcomes:
    """Arrange arrays [trial] by seed and point."""
    join = lambda get: get(pieces[0]) if len(pieces) == 1 else np.concatenate([get(piece) for piece in pieces])  # noqa: E731
    seed_of, point_of = (join(lambda piece, name=name: piece[name]) for name in ("seed", "point"))
    seeds, seed = np.unique(seed_of, return_inverse=True)
    points, first, point = np.unique(point_of, return_index=True, return_inverse=True)
    # Trials are written seed by seed: then nothing needs to be moved.
    shape = len(seeds), len(points)
    whole = np.array_equal(seed * len(points) + point, np.arange(shape[0] * shape[1]))

    def grid(get: Any) -> np.ndarray:
        values = join(lambda piece: np.broadcast_to(get(piece), len(piece["seed"])))
        if whole:
            return values.reshape(shape).copy()
        laid_out = np.full(shape, np.inf if values.dtype == float else False, values.dtype)
        laid_out[seed, point] = values
        return laid_out

    kinds = ("ends", "steps_to", "gradients_to", "settings")
    names = {kind: dict.fromkeys(name for piece in pieces for name in piece[kind]) for kind in kinds}
    return Outcomes(
        seeds=seeds,
        points=points,
        settings={name: join(lambda piece, name=name: piece["settings"][name])[first] for name in names["settings"]},
        ends={name: grid(lambda piece, name=name: piece["ends"][name]) for name in names["ends"]},
        start=grid(lambda piece: piece["start"]),
        steps_to={name: grid(lambda piece, name=name: piece["steps_to"][name]) for name in names["steps_to"]},
        gradients_to={name: grid(lambda piece, name=name: piece["gradients_to"][name]) for name in names["steps_to"]},
        gradients=grid(lambda piece: piece["gradients"]),
        diverged=grid(lambda piece: piece["diverged"]),
        dtype=pieces[0]["dtype"],
    )
