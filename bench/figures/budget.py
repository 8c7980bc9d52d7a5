"""The expected best of k configurations."""

from collections.abc import Mapping, Sequence
from typing import TYPE_CHECKING, Any

from optbench.analyse.series import metric_of
from optbench.figures._colours import look_of
from optbench.figures._tasks import Task, finished_tasks, task_titles
from optbench.figures.axes import is_logarithmic, metric_title
from optbench.figures.captions import coloured_words, make_caption, slice_words
from optbench.figures.figure import Figure, Options, nothing_to_draw
from optbench.store.run import StoredRun
from optbench.tables.budget import ENDS, budget

if TYPE_CHECKING:
    from optbench.present.charts.line_panel import Line, LinePanel
    from optbench.present.charts.style import Spec


def draw(run: StoredRun, options: Options) -> "Spec":
    """Draw the expected best of k configurations, a panel per task.

    Raises ValueError if no cell has finished, or none has tried several configurations.
    """
    from optbench.present.charts.lines import lines

    tasks, rows = finished_tasks(run), budget(run.parts, options.view)[1]
    panels = [
        _panel(
            task,
            [row for row in rows if (row["problem"], row["batch_size"]) == task],
            metric_of(parts[0], None),
            options,
        )
        for task, parts in tasks.items()
    ]
    if all(len(line.x) < 2 for panel in panels for line in panel.lines):
        raise nothing_to_draw(run, "only one configuration was tried, so there is no budget to draw")
    return lines(panels, look_of(run, options))


def _panel(task: Task, rows: Sequence[Mapping[str, Any]], metric: str, options: Options) -> "LinePanel":
    from optbench.present.charts.line_panel import LinePanel

    curves = [_curve(row) for row in rows]
    log = is_logarithmic([y for line in curves for y in line.y], metric, options)
    axes = "configurations tried", metric_title(metric)
    return LinePanel(*task_titles(task), *axes, curves, log_x=True, log_y=log)


def _curve(row: Mapping[str, Any]) -> "Line":
    from optbench.present.charts.line_panel import Line

    ks = [int(name.removeprefix("best_of_")) for name in row if name.removeprefix("best_of_").isdigit()]
    median, low, high = ([row[f"best_of_{k}{end}"] for k in ks] for end in ENDS)
    return Line(row["optimizer"], ks, median, low, high)


def caption(run: StoredRun, options: Options) -> str:
    """Say what is drawn at random, what counts of each configuration, and what the bands are."""
    return make_caption(
        run,
        f"Expected lowest of k configurations drawn at random from those that were tried{slice_words(options)}, each "
        "by its median over the selection seeds, with 95 % bootstrap intervals over the configurations as bands; the "
        "gap where the optimum is known, else the train loss. A configuration that diverged counts as the start.",
        coloured_words(run),
    )


FIGURE = Figure("the expected best of k configurations", draw, caption, section="Tuning", open_in_report=True)
