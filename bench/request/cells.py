"""Cells: a suite expanded against the catalogues into units of work."""

import json
from collections.abc import Callable, Iterable, Iterator, Mapping
from dataclasses import dataclass
from hashlib import sha256
from typing import Any, Literal, NamedTuple

from optbench.errors import RequestError, check_name
from optbench.request.catalogue import OptimizerInfo, match_optimizers, match_problems
from optbench.request.grammar import (
    DefaultRange,
    Value,
    format_spec,
    geometric,
    is_range,
    label_of,
    parse_spec,
    parse_values,
)
from optbench.request.grid import check_rates, parse_batch_sizes, points
from optbench.request.suite import OptimizerEntry, ProblemEntry, Suite

DEFAULT_RECORDS = 50


@dataclass(frozen=True)
class Cell:
    """One (problem, optimizer, batch size, dtype): what is compiled, cached, resumed, scheduled."""

    #: Canonical texts, with what was given only.
    problem: str
    optimizer: str
    problem_name: str
    problem_parameters: dict[str, Value]
    optimizer_name: str
    optimizer_static: dict[str, Value]
    #: Each holds learning_rate, weight_decay, the other traced hyperparameters, and schedule (text); sorted.
    points: tuple[dict[str, Any], ...]
    #: None is the problem's own.
    batch_size: int | Literal["full"] | None
    dtype: str
    decay: str
    #: Both None: the problem's own number of steps.
    steps: int | None
    epochs: float | None
    seeds: int
    report_seeds: int
    #: Exactly one of the two is a number.
    records: int | None
    record_every: int | None
    seed: int
    #: The search strategy that acts while points are trained; "" where all are trained as they are, to the end.
    search: str = ""
    #: How many points the strategy proposes within the ranges that `points` span; 0 where they are trained themselves.
    budget: int = 0
    #: What is measured of parameters beside the loss, sorted.
    probes: tuple[str, ...] = ()
    #: Independent tunings: one for each report seed, or 1 for all.
    studies: int = 1
    #: The criteria by which settings are chosen, the main one first; empty until the problem is known.
    select_by: tuple[str, ...] = ()
    #: Whether the learning rates were asked for as a range, which every study shifts.
    has_range: bool = False

    @property
    def select_studies(self) -> int:
        """Count the studies that choose: one is enough where there is nothing to choose from."""
        return self.studies if self.num_points > 1 else 1

    @property
    def num_points(self) -> int:
        return self.budget or len(self.points)


_to_text: Callable[[Any], str] = json.JSONEncoder(sort_keys=True, allow_nan=False).encode


class _ProblemChoice(NamedTuple):
    label: str
    name: str
    parameters: dict[str, Value]
    batch_size: Any
    steps: int | None
    epochs: float | None


class _OptimizerChoice(NamedTuple):
    label: str
    name: str
    static: dict[str, Value]
    points: tuple[dict[str, Any], ...]
    has_range: bool
    #: Those that it is trained at; None: all.
    batch_sizes: tuple[int | str, ...] | None


def expand(
    suite: Suite, problems: Mapping[str, Mapping[str, Any]], optimizers: Mapping[str, OptimizerInfo]
) -> tuple[Cell, ...]:
    """Expand patterns and grids into cells, by problem, then batch size, then optimizer; all faults at once."""
    faults: list[str] = []
    tasks = _gather(suite.problems, lambda entry: _problem_choices(entry, suite, problems), faults)
    choices = _gather(suite.optimizers, lambda entry: _optimizer_choices(entry, suite, optimizers), faults)
    sizes = {task.batch_size for task in tasks}
    for choice in choices:
        for size in set(choice.batch_sizes or ()) - sizes:
            faults.append(f"{choice.name}: batch_size {size} is not accepted; accepted: those of the problems")
    if faults:
        raise RequestError("; ".join(dict.fromkeys(faults)))
    _check_labels("problem", [(task.label, task.name, task.parameters) for task in tasks], problems)
    _check_labels("optimizer", [(choice.label, choice.name, choice.static) for choice in choices], optimizers)
    merged = _merge(choices, optimizers)
    unique_tasks = {json.dumps(task, sort_keys=True): task for task in tasks}.values()
    return tuple(
        _cell(suite, task, choice)
        for task in unique_tasks
        for choice in merged
        if choice.batch_sizes is None or task.batch_size in choice.batch_sizes
    )


def _check_labels(noun: str, choices: Iterable[tuple[str, str, Any]], known: Iterable[str]) -> None:
    """Raise RequestError where a label is the name of something else, or stands for two things."""
    names, meanings = {*known}, {}
    for label, name, parameters in choices:
        if label.partition("[")[0] in names - {name}:
            raise RequestError(f"{label}={name}: {label} is the name of another {noun}; accepted: a name of its own")
        if meanings.setdefault(label, (name, parameters)) != (name, parameters):
            first = format_spec(*meanings[label])
            raise RequestError(f"{label} is given to two {noun}s: {first} and {format_spec(name, parameters)}")


def canonical_text(cell: Cell, points: str) -> str:
    """Write a cell as JSON that doesn't depend on the order things were typed in; `points` is its `points_digest`."""
    # A cell that measures nothing further is the one that it was before there were probes.
    fields = {name: value for name, value in vars(cell).items() if name != "probes" or value}
    return _to_text(fields | {"points": points})


def points_digest(points: Iterable[Mapping[str, Any]]) -> str:
    """Digest points in an order of their own: many cells share them, and their text is long."""
    return sha256(_to_text(sorted((_by_key(point) for point in points), key=json.dumps)).encode()).hexdigest()


