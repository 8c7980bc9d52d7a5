"""What can be asked of a figure, and what all figures share: tasks, names, who is coloured, words of a caption."""

from collections.abc import Callable, Sequence
from dataclasses import dataclass, field
from typing import TYPE_CHECKING, Any, NamedTuple

import numpy as np

from optbench.analyse.objective import objective
from optbench.analyse.outcomes import Slice, tuned
from optbench.analyse.series import X, has_curve, metric_of
from optbench.analyse.statistics import median
from optbench.analyse.step_times import step_seconds
from optbench.errors import check_name
from optbench.store.parts import Part
from optbench.store.run import StoredRun

if TYPE_CHECKING:
    from optbench.present.charts.dots import Dot
    from optbench.present.charts.style import Look, Spec

#: One column of a paper, 85 mm, in points.
COLUMN = 241
#: Optimizers that get a colour of their own.
MOST_COLOURED = 8
X_TITLES = {"steps": "steps", "examples": "examples", "gradient_evaluations": "gradients", "seconds": "seconds"}


@dataclass(frozen=True)
class Options:
    """Say how a figure is drawn."""

    #: The gap where the optimum is known, else the train loss, where not given.
    metric: str | None = None
    #: steps, examples, gradient_evaluations or seconds.
    x: str = "steps"
    #: A logarithmic axis of values; where all are positive, where not given.
    log: bool | None = None
    view: Slice = field(default_factory=Slice)
    #: For pages: highlight under the pointer, filter by name.
    interactive: bool = False
    #: In points of a paper, or pixels of a page.
    width: float = COLUMN


class Figure(NamedTuple):
    """Say what a figure shows; `make` raises ValueError, in one line, where a run has nothing to show."""

    meaning: str
    make: Callable[[StoredRun, Options], "Spec"]
    #: What is shown and how it was computed.
    caption: Callable[[StoredRun, Options], str]


#: A problem at one batch size, and its finished cells.
Tasks = dict[tuple[str, Any], list[Part]]


def tasks_of(run: StoredRun) -> Tasks:
    """Group the finished cells. Raises ValueError where none has finished."""
    tasks: Tasks = {}
    for part in run.parts:
        if part.outcome == "finished":
            tasks.setdefault((part.record.problem, part.record.batch_size), []).append(part)
    if not tasks:
        raise ValueError(f"{run.folder.name}: no cell has finished, so there is nothing to draw")
    return tasks


def measured_tasks(run: StoredRun, options: Options) -> Tasks:
    """Group the finished cells that have what is asked for. Raises ValueError where none has."""
    check_name(options.x, X, "x")
    tasks = tasks_of(run)
    metric = options.metric
    if metric is not None:
        tasks = {task: [part for part in parts if has_curve(part, metric)] for task, parts in tasks.items()}
    if options.x == "seconds":
        timed = seconds_of(run)
        tasks = {task: [part for part in parts if timed.get(cell_of(part))] for task, parts in tasks.items()}
    found = {task: parts for task, parts in tasks.items() if parts}
    if not found:
        lacking = "is timed; optbench throughput times them" if options.x == "seconds" else f"has {metric}"
        raise ValueError(f"{run.folder.name}: no finished cell {lacking}")
    return found


def cell_of(part: Part) -> tuple[Any, ...]:
    """Name a cell as timings do."""
    return tuple(part.record.names.values())


def seconds_of(run: StoredRun) -> dict[tuple[Any, ...], float]:
    """Take the seconds of a step of each cell that was timed."""
    return {cell: seconds for cell, seconds in step_seconds(run.timings).items() if seconds is not None}


def titles_of(task: tuple[str, Any]) -> tuple[str, str]:
    """Name a task above its panel."""
    return task[0], f"batch size {task[1]}"


def shared_metric(tasks: Tasks, options: Options) -> dict[tuple[str, Any], str]:
    """Name the metric of each task."""
    return {task: metric_of(parts[0], options.metric) for task, parts in tasks.items()}


