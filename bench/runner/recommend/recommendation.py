"""What is recommended: the settings, how sure that is, what batch sizes cost, and what to try next."""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any, NamedTuple

import numpy as np

from optbench.analyse.comparison import MARGIN
from optbench.analyse.costs import Costs, costs_of, has_metric
from optbench.analyse.outcomes import Slice
from optbench.analyse.significance import Judgement, judge
from optbench.analyse.statistics import median, median_interval
from optbench.analyse.step_times import step_interval
from optbench.optimizers.optax_lines import optax_lines, schedule_lines
from optbench.planning.jobs import Job
from optbench.present.table import Table
from optbench.problems.problem import Problem
from optbench.request import parse_schedule
from optbench.store.parts import Part
from optbench.store.timings import read_timings


class Tried(NamedTuple):
    """A cell that was trained in one of the stages."""

    job: Job
    part: Part
    folder: Path
    stage: str
    #: Of a step, where it was timed.
    step_seconds: float | None = None

    @property
    def score(self) -> tuple[float, ...]:
        """Return what its best settings came to on the selection seeds, lower is better, by one criterion and the next.

        Those that count gradients are in seconds where a step was timed.
        """
        selected = self.part.results.selected
        values = [selected[criterion] for criterion in self.part.results.criteria]
        seconds = self.step_seconds if self.part.results.criteria[0] == "seconds_to_target" else None
        return (values[0] * (seconds or 1.0), *values[1:])

    @property
    def label(self) -> str:
        """Return the optimizer's name in the tables."""
        return self.job.cell.optimizer


@dataclass(frozen=True)
class Settings:
    """An optimizer with all its settings, and what it came to on fresh seeds."""

    optimizer: str
    learning_rate: float
    weight_decay: float
    schedule: str
    batch_size: int | str
    steps: int
    #: Further hyperparameters that were swept.
    hyperparameters: Mapping[str, float]
    #: The median of the metric over fresh seeds, with its 95 % interval; NaN without report seeds.
    value: float
    low: float
    high: float
    num_seeds: int
    #: Medians of the other metrics on the same seeds.
    others: Mapping[str, float]
    #: Lines of Python that build it.
    lines: tuple[str, ...]


@dataclass(frozen=True)
class Recommendation:
    """What is recommended for a problem, and why."""

    problem: str
    #: The metric that was optimised.
    metric: str
    best: Settings
    #: The best settings of another optimizer, and how the best differs from them: None where there is no other.
    runner_up: Settings | None
    difference: Judgement | None
    #: A row a batch size, with the best settings of the same optimizer there.
    batch_sizes: Table
    #: A row a cell that was tried, the best first.
    tried: Table
    next_steps: tuple[str, ...]
    folders: tuple[Path, ...]
    seconds: float

    @property
    def lines(self) -> tuple[str, ...]:
        """Return the lines of Python that build the recommended optimizer."""
        return self.best.lines


def recommend_from(
    criterion: str, tried: Sequence[Tried], reports: Sequence[Tried], untried: Sequence[str], seconds: float
) -> Recommendation:
    """Return the recommendation that trained cells come to.

    `tried` are those of the search, timed where batch sizes are, and `reports` those of the finalists on fresh seeds,
    the better one on the selection seeds first. Raises ValueError without reports.
    """
    metric = "time_to_target" if criterion == "seconds_to_target" else criterion
    costs = [costs_of(each.part, metric, Slice(), each.step_seconds, None) for each in reports]
    # What did better on the fresh seeds is recommended.
    order = sorted(range(len(reports)), key=lambda index: median(costs[index].cost))
    finalists = [_settings(reports[index], costs[index]) for index in order]
    difference = _difference(*(costs[index] for index in order)) if len(order) > 1 else None
    best = reports[order[0]]
    of_best = [each for each in tried if each.label == best.label]
    return Recommendation(
        problem=best.job.cell.problem,
        metric=metric,
        best=finalists[0],
        runner_up=finalists[1] if len(finalists) > 1 else None,
        difference=difference,
        batch_sizes=_batch_sizes(of_best, criterion),
        tried=_tried_table(tried, criterion),
        next_steps=tuple(_next_steps(best, costs[order[0]], of_best, difference, untried)),
        folders=tuple(dict.fromkeys(each.folder for each in [*tried, *reports])),
        seconds=seconds,
    )


