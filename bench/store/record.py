"""What a part says of its cell, typed: on disk it is the JSON in the part's footer, schema version 1."""

from collections.abc import Mapping
from dataclasses import MISSING, Field, dataclass, fields
from functools import cache
from sys import intern
from types import NoneType
from typing import Any, TypeVar

from optbench.store.status import Outcome

#: What JSON holds for a field of a type.
KINDS = {
    int: int,
    bool: bool,
    str: str,
    float: (int, float),
    int | str | None: (int, str, NoneType),
    float | None: (int, float, NoneType),
    tuple[str, ...]: list,
    Mapping[str, float]: dict,
    Mapping[str, float | str]: dict,
}


@dataclass(frozen=True, slots=True, kw_only=True)
class CellResults:
    """What training a cell gave and took. Seconds are of its batched sweeps, not of the optimizer."""

    #: Number of the point whose median loss over the selection seeds is lowest.
    best_point: int
    #: Hyperparameter -> value of that point, and its schedule where several were swept.
    best: Mapping[str, float | str]
    #: Whether a value of that point is the lowest or highest of those swept.
    at_edge: bool
    #: The lowest train loss there is; None where it is not known.
    optimum: float | None
    #: Metric -> value that counts as solved.
    targets: Mapping[str, float]
    #: Metrics, without their split, of which more is better. Parts of older runs lack it.
    higher_is_better: tuple[str, ...] = ("accuracy",)
    #: Updates of one trial.
    steps: int
    #: Updates between two records of the curves.
    record_every: int
    #: Updates of all selection trials: fewer than they might have made where a search stopped some. Parts of older
    #: runs, which stopped none, lack it.
    trial_steps: int
    examples_per_step: int
    trace_seconds: float
    compile_seconds: float
    select_seconds: float
    report_seconds: float
    #: Of the compiled sweep, on each device.
    memory_bytes: int
    #: Blocks of points that ran one after another to fit into memory.
    parts: int


@dataclass(frozen=True, slots=True, kw_only=True)
class CellRecord:
    """What a part says of its cell: its names, what was asked of it, and its results or why there are none."""

    problem: str
    optimizer: str
    #: Examples a batch, or "full"; None where the problem could not be made, which may have one of its own.
    batch_size: int | str | None
    num_points: int
    #: Selection seeds and report seeds.
    seeds: int
    report_seeds: int
    #: None where the cell failed.
    results: CellResults | None = None
    #: Why it failed.
    message: str = ""

    @property
    def outcome(self) -> Outcome:
        """Return whether the cell finished or failed."""
        return Outcome.FAILED if self.results is None else Outcome.FINISHED

    @property
    def names(self) -> dict[str, Any]:
        """Return the cell's names as rows of tables have them: problem, optimizer, batch_size."""
        return {"problem": self.problem, "optimizer": self.optimizer, "batch_size": self.batch_size}

    def to_json(self) -> dict[str, Any]:
        """Return what stands in a part's footer, in its order."""
        names = {name: getattr(self, name) for name in NAMES}
        if self.results is None:
            return names | {"outcome": "failed", "message": self.message}
        return names | {"outcome": "finished"} | _plain(self.results)

    @classmethod
    def from_json(cls, footer: Mapping[str, Any]) -> "CellRecord":
        """Return the record of a footer; what a newer writer added is left out.

        Raises KeyError for a field that is lacking, ValueError for an unknown outcome, TypeError for a value of another
        type.
        """
        names = {name: _checked(field, footer[name]) for name, field in _fields(cls).items() if name in NAMES}
        if Outcome(footer["outcome"]) is Outcome.FAILED:
            return cls(**names, message=str(footer["message"]))
        if footer["outcome"] != Outcome.FINISHED:
            raise ValueError(f"no outcome of a cell: {footer['outcome']!r}")
        if "trial_steps" not in footer:
            footer = {**footer, "trial_steps": names["num_points"] * names["seeds"] * footer["steps"]}
        return cls(**names, results=_read(CellResults, footer))


#: Fields that stand in every footer.
NAMES = ("problem", "optimizer", "batch_size", "num_points", "seeds", "report_seeds")

Kind = TypeVar("Kind")


def _read(kind: type[Kind], values: Mapping[str, Any]) -> Kind:
    """Make a record of JSON: a field that is lacking takes its default. Raises KeyError, TypeError."""
    known = _fields(kind).items()
    chosen = {
        name: _checked(field, values[name]) for name, field in known if field.default is MISSING or name in values
    }
    return kind(**chosen)


@cache
def _fields(kind: type) -> dict[str, Field]:
    return {field.name: field for field in fields(kind)}


def _checked(field: Field, value: Any) -> Any:
    """Return a value of JSON as a record holds it. Raises TypeError where it is none of the field's type."""
    if not isinstance(value, KINDS[field.type]):
        raise TypeError(f"{field.name}: {value!r} is no {field.type}")
    return _shared(value)


def _shared(value: Any) -> Any:
    """Keep one object of each text: the names in a record are those in all others, and half of what it takes."""
    if isinstance(value, dict):
        return {intern(name): _shared(inner) for name, inner in value.items()}
    if isinstance(value, list):
        return tuple(map(_shared, value))
    return intern(value) if isinstance(value, str) else value


def _plain(record: Any) -> dict[str, Any]:
    """Return a record as JSON holds it."""
    values = {name: getattr(record, name) for name in _fields(type(record))}
    return {name: [*value] if isinstance(value, tuple) else value for name, value in values.items()}
