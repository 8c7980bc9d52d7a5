"""The training curve of each tuned optimizer."""

from collections.abc import Mapping, Sequence
from math import inf
from typing import TYPE_CHECKING, Any

from optbench.analyse.series import MOST_RECORDS, Curve, X, tuned_curve
from optbench.figures._colours import look_of
from optbench.figures._tasks import Task, cell_of, measured_tasks, metrics_of, optimizers_of, seconds_of, task_titles
from optbench.figures.axes import X_TITLES, highest_shown, is_logarithmic, metric_title, worse_edge
from optbench.figures.captions import (
    LOWER_EDGE,
    UPPER_EDGE,
    coloured_words,
    make_caption,
    metric_words,
    slice_words,
    tuned_words,
    x_words,
)
from optbench.figures.figure import SCALES, Figure, Options
from optbench.store.parts import Part
from optbench.store.run import StoredRun

if TYPE_CHECKING:
    from optbench.present.charts.line_panel import LinePanel
    from optbench.present.charts.style import Spec


def draw(run: StoredRun, options: Options) -> "Spec":
    """Draw the curve of each tuned optimizer, a panel per task. Raises ValueError if no cell has what is asked for."""
    from optbench.present.charts.lines import lines

    tasks = measured_tasks(run, options)
    metrics, seconds = metrics_of(tasks, options), seconds_of(run)
    panels = [_panel(task, parts, metrics[task], options, seconds) for task, parts in tasks.items()]
    return lines(panels, look_of(run, options, optimizers_of(tasks)))


def _panel(
    task: Task, parts: Sequence[Part], metric: str, options: Options, seconds: Mapping[tuple[Any, ...], float]
) -> "LinePanel":
    from optbench.present.charts.line_panel import Line, LinePanel, Mark

    curves = {
        part.record.optimizer: tuned_curve(part, metric, options.along, options.view, unit)
        for part in parts
        for unit in [seconds.get(cell_of(part)) if options.along == "seconds" else None]
    }
    medians = [Line(name, *_lists(curve)) for name, curve in curves.items()]
    marks = [Mark(name, x, y, "a seed diverged here") for name, curve in curves.items() for x, y in curve.diverged]
    starts = [float(curve.median[0]) for curve in curves.values() if len(curve.median)]
    values = [y for line in medians for y in line.y]
    log = is_logarithmic(values, metric, options)
    cap = highest_shown(starts, values, log) if worse_edge(metric, parts[0]) > 0 else inf
    axes = X_TITLES[options.along], metric_title(metric)
    return LinePanel(*task_titles(task), *axes, medians, marks, log_y=log, cap=cap)


def _lists(curve: Curve) -> tuple[list[float], list[float], list[float], list[float]]:
    return curve.x.tolist(), curve.median.tolist(), curve.low.tolist(), curve.high.tolist()


def caption(run: StoredRun, options: Options) -> str:
    """Name the metric, the axis and the seeds of the medians, and what the crosses mean."""
    return make_caption(
        run,
        f"{metric_words(options)} of each tuned optimizer against {x_words(options)}{slice_words(options)}: "
        f"{tuned_words(run, options)} as bands; at most {MOST_RECORDS} records of each curve.",
        f"A cross marks where a seed diverged; {UPPER_EDGE}",
        LOWER_EDGE,
        coloured_words(run),
    )


FIGURE = Figure(
    "how each tuned optimizer came there",
    draw,
    caption,
    takes_metric=True,
    takes_x=X,
    section="Results",
    open_in_report=True,
    axes=("steps", "examples", "gradients", "seconds"),
    scales=SCALES,
)