def words(metric: str) -> str:
    """Say what a metric is on an axis."""
    return {"gap": "gap to the optimum"}.get(metric, metric.replace("_", " "))


def metric_said(options: Options) -> str:
    """Begin a caption with what is measured."""
    if options.metric is None:
        return "Train loss, or where the optimum is known the gap to it,"
    return {"gap": "Gap between train loss and optimum"}.get(options.metric, words(options.metric).capitalize())


def look_of(tasks: Tasks, options: Options) -> "Look":
    """Choose who is coloured: all, or of many those with the most first places, then the best mean ranks."""
    places = _places(tasks, options)
    firsts = {name: (-sum(place == 0 for place in found), float(np.mean(found))) for name, found in places.items()}
    return look_with(sorted(firsts, key=lambda name: firsts[name]), options)


def look_with(names: Sequence[str], options: Options) -> "Look":
    """Colour the first of some names."""
    from optbench.present.charts.style import Look

    left = len(names) - MOST_COLOURED
    others = f"{left} other{'s' if left > 1 else ''}" if left > 0 else ""
    return Look(round(options.width), options.interactive, tuple(names[:MOST_COLOURED]), others)


def _places(tasks: Tasks, options: Options) -> dict[str, list[int]]:
    places: dict[str, list[int]] = {}
    for parts in tasks.values():
        for place, part in enumerate(best_first(parts, options)):
            places.setdefault(part.record.optimizer, []).append(place)
    return places


def best_first(parts: Sequence[Part], options: Options) -> list[Part]:
    """Order the cells of a task by what their tuned optimizers came to."""
    return sorted(parts, key=lambda part: median(objective(tuned(part, options.view), part.results)[:, 0]))


def coloured(run: StoredRun) -> str:
    """Say who is coloured, where not all are."""
    num = len({part.record.optimizer for part in run.parts if part.outcome == "finished"})
    few = f"Coloured: the {MOST_COLOURED} of {num} optimizers with the most first places, then the best mean ranks."
    return few if num > MOST_COLOURED else ""


def seeds_said(run: StoredRun, options: Options) -> str:
    """Say what a median is taken over."""
    stored, asked = run.manifest["suite"]["report_seeds"], options.view.seeds
    if not stored:
        return "the selection seeds of the best point"
    num = stored if asked is None else min(asked, stored)
    return "a fresh report seed" if num == 1 else f"{num} fresh report seeds"


def sliced(options: Options) -> str:
    """Say which part of the curves is looked at."""
    view = options.view
    said = [] if view.at_step is None else [f"up to step {view.at_step}"]
    said += [] if view.target is None else [f"to train_loss <= {view.target:g}"]
    said += [] if view.seeds is None else [f"of the first {view.seeds} seed{'s' if view.seeds > 1 else ''}"]
    return f" ({', '.join(said)})" if said else ""


def joined(run: StoredRun, *sentences: str) -> str:
    """Make a caption of sentences, and say what run it is of and what is missing there."""
    suite, device = run.manifest["suite"], run.manifest["device"]["device"]
    lacking = len(run.manifest["cells"]) - sum(part.outcome == "finished" for part in run.parts)
    missing = f"{lacking} of {len(run.manifest['cells'])} cells failed or are not finished." if lacking else ""
    told = f"Run {run.folder.name}, {suite['dtype']} on {device}."
    return " ".join(sentence for sentence in (*sentences, missing, told) if sentence)


def spans(values: Sequence[float]) -> bool:
    """Say whether values are too far apart for a linear axis."""
    return bool(values) and max(values) > 8 * max(min(values), 0)


def told(found: Sequence["Dot"], unit: str = "") -> list["Dot"]:
    """Say under the pointer what a dot's numbers are."""
    return [dot._replace(note=dot.note or f"{dot.value:.4g} [{dot.low:.4g}, {dot.high:.4g}]{unit}") for dot in found]