def _settings(report: Tried, costs: Costs) -> Settings:
    cell, results = report.job.cell, report.part.results
    point = dict(cell.points[0])
    known = ("learning_rate", "weight_decay", "schedule")
    value, low, high = median_interval(costs.cost)
    values = sorted(costs.offset + costs.sign * each for each in (low, high))
    return Settings(
        optimizer=cell.optimizer,
        learning_rate=point["learning_rate"],
        weight_decay=point["weight_decay"],
        schedule=point["schedule"],
        batch_size=cell.batch_size or "full",
        steps=results.steps,
        hyperparameters={name: each for name, each in point.items() if name not in known},
        value=costs.offset + costs.sign * value,
        low=values[0],
        high=values[1],
        num_seeds=len(costs.cost),
        others=_other_metrics(report, costs.metric),
        lines=tuple(_lines(report.job, point)),
    )


def _other_metrics(report: Tried, metric: str) -> dict[str, float]:
    """Return the medians of the metrics that nothing was chosen by."""
    known = ("train_loss", "validation_loss", "validation_accuracy", "test_loss", "test_accuracy")
    values = {}
    for name in known:
        if name != metric and has_metric(report.part, name, Slice(), None):
            values[name] = median(costs_of(report.part, name, Slice(), None, None).values())
    return values


def _lines(job: Job, point: Mapping[str, Any]) -> list[str]:
    """Return the lines that build an optimizer: of a plug-in, with its own function."""
    cell, schedule = job.cell, parse_schedule(point["schedule"])
    settings: dict[str, Any] = {**point, **cell.optimizer_static}
    del settings["schedule"]
    if ":" not in cell.optimizer_name:
        return optax_lines(cell.optimizer_name, settings, *schedule, job.steps)
    rate = settings.pop("learning_rate")
    is_constant = schedule == ("constant", 0.0)
    rates = [] if is_constant else [*schedule_lines(rate, *schedule, job.steps)]
    path, _, function = cell.optimizer_name.rpartition(":")
    own = "".join(f", {name}={value!r}" for name, value in settings.items() if name != "weight_decay" or value)
    argument = repr(rate) if is_constant else "schedule"
    imports = [*([] if is_constant else ["import optax"]), f"from {_module(path)} import {function}"]
    return [*imports, "", *rates, f"optimizer = {function}({argument}{own})"]


def _module(path: str) -> str:
    """Return the module of a plug-in: a file by its name alone, which is to be on Python's path."""
    return Path(path).stem if path.endswith(".py") else path


def _difference(a: Costs, b: Costs) -> Judgement:
    """Judge the better settings against the others, seed by seed; differences are in the metric's own units."""
    with np.errstate(invalid="ignore"):
        differences = np.where(a.cost == b.cost, 0.0, a.cost - b.cost)
    reference = median(b.cost)
    margin = MARGIN * reference if np.isfinite(reference) else 0.0
    judgement = judge([differences], [margin], [a.random or b.random])[0]
    low, high = sorted(a.sign * each for each in (judgement.low, judgement.high))
    # Adding zero makes -0.0 of the sign 0.0.
    return judgement._replace(difference=a.sign * judgement.difference + 0.0, low=low + 0.0, high=high + 0.0)


def timed(tried: Tried) -> Tried:
    """Return a tried cell with the seconds of its steps, where they are stored."""
    timing = read_timings(tried.folder, [tried.job.key]).get(tried.job.key)
    times = timing.times if timing else None
    return tried if times is None else tried._replace(step_seconds=step_interval(times)[0])


