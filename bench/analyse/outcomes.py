"""How the trials of a cell ended, as arrays [seed, point]: what every table that compares starts from."""

import math
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from functools import lru_cache
from pathlib import Path
from types import MappingProxyType
from typing import Any, NamedTuple

import numpy as np
from jaxtyping import Bool, Float, Int

from optbench.analyse.trials import of_seeds, read_trials
from optbench.errors import refused
from optbench.store.parts import Part
from optbench.store.record import CellResults
from optbench.store.schema import FIXED, METRICS
from optbench.store.trials import batches_of, column_names, measured_columns, open_part

#: Metrics of which every row tells.
SHOWN = ("train_loss", "test_loss", "test_accuracy")
#: Columns that say what a trial is.
NAMED = ("phase", "dtype", "seed", "point", "hyperparameters", "schedule", "status", "step")
#: So many outcomes are kept, of parts up to such a size: 72 trials are 80 kB of a part, and 5 kB when they are kept.
KEPT, MOST_BYTES = 512, 1 << 22


@dataclass(frozen=True)
class Slice:
    """The part of the curves to look at. Raises RequestError for what is none."""

    #: Look at the last record at or before this step.
    at_step: int | None = None
    #: Train loss that counts as reached, in place of the problem's own target.
    target: float | None = None
    #: Look at so many seeds of each phase, the first ones.
    seeds: int | None = None

    def __post_init__(self) -> None:
        for name, value, least in (("at_step", self.at_step, 0), ("seeds", self.seeds, 1)):
            if value is not None and value < least:
                raise refused(name, value, f"integers >= {least}")
        if self.target is not None and not math.isfinite(self.target):
            raise refused("target", self.target, "finite numbers")


class Outcomes(NamedTuple):
    """How the trials of one cell and phase ended: arrays [seed, point], the worst there is where a trial diverged.

    A trial that a search stopped early counts with what it had then.
    """

    seeds: Int[np.ndarray, " seed"]
    points: Int[np.ndarray, " point"]
    #: What each point is: arrays [point] of its hyperparameters and its schedule.
    settings: Mapping[str, np.ndarray]
    ends: Mapping[str, Float[np.ndarray, "seed point"]]
    #: Train loss before the first update.
    start: Float[np.ndarray, "seed point"]
    #: Updates until each target is met; infinity where it isn't by the step that is looked at.
    steps_to: Mapping[str, Float[np.ndarray, "seed point"]]
    #: By the step that is looked at.
    diverged: Bool[np.ndarray, "seed point"]
    dtype: str

    def take(self, points: Sequence[int]) -> "Outcomes":
        """Select points by position."""
        of = lambda values: values[:, points]  # noqa: E731
        settings = {name: values[points] for name, values in self.settings.items()}
        chosen: dict[str, Any] = {"points": self.points[points], "settings": settings}
        chosen |= {name: of(getattr(self, name)) for name in ("start", "diverged")}
        chosen |= {name: {key: of(v) for key, v in getattr(self, name).items()} for name in ("ends", "steps_to")}
        return self._replace(**chosen)


def own_metrics(part: Part) -> list[str]:
    """Name the metrics that a problem has beside loss and accuracy."""
    return [name for name in measured_columns(part) if name not in (*METRICS, *FIXED)]


def targets_of(results: CellResults, view: Slice) -> dict[str, float]:
    """Name what counts as solved: metric -> value."""
    return dict(results.targets) if view.target is None else {"train_loss": view.target}


def outcomes(part: Part, phase: str, view: Slice, targets: Mapping[str, tuple[str, float]] | None = None) -> Outcomes:
    """Read how a finished cell's trials of a phase ended, some hundred at a time.

    `targets` are what the steps are counted to, name -> (metric, value); the cell's own where not given. Raises
    ValueError where they are not stored.
    """
    aims = (
        {name: (name, value) for name, value in targets_of(part.results, view).items()} if targets is None else targets
    )
    stored = _Stored(str(part.path), _version(part), part)
    read = _outcomes if stored.version[-1] <= MOST_BYTES else _outcomes.__wrapped__
    return read(stored, phase, view, tuple(aims.items()))


