"""What a step of each optimizer costs."""

from collections.abc import Mapping, Sequence
from math import inf
from typing import TYPE_CHECKING, Any

from optbench.figures._colours import look_of
from optbench.figures._dots import with_intervals
from optbench.figures._tasks import Task, task_titles
from optbench.figures.axes import is_wide
from optbench.figures.captions import NOT_TIMED, make_caption
from optbench.figures.figure import Figure, Options, nothing_to_draw
from optbench.store.run import StoredRun
from optbench.tables.throughput import throughput, timing_notes

if TYPE_CHECKING:
    from optbench.present.charts.dots import Dot, DotPanel
    from optbench.present.charts.style import Spec


def draw(run: StoredRun, options: Options) -> "Spec":
    """Draw the seconds of a step beside its share of the machine's limit, a panel per task.

    Raises ValueError if no cell is timed.
    """
    from optbench.present.charts.dots import dots

    tasks: dict[Task, list[dict[str, Any]]] = {}
    for row in throughput(run.timings)[1]:
        tasks.setdefault((row["problem"], row["batch_size"]), []).append(row)
    if not tasks:
        raise nothing_to_draw(run, f"no cell {NOT_TIMED}")
    return dots(
        [_panel(task, rows, options) for task, rows in tasks.items()],
        look_of(run, options, [row["optimizer"] for rows in tasks.values() for row in rows]),
    )


def _panel(task: Task, rows: Sequence[Mapping[str, Any]], options: Options) -> "DotPanel":
    from optbench.present.charts.dots import Dot, DotPanel

    steps = [_step(row) for row in rows]
    shares = [Dot(row["optimizer"], row["percent_of_limit"]) for row in rows if row["percent_of_limit"] is not None]
    beside = DotPanel("", "", "% of the limit", with_intervals(shares, " %"), bars=True)
    log = is_wide([dot.value for dot in steps if dot.value < inf]) if options.log is None else options.log
    return DotPanel(*task_titles(task), "seconds a step", with_intervals(steps, " s"), log, beside=beside)


def _step(row: Mapping[str, Any]) -> "Dot":
    from optbench.present.charts.dots import Dot

    if row["step_seconds"] is None:
        return Dot(row["optimizer"], inf, note="timing it failed")
    return Dot(row["optimizer"], row["step_seconds"], row["step_seconds_low"], row["step_seconds_high"])


def caption(run: StoredRun, options: Options) -> str:
    """Say what is timed, which limits the shares are of, and what the machine reached."""
    return make_caption(
        run,
        "Left: seconds of one step of a single unbatched trial, median over timed calls, with exact 95 % intervals, "
        "the cheapest first. Right: the larger of two shares, of the arithmetic that a matrix product reached and "
        "of the bandwidth that a copy reached in the same run. A cross on the right edge: timing it failed.",
        *(f"{note}." for note in timing_notes(list(run.timings))[-1:]),
    )


FIGURE = Figure(
    "what a step costs, and how near the limit", draw, caption, section="What a step costs", open_in_report=True
)
