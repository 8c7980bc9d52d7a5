"""The mean rank of each tuned optimizer over problems."""

from typing import TYPE_CHECKING

import numpy as np

from optbench.analyse.costs import compared_by
from optbench.analyse.ranks import alike, problem_ranks, rank_test
from optbench.analyse.series import X
from optbench.analyse.significance import LEVEL
from optbench.analyse.statistics import FEWEST, mean_intervals
from optbench.analyse.work import words_of, work_of
from optbench.figures._colours import look_of
from optbench.figures._dots import with_intervals
from optbench.figures._tasks import finished_tasks, seconds_of
from optbench.figures.captions import make_caption, seed_words, slice_words
from optbench.figures.figure import Figure, Options, nothing_to_draw
from optbench.store.run import StoredRun

if TYPE_CHECKING:
    from optbench.present.charts.style import Spec


def draw(run: StoredRun, options: Options) -> "Spec":
    """Draw mean ranks with their intervals, and bars that join those that can't be told apart.

    Raises ValueError if nothing can be ranked.
    """
    from optbench.present.charts.dots import Dot, DotPanel, dots

    finished_tasks(run)
    names, ranked = problem_ranks(run.parts, options.by, seconds_of(run))
    if not ranked.size:
        raise nothing_to_draw(run, "no problem was finished by all optimizers, so there is nothing to rank")
    intervals = mean_intervals(ranked.T)
    order = np.argsort(intervals[:, 0], kind="stable").tolist()
    means = [Dot(names[index], *intervals[index].tolist()) for index in order]
    test, num = rank_test(ranked), len(ranked)
    groups = []
    if test:
        groups = alike([dot.value for dot in means], test.critical) if test.p <= LEVEL else [(0, len(means) - 1)]
    # A bar joins two at least.
    groups = [(first, last) for first, last in groups if last > first]
    title = f"ranks over {num} problem{'s' if num > 1 else ''}"
    return dots([DotPanel(title, "", "mean rank", with_intervals(means), groups=groups)], look_of(run, options))


def caption(run: StoredRun, options: Options) -> str:
    """Say what is ranked, what the lines span, and which test the bars come from."""
    return make_caption(
        run,
        f"Mean rank of each tuned optimizer over the problems that all were run on{slice_words(options)}, by the "
        f"median {compared_by(run.parts)} over {seed_words(run, options)}{_equal_words(run, options)}. Lines: its "
        f"95 % bootstrap interval over problems (of fewer than {FEWEST}, its best and worst rank). Bars at the "
        "right join those that can't be told apart, by Nemenyi's critical difference (5 %); all where Friedman's test "
        "finds no difference.",
    )


def _equal_words(run: StoredRun, options: Options) -> str:
    unit = work_of(run.parts, options.by).unit
    return "" if unit == "steps" else f" at equal {words_of(unit)}"


FIGURE = Figure("mean ranks over problems", draw, caption, takes_x=X, section="Over all problems", open_in_report=True)
