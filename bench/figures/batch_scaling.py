"""The steps to the target against batch size."""

from collections.abc import Mapping, Sequence
from math import inf, isfinite, isinf
from typing import TYPE_CHECKING, Any

import numpy as np

from optbench.figures._colours import look_of
from optbench.figures.captions import coloured_words, make_caption, slice_words
from optbench.figures.figure import Figure, Options, nothing_to_draw
from optbench.store.run import StoredRun
from optbench.store.status import Outcome
from optbench.tables.batch_scaling import NO_SIZES, batch_scaling

if TYPE_CHECKING:
    from optbench.present.charts.line_panel import Line, LinePanel
    from optbench.present.charts.style import Spec

#: Points along a fitted curve.
FITTED = 30
#: A fit of two numbers says nothing that its two points don't: of fewer sizes none is drawn.
FEWEST_SIZES = 3


def draw(run: StoredRun, options: Options) -> "Spec":
    """Draw the steps to the target against batch size, with the fit, a panel per problem.

    Raises ValueError if no target was run for at several batch sizes.
    """
    from optbench.present.charts.lines import lines

    rows = batch_scaling(run.parts, options.view)[1]
    if not rows:
        raise nothing_to_draw(run, NO_SIZES)
    sizes = {
        (part.record.problem, part.record.batch_size): float(part.results.examples_per_step)
        for part in run.parts
        if part.outcome == Outcome.FINISHED
    }
    problems: dict[str, list[dict[str, Any]]] = {}
    for row in rows:
        sized = row | {"size": sizes[row["problem"], row["batch_size"]]}
        problems.setdefault(row["problem"], []).append(sized)
    panels = [_panel(problem, group) for problem, group in problems.items()]
    return lines(panels, look_of(run, options))


def _panel(problem: str, rows: Sequence[Mapping[str, Any]]) -> "LinePanel":
    from optbench.present.charts.line_panel import Line, LinePanel, Mark

    medians, fits, marks = [], [], []
    for name in dict.fromkeys(row["optimizer"] for row in rows):
        own = [row for row in rows if row["optimizer"] == name]
        met = [row for row in own if isfinite(row["steps_to_target"]) and row["steps_to_target"] > 0]
        missed = [row["size"] for row in own if isinf(row["steps_to_target"])]
        marks += [Mark(name, size, inf, "missed the target") for size in missed]
        medians.append(Line(name, [row["size"] for row in met], [row["steps_to_target"] for row in met]))
        fits += [_fit(name, met)] if len(met) >= FEWEST_SIZES and "fewest_steps" in met[0] else []
    ticks = sorted({row["size"] for row in rows})
    axes = "batch size", "steps to target"
    return LinePanel(problem, "", *axes, fits, marks, medians, log_x=True, log_y=True, x_ticks=ticks)


def _fit(name: str, rows: Sequence[Mapping[str, Any]]) -> "Line":
    from optbench.present.charts.line_panel import Line

    sizes = np.geomspace(rows[0]["size"], rows[-1]["size"], FITTED)
    steps = rows[0]["fewest_steps"] + rows[0]["fewest_examples"] / sizes
    return Line(name, sizes.tolist(), steps.tolist())


def caption(run: StoredRun, options: Options) -> str:
    """Say which settings the steps are of, which fit the lines show, and what the crosses mean."""
    return make_caption(
        run,
        f"Steps to the (first) target{slice_words(options)} against batch size, at each with the settings that need "
        "the fewest, by the mean over the selection seeds (points), and of three sizes or more the fit "
        "steps = S + E / batch size (lines; McCandlish et al., 2018). A cross on the upper edge marks a batch size at "
        "which the target was missed. Where a batch is all the data, its size is their number.",
        coloured_words(run),
    )


FIGURE = Figure("what a larger batch buys", draw, caption, section="Batch sizes", open_in_report=True)
