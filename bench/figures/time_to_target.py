"""The seconds that each tuned optimizer takes to the target."""

from typing import TYPE_CHECKING

from optbench.analyse.points import tuned_steps
from optbench.figures._dots import draw_times, with_intervals
from optbench.figures._tasks import cell_of, finished_tasks, seconds_of, task_titles
from optbench.figures.captions import NOT_TIMED, intervals_of, make_caption, seed_words, slice_words
from optbench.figures.figure import Figure, Options, nothing_to_draw
from optbench.store.run import StoredRun
from optbench.tables.table_kind import NO_TARGET

if TYPE_CHECKING:
    from optbench.present.charts.style import Spec


def draw(run: StoredRun, options: Options) -> "Spec":
    """Draw the seconds to the target, a panel per task. Raises ValueError if no cell is timed or has a target."""
    from optbench.present.charts.dots import Dot

    tasks, seconds = finished_tasks(run), seconds_of(run)
    if not seconds:
        raise nothing_to_draw(run, f"no cell {NOT_TIMED}")
    panels: dict[tuple[str, str], list[Dot]] = {}
    for task, parts in tasks.items():
        for part in parts:
            steps, step_seconds = tuned_steps(part, options.view), seconds.get(cell_of(part))
            if steps is not None and step_seconds is not None:
                median, low, high = (count * step_seconds for count in steps)
                dot = Dot(part.record.optimizer, median, low, high)
                panels.setdefault(task_titles(task), []).append(dot)
    if not panels:
        raise nothing_to_draw(run, NO_TARGET)
    times = {titles: with_intervals(dots, " s") for titles, dots in panels.items()}
    return draw_times(times, "seconds to target", run, options)


def caption(run: StoredRun, options: Options) -> str:
    """Say what the steps and their seconds are medians of."""
    return make_caption(
        run,
        f"Seconds to the (first) target{slice_words(options)}: median over {seed_words(run, options)} of the tuned "
        f"optimizer's steps, with {intervals_of(run, options)}, times the measured median seconds of a step. A cross "
        "on the right edge: most seeds missed it.",
    )


FIGURE = Figure("seconds to the target", draw, caption, section="Time to target", open_in_report=True)
