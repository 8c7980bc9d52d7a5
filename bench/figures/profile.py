"""The share of problems solved within a factor of the least work."""

from typing import TYPE_CHECKING

import numpy as np

from optbench.analyse.series import X
from optbench.analyse.targets import ratios, work_to_target
from optbench.analyse.work import words_of, work_of
from optbench.figures._colours import look_of
from optbench.figures._tasks import finished_tasks, seconds_of
from optbench.figures.axes import X_TITLES
from optbench.figures.captions import coloured_words, make_caption, seed_words, slice_words
from optbench.figures.figure import Figure, Options, nothing_to_draw
from optbench.store.run import StoredRun
from optbench.tables.profile import FACTORS
from optbench.tables.table_kind import NO_TARGET

if TYPE_CHECKING:
    from optbench.present.charts.style import Spec

#: Profiles end here, as their table does.
LAST_FACTOR = FACTORS[-1]


def draw(run: StoredRun, options: Options) -> "Spec":
    """Draw the share of problems solved within a factor of the fastest optimizer's work.

    Raises ValueError if no problem has a target.
    """
    from optbench.present.charts.line_panel import Line, LinePanel
    from optbench.present.charts.lines import lines

    finished_tasks(run)
    work = work_of(run.parts, options.by, seconds_of(run))
    names, times = work_to_target(run.parts, options.by, work)
    if not len(times):
        raise nothing_to_draw(run, NO_TARGET)
    profiles = []
    for name, factors in zip(names, ratios(times).T, strict=True):
        corners = [1.0, *np.unique(factors[factors <= LAST_FACTOR]).tolist(), LAST_FACTOR]
        profiles.append(Line(name, corners, [float(np.mean(factors <= corner)) for corner in corners]))
    title = f"targets of {len(times)} problem{'s' if len(times) > 1 else ''}"
    axes = f"times the fewest {X_TITLES[work.unit]}", "share solved"
    return lines([LinePanel(title, "", *axes, profiles, log_x=True, step=True)], look_of(run, options))


def caption(run: StoredRun, options: Options) -> str:
    """Say what counts as solved, and by which steps."""
    unit = words_of(work_of(run.parts, options.by).unit)
    return make_caption(
        run,
        "Performance profiles (Dolan, More, 2002): share of problems (each batch size counts) whose first target"
        f"{slice_words(options)} the tuned optimizer meets, by its median over {seed_words(run, options)}, within so "
        f"many times the fewest {unit} of any. What failed or was not run somewhere has not met the target there.",
        coloured_words(run),
    )


FIGURE = Figure("performance profiles", draw, caption, takes_x=X, section="Over all problems", open_in_report=True)
