"""What timing a cell gave: `timings/<key>.json` beside a run's parts, each written whole or not at all."""

import json
from collections.abc import Iterable, Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from optbench.store import schema
from optbench.store.fields import plain_record, read_record
from optbench.store.locations import read_bytes
from optbench.store.runs import write_json
from optbench.store.status import Outcome


@dataclass(frozen=True, slots=True, kw_only=True)
class StepTimes:
    """What a step of a cell takes: of one unbatched trial, in turns with the others of its problem."""

    #: Seconds a step, one number per timed call of `steps_per_call` steps.
    step_seconds: tuple[float, ...]
    steps_per_call: int
    #: The same, in the same turns, of the loss and its gradient alone, and of plain sgd.
    gradient_seconds: tuple[float, ...]
    sgd_seconds: tuple[float, ...]
    trace_seconds: float
    #: None where the program came out of the compilation cache.
    compile_seconds: float | None
    #: Of the first call after compilation, per step.
    first_step_seconds: float
    #: Of the optimizer's state with its counters, and of what the program needs at its peak.
    state_bytes: int
    peak_bytes: int
    #: Of a step as written, and the least that it moves.
    flops_per_step: int
    bytes_per_step: int
    #: The device's limits, measured in the same run.
    copy_bytes_per_second: float
    product_flops_per_second: float
    examples_per_step: int
    num_parameters: int
    #: Steps after which the timed trial began again, since later ones take another number of gradients; None where it
    #: went on. Timings of older runs lack it.
    restart_steps: int | None = None


@dataclass(frozen=True, slots=True, kw_only=True)
class Timing:
    """What timing a cell gave: its names, when and where, and what a step takes or why that is not known."""

    key: str
    problem: str
    optimizer: str
    batch_size: int | str | None
    dtype: str
    #: When, in UTC.
    measured: str
    #: The machine, as in a manifest.
    device: Mapping[str, Any]
    #: None where timing it failed.
    times: StepTimes | None = None
    #: Why it failed.
    message: str = ""

    @property
    def outcome(self) -> Outcome:
        """Return whether timing it finished or failed."""
        return Outcome.FAILED if self.times is None else Outcome.FINISHED

    def to_json(self) -> dict[str, Any]:
        """Return what stands in a timing's file, in its order."""
        fields = plain_record(self)
        times, message = fields.pop("times"), fields.pop("message")
        return fields | {"outcome": self.outcome} | ({"message": message} if times is None else plain_record(times))

    @classmethod
    def from_json(cls, values: Mapping[str, Any]) -> "Timing":
        """Return the timing of a file. Raises KeyError, TypeError or ValueError for what is none."""
        if values["outcome"] == Outcome.FAILED:
            return read_record(cls, values, times=None)
        if values["outcome"] != Outcome.FINISHED:
            raise ValueError(f"no outcome of timing a cell: {values['outcome']!r}")
        return read_record(cls, values, times=read_record(StepTimes, values), message="")


def write_timing(folder: Path, timing: Timing) -> None:
    """Write a cell's timing; one that exists is replaced in one move. Raises StoreError."""
    write_json(folder, _path(folder, timing.key), {"schema": schema.VERSION, **timing.to_json()})


def read_timings(folder: Path, keys: Iterable[str]) -> dict[str, Timing]:
    """Read the timings there are of some cells, by key; one that isn't whole counts as not there."""
    timings = {key: _read(_path(folder, key)) for key in keys}
    return {key: timing for key, timing in timings.items() if timing is not None}


def _path(folder: Path, key: str) -> Path:
    return folder / "timings" / f"{key}.json"


def _read(path: Path) -> Timing | None:
    try:
        values = json.loads(read_bytes(path))
        return Timing.from_json(values) if values["schema"] == schema.VERSION else None
    except (OSError, ValueError, KeyError, TypeError, RecursionError):
        return None
