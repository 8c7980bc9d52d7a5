"""How the trials of a cell ended, as arrays [seed, point]: what every table that compares starts from."""

import json
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from functools import lru_cache
from pathlib import Path
from types import MappingProxyType
from typing import Any, NamedTuple

import numpy as np
import pyarrow as pa
from jaxtyping import Bool, Float, Int

from bench.store.run_folder import Part, measured_columns, read_batches
from bench.store.schema import FIXED, METRICS

#: Metrics of which every row tells.
SHOWN = ("train_loss", "test_loss", "test_accuracy")
#: So many outcomes are kept, of parts up to such a size: 72 trials are 80 kB of a part, and 5 kB when they are kept.
KEPT, MOST_BYTES = 512, 1 << 22


@dataclass(frozen=True)
class Slice:
    """Say which part of the curves to look at."""

    #: Look at the last record at or before this step.
    at_step: int | None = None
    #: Train loss that counts as reached, in place of the problem's own target.
    target: float | None = None
    #: Look at so many seeds of each phase, the first ones.
    seeds: int | None = None


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


def targets_of(footer: Mapping[str, Any], view: Slice) -> dict[str, float]:
    """Name what counts as solved: metric -> value."""
    return dict(footer["targets"]) if view.target is None else {"train_loss": view.target}


def outcomes(part: Part, phase: str, view: Slice, targets: Mapping[str, tuple[str, float]] | None = None) -> Outcomes:
    """Read how a finished cell's trials of a phase ended, some hundred at a time.

    `targets` are what the steps are counted to, name -> (metric, value); the cell's own where not given. Raises
    ValueError where they are not stored.
    """
    aims = (
        {name: (name, value) for name, value in targets_of(part.footer, view).items()} if targets is None else targets
    )
    there = part.path.stat()
    version = there.st_ino, there.st_mtime_ns, there.st_size
    read = _outcomes if there.st_size <= MOST_BYTES else _outcomes.__wrapped__
    return read(part.path, version, json.dumps(part.footer), phase, view, tuple(aims.items()))


@lru_cache(KEPT)
def _outcomes(
    path: Path, version: Any, footer: str, phase: str, view: Slice, aims: tuple[tuple[str, tuple[str, float]], ...]
) -> Outcomes:
    """Read outcomes once for all tables and figures: the page of 60 cells asks 2530 times for 306."""
    part = Part(path, "finished", json.loads(footer))
    measured = set(measured_columns(part))
    wanted = [*dict.fromkeys([*SHOWN, *own_metrics(part), *(metric for _, (metric, _) in aims)])]
    curves = [name for name in (*wanted, "train_loss", "step_loss") if name in measured]
    columns = [
        *dict.fromkeys(["phase", "dtype", "seed", "point", "hyperparameters", "schedule", "status", "step", *curves])
    ]
    batches = (_of_seeds(batch, view) for batch in read_batches(part, columns, phase))
    pieces = [_read(batch, part.footer, view, dict(aims)) for batch in batches if len(batch)]
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
    names = f"{part.footer['problem']} / {part.footer['optimizer']}"
    return ValueError(f"{names}: its {phase} trials are not kept, as in all reference runs")


def tuned(part: Part, view: Slice, targets: Mapping[str, tuple[str, float]] | None = None) -> Outcomes:
    """Read the trials that speak for a cell: its report seeds, or its best point's selection seeds."""
    if part.footer["report_seeds"]:
        return outcomes(part, "report", view, targets)
    found = outcomes(part, "select", view, targets)
    return found.take(np.flatnonzero(found.points == part.footer["best_point"]).tolist())


def is_higher_better(metric: str, footer: Mapping[str, Any]) -> bool:
    """Say whether more of a metric is better."""
    return metric.partition("_")[2] in footer.get("higher_is_better", ("accuracy",))


def _of_seeds(batch: pa.RecordBatch, view: Slice) -> pa.RecordBatch:
    if view.seeds is None:
        return batch
    # Not `pa.array`, which imports pandas where it is installed.
    bits = np.packbits(_numbers(batch["seed"]) < view.seeds, bitorder="little")
    return batch.filter(pa.Array.from_buffers(pa.bool_(), len(batch), [None, pa.py_buffer(bits)]))


