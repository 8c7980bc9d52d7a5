"""The final value of each optimizer against its learning rate."""

from collections.abc import Mapping, Sequence
from math import inf, isfinite, isinf, nan
from typing import TYPE_CHECKING, NamedTuple

from optbench.analyse.points import initial_value, points
from optbench.figures._colours import look_of
from optbench.figures._tasks import Task, Tasks, measured_tasks, metrics_of, optimizers_of, task_titles
from optbench.figures.axes import highest_shown, is_logarithmic, metric_title, worse_edge
from optbench.figures.captions import coloured_words, make_caption, metric_words, slice_words
from optbench.figures.figure import SCALES, Figure, Options, look_with, nothing_to_draw
from optbench.store.parts import Part
from optbench.store.run import StoredRun

if TYPE_CHECKING:
    from optbench.present.charts.line_panel import LinePanel
    from optbench.present.charts.style import Spec


class Response(NamedTuple):
    """A line of a panel: the cell whose learning rates it goes through."""

    name: str
    part: Part
    metric: str


def draw(run: StoredRun, options: Options) -> "Spec":
    """Draw the end at each learning rate: a line per optimizer, or of a single optimizer per batch size.

    Raises ValueError if no cell has what is asked for, or none has tried several learning rates.
    """
    from optbench.present.charts.lines import lines

    tasks = measured_tasks(run, options)
    optimizers = optimizers_of(tasks)
    by_size = len(optimizers) == 1 and len(tasks) > len({problem for problem, _ in tasks})
    groups = _responses(tasks, metrics_of(tasks, options), by_size)
    panels = [panel for titles, responses in groups.items() if (panel := _panel(titles, responses, options))]
    if not panels:
        raise nothing_to_draw(run, "only one learning rate was tried, so there is no sensitivity to draw")
    sizes = list(dict.fromkeys(f"batch size {size}" for _, size in tasks))
    return lines(panels, look_with(sizes, options) if by_size else look_of(run, options, optimizers))


def _responses(tasks: Tasks, metrics: Mapping[Task, str], by_size: bool) -> dict[tuple[str, str], list[Response]]:
    """Group the lines by (title, subtitle) of their panels."""
    groups: dict[tuple[str, str], list[Response]] = {}
    for task, parts in tasks.items():
        for part in parts:
            optimizer = part.record.optimizer
            titles = (task[0], optimizer) if by_size else task_titles(task)
            name = f"batch size {task[1]}" if by_size else optimizer
            groups.setdefault(titles, []).append(Response(name, part, metrics[task]))
    return groups


def _panel(titles: tuple[str, str], responses: Sequence[Response], options: Options) -> "LinePanel | None":
    from optbench.present.charts.line_panel import Line, LinePanel, Mark

    curves, marks, starts = [], [], []
    for name, part, metric in responses:
        tried = [point for point in points(part, metric, ["learning_rate"], options.view) if point.settings[0] > 0]
        if len(tried) > 1:
            values = [point.value if isfinite(point.value) else nan for point in tried]
            curves.append(Line(name, [point.settings[0] for point in tried], values))
            diverged = [point.settings[0] for point in tried if isinf(point.value)]
            edge = worse_edge(metric, part)
            marks += [Mark(name, rate, edge, f"diverged at learning rate {rate:.3g}") for rate in diverged]
            starts.append(initial_value(part, metric, options.view))
    if not curves:
        return None
    values, metric = [y for line in curves for y in line.y if isfinite(y)], responses[0].metric
    log = is_logarithmic(values, metric, options)
    cap = highest_shown(starts, values, log) if metric in ("gap", "train_loss") else inf
    axes = "learning rate", metric_title(metric)
    return LinePanel(*titles, *axes, curves, marks, log_x=True, log_y=log, dotted=True, cap=cap)


def caption(run: StoredRun, options: Options) -> str:
    """Name the metric and the seeds of the medians, and what the crosses mean."""
    return make_caption(
        run,
        f"{metric_words(options)} at the end of training{slice_words(options)} against the learning rate: median over "
        "the selection seeds; at each learning rate the best of the other settings counts.",
        "A cross on the edge marks a learning rate at which most seeds diverged.",
        coloured_words(run),
    )


FIGURE = Figure(
    "where each learning rate leads",
    draw,
    caption,
    takes_metric=True,
    section="Learning rates",
    open_in_report=True,
    scales=SCALES,
)
