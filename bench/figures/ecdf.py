"""The share of targets met by some work."""

from typing import TYPE_CHECKING

import numpy as np
from jaxtyping import Float

from optbench.analyse.series import X
from optbench.analyse.targets import LEVELS, most_work, work_met
from optbench.analyse.work import words_of, work_of
from optbench.figures._colours import look_of
from optbench.figures._tasks import finished_tasks, seconds_of
from optbench.figures.axes import X_TITLES
from optbench.figures.captions import coloured_words, make_caption, seed_words, slice_words
from optbench.figures.figure import Figure, Options, nothing_to_draw
from optbench.store.run import StoredRun
from optbench.tables.ecdf import NO_LEVEL

if TYPE_CHECKING:
    from optbench.present.charts.style import Spec

#: Corners of one step curve.
MOST_CORNERS = 100


def draw(run: StoredRun, options: Options) -> "Spec":
    """Draw the share of (problem, target, seed) met against work. Raises ValueError if there are no targets."""
    from optbench.present.charts.line_panel import Line, LinePanel
    from optbench.present.charts.lines import lines

    finished_tasks(run)
    work = work_of(run.parts, options.by, seconds_of(run))
    met, total = work_met(run.parts, options.by, work)
    if not total:
        raise nothing_to_draw(run, NO_LEVEL)
    last = most_work(run.parts, options.by, work) or 1.0
    first = min(1.0, *(float(own.min(initial=last, where=own > 0)) for own in met.values()))
    curves = []
    for name, own in met.items():
        corners = _corners(own, first, last)
        curves.append(Line(name, corners, [float(np.sum(own <= corner) / total) for corner in corners]))
    axes = X_TITLES[work.unit], "share met"
    return lines([LinePanel(f"{total} targets", "", *axes, curves, log_x=True, step=True)], look_of(run, options))


def _corners(met: Float[np.ndarray, " case"], first: float, last: float) -> list[float]:
    """Choose amounts of work to draw the share at: first, last, and of those at which it rises so many, evenly."""
    rises = np.unique(np.clip(met[np.isfinite(met)], first, last))
    shown = np.linspace(0, len(rises) - 1, min(len(rises), MOST_CORNERS)).round().astype(int)
    return [first, *rises[shown].tolist(), last]


def caption(run: StoredRun, options: Options) -> str:
    """Say which targets there are, and what counts as met."""
    unit = words_of(work_of(run.parts, options.by).unit)
    return make_caption(
        run,
        f"Share of all (problem, target, seed) that the tuned optimizer met against {unit}{slice_words(options)}, "
        f"over {seed_words(run, options)}: {LEVELS} targets a problem and batch size, evenly in the logarithm from the "
        "train loss at its start to its own target, or where it has none to the lowest end of any optimizer.",
        coloured_words(run),
    )


FIGURE = Figure("the share of targets met", draw, caption, takes_x=X, section="Targets", open_in_report=True)
