"""The final value at each learning rate and weight decay."""

from math import isfinite
from typing import TYPE_CHECKING

from optbench.analyse.points import points
from optbench.figures._tasks import MOST_PANELS, Task, cell_titles, measured_tasks, metrics_of, shown_cells
from optbench.figures.axes import is_logarithmic, metric_title
from optbench.figures.captions import make_caption, metric_words, slice_words
from optbench.figures.figure import Figure, Options, look_with, nothing_to_draw
from optbench.store.parts import Part
from optbench.store.run import StoredRun

if TYPE_CHECKING:
    from optbench.present.charts.heat import HeatPanel
    from optbench.present.charts.style import Spec

#: Values on a side of a heat map: a random search has no grid, but as many values as points.
MOST_VALUES = 40


def draw(run: StoredRun, options: Options) -> "Spec":
    """Draw the end at each learning rate and weight decay, a panel per cell.

    Raises ValueError if no cell has what is asked for, or none was tried on a grid of both.
    """
    from optbench.present.charts.heat import heat

    tasks = measured_tasks(run, options)
    metrics = metrics_of(tasks, options)
    cells = [(task, part) for task, parts in shown_cells(tasks, options).items() for part in parts]
    panels = [panel for task, part in cells if (panel := _panel(task, part, metrics[task], options))]
    if not panels:
        raise nothing_to_draw(run, "no cell was tried on a grid of several learning rates and weight decays")
    return heat(panels, look_with([], options))


def _panel(task: Task, part: Part, metric: str, options: Options) -> "HeatPanel | None":
    from optbench.present.charts.heat import Cell, HeatPanel

    ends = points(part, metric, ["learning_rate", "weight_decay"], options.view)
    cells = [Cell(rate, decay, point.value, point.chosen) for point in ends for rate, decay in [point.settings]]
    if not all(1 < len(set(values)) <= MOST_VALUES for values in zip(*(point.settings for point in ends), strict=True)):
        return None
    log = is_logarithmic([cell.value for cell in cells if isfinite(cell.value)], metric, options)
    return HeatPanel(*cell_titles(part, task), "learning rate", "weight decay", metric_title(metric), cells, log)


def caption(run: StoredRun, options: Options) -> str:
    """Name the metric and the seeds of the medians, and say how to read the colours."""
    return make_caption(
        run,
        f"{metric_words(options)} at the end of training{slice_words(options)} for each learning rate and weight "
        "decay: median over the selection seeds, dark is low, each panel with a scale of its own. Framed: the chosen "
        f"point. A cross marks what diverged. Of more than {MOST_PANELS} cells the best on each problem and batch "
        "size.",
    )


FIGURE = Figure(
    "learning rate against weight decay",
    draw,
    caption,
    takes_metric=True,
    section="Learning rates",
    per_optimizer=True,
)