def _gather(entries: Iterable[Any], choices: Callable[[Any], Iterable[Any]], faults: list[str]) -> list[Any]:
    gathered: list[Any] = []
    for entry in entries:
        try:
            gathered.extend(choices(entry))
        except RequestError as error:
            faults.append(str(error))
    return gathered


def _problem_choices(
    entry: ProblemEntry, suite: Suite, problems: Mapping[str, Mapping[str, Any]]
) -> Iterator[_ProblemChoice]:
    own_budget = entry.steps is not None or entry.epochs is not None
    steps, epochs = (entry.steps, entry.epochs) if own_budget else (suite.steps, suite.epochs)
    text = entry.batch_size or suite.batch_size
    spec = parse_spec(entry.spec)
    for name, grid in match_problems(spec, problems):
        for parameters in points(grid):
            label = label_of(spec, name, parameters)
            for batch_size in parse_batch_sizes(text) if text else (None,):
                yield _ProblemChoice(label, name, _by_key(parameters), batch_size, steps, epochs)


def _optimizer_choices(
    entry: OptimizerEntry, suite: Suite, optimizers: Mapping[str, OptimizerInfo]
) -> Iterator[_OptimizerChoice]:
    spec = parse_spec(entry.spec)
    for match in match_optimizers(spec, optimizers):
        texts = {
            "learning_rate": entry.learning_rate or suite.learning_rate,
            "weight_decay": entry.weight_decay or suite.weight_decay,
        }
        grid: dict[str, Any] = {key: check_rates(parse_values(text), key) for key, text in texts.items()}
        grid |= {"schedule": entry.schedule or suite.schedule} | match.traced
        # In brackets they stand as values, of a range or one by one.
        has_range = "learning_rate" not in match.traced and is_range(texts["learning_rate"])
        info = _ranges(match.name, entry.like or suite.like, optimizers)
        grid["learning_rate"] = _resolve(grid["learning_rate"], info.learning_rates)
        grid["weight_decay"] = _resolve(grid["weight_decay"], info.weight_decays, 0.0)
        sizes = parse_batch_sizes(entry.batch_size) if entry.batch_size else None
        for static in points(match.static):
            label = label_of(spec, match.name, static)
            yield _OptimizerChoice(label, match.name, _by_key(static), points(grid), has_range, sizes)


def _ranges(name: str, like: str | None, optimizers: Mapping[str, OptimizerInfo]) -> OptimizerInfo:
    """Return the optimizer over whose ranges another is tuned: its own, unless it is a plug-in that brings none.

    Raises RequestError for a name that is no optimizer's.
    """
    if like is not None:
        check_name(like, optimizers, "optimizer")
    return optimizers[name] if like is None or optimizers[name].has_own_range else optimizers[like]


def _resolve(rates: Iterable[float | DefaultRange], ends: tuple[float, float], *first: float) -> list[float]:
    """Write default ranges out, each as `first` and as many geometric values between the ends as its count leaves."""
    resolved: list[float] = []
    for rate in rates:
        if not isinstance(rate, DefaultRange):
            resolved.append(rate)
            continue
        count = rate.count - len(first)
        # One value of a range is best taken from its middle.
        between = (geometric(*ends, 3)[1],) if count == 1 else geometric(*ends, count) if count else ()
        resolved.extend([*first, *between])
    return resolved


def _merge(choices: Iterable[_OptimizerChoice], optimizers: Mapping[str, OptimizerInfo]) -> list[_OptimizerChoice]:
    """Unite the points of repeated optimizers, so that a label stands for one cell.

    `-o adam -o adam[b1=0.8]` is one grid, where b1's default fills the gap. An axis without a default
    to fill it keeps its own cell.
    """
    groups: dict[tuple[Any, ...], list[_OptimizerChoice]] = {}
    for choice in choices:
        defaults = optimizers[choice.name].hyperparameters
        unfilled = sorted(key for key in choice.points[0] if defaults.get(key) is None)
        groups.setdefault((choice.label, choice.batch_sizes, *unfilled), []).append(choice)
    return [
        group[0]._replace(
            points=_unite((choice.points for choice in group), optimizers[group[0].name]),
            has_range=all(choice.has_range and choice.points == group[0].points for choice in group),
        )
        for group in groups.values()
    ]


def _unite(grids: Iterable[tuple[dict[str, Any], ...]], info: OptimizerInfo) -> tuple[dict[str, Any], ...]:
    every = [point for grid in grids for point in grid]
    first, last = ["learning_rate", "weight_decay"], ["schedule"]
    axes = [*first, *sorted({key for point in every for key in point} - {*first, *last}), *last]
    rows = {tuple(point[axis] if axis in point else info.hyperparameters[axis] for axis in axes) for point in every}
    return tuple(dict(zip(axes, row, strict=True)) for row in sorted(rows))


def _cell(suite: Suite, task: _ProblemChoice, choice: _OptimizerChoice) -> Cell:
    studies = suite.studies or max(suite.report_seeds, 1)
    return Cell(
        problem=task.label,
        optimizer=choice.label,
        problem_name=task.name,
        problem_parameters=task.parameters,
        optimizer_name=choice.name,
        optimizer_static=choice.static,
        points=choice.points,
        batch_size=task.batch_size,
        dtype=suite.dtype,
        decay=suite.decay,
        steps=task.steps,
        epochs=task.epochs,
        seeds=suite.seeds,
        report_seeds=suite.report_seeds,
        records=None if suite.record_every else suite.records or DEFAULT_RECORDS,
        record_every=suite.record_every,
        seed=suite.seed,
        probes=suite.probes,
        studies=studies,
        select_by=suite.select_by,
        has_range=choice.has_range and studies > 1,
    )


def _by_key(fields: Mapping[str, Any]) -> dict[str, Any]:
    return {key: fields[key] for key in sorted(fields)}