def _batch_sizes(tried: Sequence[Tried], criterion: str) -> Table:
    """Tabulate the best settings at each batch size: they see the same number of examples."""
    best: dict[Any, Tried] = {}
    for each in tried:
        size = each.job.cell.batch_size
        if size not in best or (each.stage, each.score) < (best[size].stage, best[size].score):
            best[size] = each
    rows = []
    for size in sorted(best, key=lambda size: (isinstance(size, str), size)):
        each, settings = best[size], best[size].part.results.best
        seconds = each.step_seconds
        rows.append(
            {
                "batch_size": size,
                "steps": each.job.steps,
                "learning_rate": settings["learning_rate"],
                criterion: _shown_score(each, criterion),
                "step_seconds": seconds,
                "training_seconds": None if seconds is None else seconds * each.job.steps,
            }
        )
    columns = ("batch_size", "steps", "learning_rate", criterion, "step_seconds", "training_seconds")
    notes = (
        "each with its best settings, on the seeds that these were chosen by; all see the same number of examples",
    )
    return Table("batch sizes", columns, tuple(rows), notes)


def _shown_score(tried: Tried, criterion: str) -> float:
    score = tried.score[0]
    return -score if criterion == "validation_accuracy" else score


def _tried_table(tried: Sequence[Tried], criterion: str) -> Table:
    rows = tuple(
        {
            "stage": each.stage,
            "optimizer": each.label,
            "batch_size": each.job.cell.batch_size,
            **{name: each.part.results.best[name] for name in ("learning_rate", "weight_decay")},
            "schedule": each.part.results.best.get("schedule", each.job.cell.points[0]["schedule"]),
            criterion: _shown_score(each, criterion),
        }
        for each in tried
    )
    columns = ("stage", "optimizer", "batch_size", "learning_rate", "weight_decay", "schedule", criterion)
    return Table("what was tried", columns, rows)


def _miss(best: Tried, costs: Costs) -> str:
    """Say that the best settings miss the problem's target of the metric, where they do."""
    assert isinstance(best.job.problem, Problem)
    target, value = best.job.problem.targets.get(costs.metric), median(costs.values())
    if target is None or costs.sign * (value - target) <= 0:
        return ""
    return f"{costs.metric} {value:.4g} misses the target of {target:.4g} in {best.job.steps} steps: try more --steps"


def _next_steps(
    best: Tried, costs: Costs, of_best: Sequence[Tried], difference: Judgement | None, untried: Sequence[str]
) -> list[str]:
    """Say what would make the recommendation better or surer."""
    num_seeds = len(costs.cost)
    steps = [_miss(best, costs)] if _miss(best, costs) else []
    if untried:
        steps.append(f"not tried, for lack of time: {', '.join(untried)}; --minutes gives more")
    if difference is not None and difference.verdict == "undecided":
        needed = difference.seeds_needed
        seeds = f" (about {needed:.0f} would decide)" if needed and np.isfinite(needed) else ""
        steps.append(
            f"the two can't be told apart on {num_seeds} fresh seeds{seeds}: take either, or give more --minutes"
        )
    source = next((each for each in of_best if each.job.cell.batch_size == best.job.cell.batch_size), None)
    if source is not None and source.part.results.edges:
        names = ", ".join(source.part.results.edges)
        steps.append(f"the best {names} is the smallest or largest that was tried: values beyond may do better")
    sizes = sorted({each.job.cell.batch_size for each in of_best if isinstance(each.job.cell.batch_size, int)})
    if len(sizes) > 1 and best.job.cell.batch_size in (sizes[0], sizes[-1]):
        extreme, further = ("smallest", "smaller") if best.job.cell.batch_size == sizes[0] else ("largest", "larger")
        steps.append(f"batch size {best.job.cell.batch_size} is the {extreme} tried: a {further} one may do better")
    return steps
