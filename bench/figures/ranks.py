"""The mean rank of each tuned optimizer over problems."""

from typing import TYPE_CHECKING

from optbench.analyse.ranks import problem_ranks, rank_test
from optbench.analyse.series import X
from optbench.analyse.significance import LEVEL
from optbench.analyse.work import words_of, work_of
from optbench.figures._colours import look_of
from optbench.figures._dots import with_intervals
from optbench.figures._tasks import finished_tasks, seconds_of
from optbench.figures.captions import make_caption, seed_words, slice_words
from optbench.figures.figure import Figure, Options, nothing_to_draw
from optbench.store.run import StoredRun
from optbench.tables.ranks import ranks

if TYPE_CHECKING:
    from optbench.present.charts.style import Spec


def draw(run: StoredRun, options: Options) -> "Spec":
    """Draw mean ranks with their range, and shade those that can't be told from the first.

    Raises ValueError if nothing can be ranked.
    """
    from optbench.present.charts.dots import Dot, DotPanel, dots

    finished_tasks(run)
    rows = ranks(run.parts, options.by, seconds_of(run))[1]
    if not rows:
        raise nothing_to_draw(run, "no problem was finished by all optimizers, so there is nothing to rank")
    means = [Dot(row["optimizer"], row["mean_rank"], float(row["best_rank"]), float(row["worst_rank"])) for row in rows]
    test = rank_test(problem_ranks(run.parts, options.by, seconds_of(run))[1])
    first, num = means[0].value, rows[0]["num_problems"]
    shaded = (first, first + test.critical) if test and test.p <= LEVEL else None
    title = f"ranks over {num} problem{'s' if num > 1 else ''}"
    return dots([DotPanel(title, "", "mean rank", with_intervals(means), shaded=shaded)], look_of(run, options))


def caption(run: StoredRun, options: Options) -> str:
    """Say what is ranked, what the lines span, and which test the shade comes from."""
    return make_caption(
        run,
        f"Mean rank of each tuned optimizer over the problems that all were run on{slice_words(options)}, by the "
        f"median train loss over {seed_words(run, options)}{_equal_words(run, options)}; lines span its "
        "best and worst rank. Shaded: Nemenyi's "
        "critical difference (5 %) from the first, within which ranks can't be told from it; drawn where Friedman's "
        "test finds that they differ as a whole.",
    )


def _equal_words(run: StoredRun, options: Options) -> str:
    unit = work_of(run.parts, options.by).unit
    return "" if unit == "steps" else f" at equal {words_of(unit)}"


FIGURE = Figure("mean ranks over problems", draw, caption, takes_x=X, section="Over all problems", open_in_report=True)
