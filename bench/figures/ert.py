"""The expected running time to each target."""

from typing import TYPE_CHECKING

from optbench.analyse.series import X
from optbench.analyse.work import words_of, work_of
from optbench.figures._dots import draw_times
from optbench.figures._tasks import finished_tasks, seconds_of
from optbench.figures.axes import X_TITLES
from optbench.figures.captions import NOT_TIMED, make_caption, seed_words, slice_words
from optbench.figures.figure import Figure, Options, nothing_to_draw
from optbench.store.run import StoredRun
from optbench.tables.ert import ert
from optbench.tables.table_kind import NO_TARGET

if TYPE_CHECKING:
    from optbench.present.charts.style import Spec


def draw(run: StoredRun, options: Options) -> "Spec":
    """Draw the expected running time to each target, a panel per problem, batch size and target.

    Raises ValueError if no problem has a target, or where x is seconds no cell is timed.
    """
    from optbench.present.charts.dots import Dot

    finished_tasks(run)
    x = work_of(run.parts, options.by).unit
    column = f"ert_{x}"
    rows = ert(run.parts, seconds_of(run), options.view)[1]
    if not rows:
        raise nothing_to_draw(run, NO_TARGET)
    panels: dict[tuple[str, str], list[Dot]] = {}
    for row in rows:
        if row[column] is not None:
            titles = row["problem"], f"batch size {row['batch_size']}, {row['target']}"
            text = f"{row[column]:.4g} {x}, {row['num_solved']} of {row['num_seeds']} seeds met it"
            panels.setdefault(titles, []).append(Dot(row["optimizer"], row[column], note=text))
    if not panels:
        raise nothing_to_draw(run, f"no finished cell {NOT_TIMED}")
    return draw_times(panels, X_TITLES[x], run, options)


def caption(run: StoredRun, options: Options) -> str:
    """Name the unit, and say how seeds that missed the target count."""
    unit = words_of(work_of(run.parts, options.by).unit)
    return make_caption(
        run,
        f"Expected running time to the target, in {unit}{slice_words(options)}: all that "
        f"{seed_words(run, options)} of the tuned optimizer took, over the seeds that met it; a seed that missed "
        "it spent its whole budget. A cross on the right edge: no seed met it.",
    )


FIGURE = Figure(
    "expected running time to each target",
    draw,
    caption,
    takes_x=X,
    section="Time to target",
    open_in_report=True,
)
