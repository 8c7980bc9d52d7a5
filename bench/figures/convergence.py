"""The final value of each tuned optimizer."""

from collections.abc import Sequence
from math import inf
from typing import TYPE_CHECKING

import numpy as np

from optbench.analyse.points import tuned_end
from optbench.analyse.series import metric_of
from optbench.analyse.trials import direction, is_higher_better
from optbench.figures._colours import look_of
from optbench.figures._dots import with_intervals
from optbench.figures._tasks import Task, measured_tasks, metrics_of, optimizers_of, task_titles
from optbench.figures.axes import is_logarithmic, is_wide, metric_title
from optbench.figures.captions import LEFT_EDGE, make_caption, metric_words, slice_words, tuned_words
from optbench.figures.figure import Figure, Options
from optbench.store.parts import Part
from optbench.store.run import StoredRun

if TYPE_CHECKING:
    from optbench.present.charts.dots import DotPanel
    from optbench.present.charts.style import Spec


def draw(run: StoredRun, options: Options) -> "Spec":
    """Draw the final value of each tuned optimizer, a panel per task, best first.

    Raises ValueError if no cell has what is asked for.
    """
    from optbench.present.charts.dots import dots

    tasks = measured_tasks(run, options)
    metrics = metrics_of(tasks, options)
    panels = [_panel(task, parts, metrics[task], options) for task, parts in tasks.items()]
    return dots(panels, look_of(run, options, optimizers_of(tasks)))


def _panel(task: Task, parts: Sequence[Part], metric: str, options: Options) -> "DotPanel":
    from optbench.present.charts.dots import Dot, DotPanel

    # What has no better side is shown in the order of what the cells were trained for.
    ranked_by = metric_of(parts[0], None) if direction(metric, parts[0].results) is None else metric
    sign = -1 if is_higher_better(ranked_by, parts[0].results) else 1
    ranks = [tuned_end(part, ranked_by, options.view)[0] for part in parts]
    order = sorted(range(len(parts)), key=lambda index: inf if np.isinf(ranks[index]) else sign * ranks[index])
    ends = [Dot(parts[index].record.optimizer, *tuned_end(parts[index], metric, options.view)) for index in order]
    values = [dot.value for dot in ends if np.isfinite(dot.value)]
    log = is_logarithmic(values, metric, options) and (options.log or is_wide(values))
    return DotPanel(*task_titles(task), metric_title(metric), with_intervals(ends), log)


def caption(run: StoredRun, options: Options) -> str:
    """Name the metric and the seeds of the medians, and what the crosses mean."""
    return make_caption(
        run,
        f"{metric_words(options)} of each tuned optimizer at the end of training{slice_words(options)}: "
        f"{tuned_words(run, options)}; best first. A cross on the right edge marks what diverged on most seeds.",
        LEFT_EDGE,
    )


FIGURE = Figure(
    "how far each tuned optimizer came", draw, caption, takes_metric=True, section="Results", open_in_report=True
)