def _version(part: Part) -> tuple[int, int, int]:
    """Tell a part's file from one that took its place, with its size last."""
    if not isinstance(part.path, Path):
        # To ask object storage takes as long as to read it; what was read once is held on to, with its identity.
        return id(part.record), 0, 0
    there = (part.archive or part.path).stat()
    # Of what an archive holds each cell is small.
    return there.st_ino, there.st_mtime_ns, there.st_size if part.archive is None else 0


@dataclass(frozen=True)
class _Stored:
    """A part as it is told from others: by its file, in which its footer stands."""

    path: str
    version: tuple[int, int, int]
    part: Part = field(compare=False)


@lru_cache(KEPT)
def _outcomes(stored: _Stored, phase: str, view: Slice, aims: tuple[tuple[str, tuple[str, float]], ...]) -> Outcomes:
    """Read outcomes once for all tables and figures: the page of 60 cells asks 2530 times for 306."""
    part = stored.part
    with open_part(part) as file:
        own = [name for name in column_names(file) if name not in (*METRICS, *FIXED)]
        # Those that hold nothing are read for nothing: less than finding out takes.
        curves = [*SHOWN, *own, *(metric for _, (metric, _) in aims), "step_loss"]
        columns = [*dict.fromkeys([*NAMED, *curves])]
        batches = (of_seeds(batch, view.seeds) for batch in batches_of(file, columns, phase))
        pieces = [read_trials(batch, part.results, view.at_step, dict(aims)) for batch in batches if len(batch)]
    if not pieces:
        raise not_kept(part, phase)
    return _locked(_arrange(pieces))


def _locked(found: Outcomes) -> Outcomes:
    """Keep what several are given from being changed by one of them."""
    maps = {name: MappingProxyType(getattr(found, name)) for name in ("settings", "ends", "steps_to")}
    inner = [values for some in maps.values() for values in some.values()]
    for values in (found.seeds, found.points, found.start, found.diverged, *inner):
        values.flags.writeable = False
    return found._replace(**maps)


def not_kept(part: Part, phase: str) -> ValueError:
    """Say that a cell's trials of a phase are not there to be read."""
    names = f"{part.record.problem} / {part.record.optimizer}"
    return ValueError(f"{names}: its {phase} trials are not kept, as in all reference runs")


def tuned(part: Part, view: Slice, targets: Mapping[str, tuple[str, float]] | None = None) -> Outcomes:
    """Read the trials that speak for a cell: its report seeds, or its best point's selection seeds."""
    if part.record.report_seeds:
        return outcomes(part, "report", view, targets)
    found = outcomes(part, "select", view, targets)
    return found.take(np.flatnonzero(found.points == part.results.best_point).tolist())


def _arrange(pieces: Sequence[Mapping[str, Any]]) -> Outcomes:
    """Lay out what was read of the trials by seed and point."""
    join = lambda get: get(pieces[0]) if len(pieces) == 1 else np.concatenate([get(piece) for piece in pieces])  # noqa: E731
    seed_of, point_of = (join(lambda piece, name=name: piece[name]) for name in ("seed", "point"))
    seeds, seed = np.unique(seed_of, return_inverse=True)
    points, first, point = np.unique(point_of, return_index=True, return_inverse=True)
    # As they are written, seed by seed: nothing needs to be moved.
    shape = len(seeds), len(points)
    whole = np.array_equal(seed * len(points) + point, np.arange(shape[0] * shape[1]))

    def grid(get: Any) -> np.ndarray:
        found = join(lambda piece: np.broadcast_to(get(piece), len(piece["seed"])))
        if whole:
            return found.reshape(shape).copy()
        laid = np.full(shape, np.inf if found.dtype == float else False, found.dtype)
        laid[seed, point] = found
        return laid

    kinds = ("ends", "steps_to", "settings")
    names = {kind: dict.fromkeys(name for piece in pieces for name in piece[kind]) for kind in kinds}
    return Outcomes(
        seeds=seeds,
        points=points,
        settings={name: join(lambda piece, name=name: piece["settings"][name])[first] for name in names["settings"]},
        ends={name: grid(lambda piece, name=name: piece["ends"][name]) for name in names["ends"]},
        start=grid(lambda piece: piece["start"]),
        steps_to={name: grid(lambda piece, name=name: piece["steps_to"][name]) for name in names["steps_to"]},
        diverged=grid(lambda piece: piece["diverged"]),
        dtype=pieces[0]["dtype"],
    )