def _read(
    batch: pa.RecordBatch, footer: Mapping[str, Any], view: Slice, targets: Mapping[str, tuple[str, float]]
) -> dict[str, Any]:
    """Bring some trials to arrays [trial]."""
    steps = _curves(batch, "step")
    assert steps is not None
    step, status = steps[0], np.array(batch["status"].to_pylist())
    last = len(step) - 1 if view.at_step is None else max(int(np.searchsorted(step, view.at_step, "right")) - 1, 0)
    lost = (status == "diverged") & (last == len(step) - 1)
    curves = {name: curve for name in batch.schema.names if (curve := _measured(batch, name)) is not None}
    dense = curves.pop("step_loss", None)
    # What a search stopped has no later records.
    seen = {name: _last_finite(curve, last, status == "stopped") for name, curve in curves.items()}
    ends = {name: np.where(lost | ~np.isfinite(end), _worst(name, footer), end) for name, end in seen.items()}
    steps_to = {
        name: _steps_to(step, curves.get(metric), value, footer, metric, view, dense)
        for name, (metric, value) in targets.items()
    }
    chosen = batch["hyperparameters"].to_pylist()
    settings = {name: np.array([dict(one)[name] for one in chosen]) for name in dict(chosen[0])}
    settings["schedule"] = np.array(batch["schedule"].to_pylist())
    named: dict[str, Any] = {"dtype": batch["dtype"][0].as_py()}
    named |= {"seed": _numbers(batch["seed"]), "point": _numbers(batch["point"]), "settings": settings}
    start, diverged = curves["train_loss"][:, 0], np.isinf(ends["train_loss"])
    return named | {"ends": ends, "start": start, "steps_to": steps_to, "diverged": diverged}


def _last_finite(
    curve: Float[np.ndarray, "trial record"], last: int, stopped: Bool[np.ndarray, " trial"]
) -> Float[np.ndarray, " trial"]:
    found = curve[:, last]
    if not stopped.any():
        return found
    seen = np.isfinite(curve[:, : last + 1])
    return np.where(stopped, curve[np.arange(len(curve)), last - np.argmax(seen[:, ::-1], axis=1)], found)


def _worst(metric: str, footer: Mapping[str, Any]) -> float:
    return 0.0 if is_higher_better(metric, footer) else np.inf


def _steps_to(
    step: np.ndarray,
    curve: Float[np.ndarray, "trial record"] | None,
    target: float,
    footer: Mapping[str, Any],
    metric: str,
    view: Slice,
    dense: Float[np.ndarray, "trial step"] | None,
) -> Any:
    """Count the updates until a target is met.

    Counted at records; on full batches at every step, since the loss before each update is the train loss.
    """
    if curve is None:
        return np.inf
    sign = -1.0 if is_higher_better(metric, footer) else 1.0
    first = _first(sign * curve <= sign * target, step)
    if metric == "train_loss" and dense is not None:
        first = np.minimum(first, _first(dense <= target, np.arange(dense.shape[1])))
    return first if view.at_step is None else np.where(first <= view.at_step, first, np.inf)


def _first(met: Bool[np.ndarray, "trial record"], step: np.ndarray) -> Float[np.ndarray, " trial"]:
    return np.where(met.any(axis=1), step[np.argmax(met, axis=1)], np.inf)


def _measured(batch: pa.RecordBatch, name: str) -> Float[np.ndarray, "trial record"] | None:
    return None if name in FIXED and name != "step_loss" else _curves(batch, name)


def _curves(batch: pa.RecordBatch, name: str) -> Float[np.ndarray, "trial record"] | None:
    """Take a column of lists, which within a cell are of one length; None where it holds none."""
    column = batch[name]
    if column.null_count:
        return None
    values = column.flatten()
    # Neither `to_numpy` nor `fill_null`, which import pandas where it is installed.
    numbers = np.array(values.to_pylist(), dtype=float) if values.null_count else _numbers(values)
    return numbers.reshape(len(batch), -1)


def _numbers(values: pa.Array) -> np.ndarray:
    return np.asarray(np.from_dlpack(values))


def _arrange(pieces: Sequence[Mapping[str, Any]]) -> Outcomes:
    """Lay out what was read of the trials by seed and point."""
    join = lambda get: np.concatenate([get(piece) for piece in pieces])  # noqa: E731
    seeds, seed = np.unique(join(lambda piece: piece["seed"]), return_inverse=True)
    points, first, point = np.unique(join(lambda piece: piece["point"]), return_index=True, return_inverse=True)

    def grid(get: Any) -> np.ndarray:
        found = join(lambda piece: np.broadcast_to(get(piece), len(piece["seed"])))
        laid = np.full((len(seeds), len(points)), np.inf if found.dtype == float else False, found.dtype)
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
