"""The final value of each tuned optimizer."""

from collections.abc import Sequence
from math import inf
from typing import TYPE_CHECKING

import numpy as np

from optbench.analyse.points import tuned_end
from optbench.analyse.trials import is_higher_better
from optbench.figures._dots import with_intervals
from optbench.figures._tasks import Task, measured_tasks, metrics_of, task_titles
from optbench.figures.axes import is_logarithmic, is_wide, metric_title
from optbench.figures.captions import LEFT_EDGE, make_caption, metric_words, slice_words, tuned_words
from optbench.figures.figure import Figure, Options, look_with
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
    return dots(panels, look_with([], options))


def _panel(task: Task, parts: Sequence[Part], metric: str, options: Options) -> "DotPanel":
    from optbench.present.charts.dots import Dot, DotPanel

    ends = [Dot(part.record.optimizer, *tuned_end(part, metric, options.view)) for part in parts]
    sign = -1 if is_higher_better(metric, parts[0].results) else 1
    ends.sort(key=lambda dot: inf if np.isinf(dot.value) else sign * dot.value)
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
