"""The share of targets met by a step."""

from typing import TYPE_CHECKING

import numpy as np
from jaxtyping import Float

from optbench.analyse.targets import LEVELS, most_steps, steps_met
from optbench.figures._tasks import finished_tasks, look_of
from optbench.figures.captions import coloured_words, make_caption, seed_words, slice_words
from optbench.figures.figure import Figure, Options, nothing_to_draw
from optbench.store.run import StoredRun
from optbench.tables.ecdf import NO_LEVEL

if TYPE_CHECKING:
    from optbench.present.charts.style import Spec

#: Corners of one step curve.
MOST_CORNERS = 100


def draw(run: StoredRun, options: Options) -> "Spec":
    """Draw the share of (problem, target, seed) met against steps. Raises ValueError if there are no targets."""
    from optbench.present.charts.line_panel import Line, LinePanel
    from optbench.present.charts.lines import lines

    tasks = finished_tasks(run)
    met, total = steps_met(run.parts, options.view)
    if not total:
        raise nothing_to_draw(run, NO_LEVEL)
    last = float(max(most_steps(run.parts, options.view), 1))
    curves = []
    for name, steps in met.items():
        corners = _corners(steps, last)
        curves.append(Line(name, corners, [float(np.sum(steps <= corner) / total) for corner in corners]))
    axes = "steps", "share met"
    return lines([LinePanel(f"{total} targets", "", *axes, curves, log_x=True, step=True)], look_of(tasks, options))


def _corners(steps: Float[np.ndarray, " case"], last: float) -> list[float]:
    """Choose steps to draw the share at: the first, the last, and of those at which it rises so many, evenly."""
    rises = np.unique(np.clip(steps[np.isfinite(steps)], 1, last))
    shown = np.linspace(0, len(rises) - 1, min(len(rises), MOST_CORNERS)).round().astype(int)
    return [1.0, *rises[shown].tolist(), last]


def caption(run: StoredRun, options: Options) -> str:
    """Say which targets there are, and what counts as met."""
    return make_caption(
        run,
        f"Share of all (problem, target, seed) that the tuned optimizer met by a step{slice_words(options)}, over "
        f"{seed_words(run, options)}: {LEVELS} targets a problem and batch size, evenly in the logarithm from the "
        "train loss at its start to its own target, or where it has none to the lowest end of any optimizer.",
        coloured_words(run),
    )


FIGURE = Figure("the share of targets met", draw, caption, section="Targets", open_in_report=True)
