"""What figures of one dot per optimizer share."""

from collections.abc import Mapping, Sequence
from math import inf
from typing import TYPE_CHECKING

from optbench.figures._colours import look_of
from optbench.figures.axes import is_wide
from optbench.figures.figure import Options
from optbench.store.run import StoredRun

if TYPE_CHECKING:
    from optbench.present.charts.dots import Dot
    from optbench.present.charts.style import Spec


def with_intervals(dots: Sequence["Dot"], unit: str = "") -> list["Dot"]:
    """Add the text under the pointer, a dot's value and interval, to the dots that have none."""
    return [dot._replace(note=dot.note or f"{dot.value:.4g} [{dot.low:.4g}, {dot.high:.4g}]{unit}") for dot in dots]


def draw_times(
    panels: Mapping[tuple[str, str], Sequence["Dot"]], axis: str, run: StoredRun, options: Options
) -> "Spec":
    """Draw times by (title, subtitle) of their panels, the shortest first."""
    from optbench.present.charts.dots import DotPanel, dots

    charts = []
    for titles, times in panels.items():
        values = [dot.value for dot in times if dot.value < inf]
        log = any(value > 0 for value in values) and (is_wide(values) if options.log is None else options.log)
        charts.append(DotPanel(*titles, axis, sorted(times, key=lambda dot: dot.value), log))
    return dots(charts, look_of(run, options))
