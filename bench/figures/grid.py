"""Every selection trial of a grid, and the chosen point."""

from math import inf
from typing import TYPE_CHECKING

from optbench.analyse.series import MOST_TRIALS, Trial, X, grid_trials
from optbench.figures._tasks import (
    MOST_PANELS,
    Task,
    cell_of,
    cell_titles,
    measured_tasks,
    metrics_of,
    seconds_of,
    shown_cells,
)
from optbench.figures.axes import X_TITLES, highest_shown, is_logarithmic, metric_title, worse_edge
from optbench.figures.captions import LOWER_EDGE, UPPER_EDGE, make_caption, metric_words, slice_words, x_words
from optbench.figures.figure import Figure, Options, look_with
from optbench.store.parts import Part
from optbench.store.run import StoredRun

if TYPE_CHECKING:
    from optbench.present.charts.line_panel import Line, LinePanel
    from optbench.present.charts.style import Spec

CHOSEN, OTHER = "chosen point", "all other trials"


def draw(run: StoredRun, options: Options) -> "Spec":
    """Draw every selection trial of a cell in grey and its chosen point in colour, a panel per cell.

    Raises ValueError if no cell has what is asked for, or no selection trials are stored.
    """
    from optbench.present.charts.lines import lines

    tasks = measured_tasks(run, options)
    metrics, seconds = metrics_of(tasks, options), seconds_of(run) if options.along == "seconds" else {}
    panels = [
        _panel(task, part, metrics[task], options, seconds.get(cell_of(part)))
        for task, parts in shown_cells(tasks, options).items()
        for part in parts
    ]
    return lines(panels, look_with([CHOSEN], options)._replace(others=OTHER))


def _panel(task: Task, part: Part, metric: str, options: Options, seconds: float | None) -> "LinePanel":
    from optbench.present.charts.line_panel import LinePanel, Mark

    trials, num = grid_trials(part, metric, options.along, options.view, seconds)
    curves = [_line(trial, index) for index, trial in enumerate(trials) if len(trial.y)]
    edge = worse_edge(metric, part)
    marks = [
        Mark(_name(trial), float(trial.x[-1]), edge, _settings(trial))
        for trial in trials
        if trial.diverged and len(trial.y)
    ]
    values = [y for line in curves for y in line.y]
    log = is_logarithmic(values, metric, options)
    cap = highest_shown([line.y[0] for line in curves], values, log) if edge > 0 else inf
    title, subtitle = cell_titles(part, task)
    axes = X_TITLES[options.along], metric_title(metric)
    return LinePanel(title, f"{subtitle}, {num} trials", *axes, curves, marks, log_y=log, cap=cap)


def _line(trial: Trial, index: int) -> "Line":
    from optbench.present.charts.line_panel import Line

    return Line(_name(trial), trial.x.tolist(), trial.y.tolist(), note=f"{_settings(trial)} ({index})")


def _name(trial: Trial) -> str:
    return CHOSEN if trial.best else OTHER


def _settings(trial: Trial) -> str:
    return ", ".join(f"{name}={value:.3g}" for name, value in trial.settings.items())


def caption(run: StoredRun, options: Options) -> str:
    """Name the metric and the axis, and say which trials and cells are shown."""
    return make_caption(
        run,
        f"{metric_words(options)} of the selection trials of an optimizer against {x_words(options)}"
        f"{slice_words(options)}; coloured: the seeds of the point that was chosen. At most "
        f"{MOST_TRIALS} trials, evenly by rank, and the chosen ones; of more than {MOST_PANELS} cells the best on each "
        "problem and batch size.",
        f"A cross on the edge marks the last record of a trial that diverged; {UPPER_EDGE}",
        LOWER_EDGE,
    )


FIGURE = Figure(
    "every trial of a grid, and the chosen point",
    draw,
    caption,
    takes_metric=True,
    takes_x=X,
    section="Every trial of the grids",
    per_optimizer=True,
)
