"""A panel of lines, the domains of its axes, and the rows of its chart."""

import math
from collections.abc import Sequence
from dataclasses import dataclass
from typing import Any, NamedTuple

from optbench.present.charts import style
from optbench.present.charts.style import Look


class Line(NamedTuple):
    """One line, and its interval if it has one."""

    name: str
    x: Sequence[float]
    y: Sequence[float]
    low: Sequence[float] = ()
    high: Sequence[float] = ()
    #: Its title under the pointer; "" for its name.
    note: str = ""


class Mark(NamedTuple):
    """A cross for a divergence or a missed target; beyond the panel it lies on the edge."""

    name: str
    x: float
    y: float
    note: str


@dataclass(frozen=True)
class LinePanel:
    """One panel of lines."""

    title: str
    subtitle: str
    x_title: str
    y_title: str
    lines: Sequence[Line]
    marks: Sequence[Mark] = ()
    #: Points without a line, such as the measurements beside a fitted line.
    points: Sequence[Line] = ()
    log_x: bool = False
    log_y: bool = False
    #: Values change only at points.
    step: bool = False
    #: Points on the lines.
    dotted: bool = False
    #: Ticks of the x axis; none for ticks that its length chooses.
    x_ticks: Sequence[float] = ()
    #: The highest value of y that is drawn: higher ones lie on the upper edge.
    cap: float = math.inf


def domains(panel: LinePanel) -> tuple[tuple[float, float], tuple[float, float]]:
    """Return the domains of both axes: of the finite values, above zero on a logarithmic axis, and up to the cap."""
    lines = [*panel.lines, *panel.points]
    xs = [x for line in lines for x in line.x] + [mark.x for mark in panel.marks]
    ys = [y for line in lines for values in (line.y, line.low, line.high) for y in values]
    ys += [mark.y for mark in panel.marks]
    capped = [min(y, panel.cap) for y in ys if math.isfinite(y) or (y > 0 and math.isfinite(panel.cap))]
    exceeds = any(y > panel.cap or math.isinf(y) for y in ys)
    low, high = ends(capped, panel.log_y, 0.04, 0.12 if exceeds else 0.04)
    return ends(xs, panel.log_x, 0.02, 0.02), (low, high)


def ends(values: Sequence[float], log: bool, below: float, above: float) -> tuple[float, float]:
    """Return an axis' ends, a share of its length beyond the outermost values."""
    finite = [value for value in values if math.isfinite(value) and (value > 0 or not log)]
    low, high = min(finite, default=1.0), max(finite, default=1.0)
    if log:
        low, high = (low / 2, high * 2) if low == high else (low, high)
        # Values of zero or less lie on the lower edge, apart from the lowest positive one.
        below = max(below, 0.1) if any(value <= 0 for value in values) else below
        return low / (high / low) ** below, high * (high / low) ** above
    low, high = (low - 0.5, high + 0.5) if low == high else (low, high)
    return low - below * (high - low), high + above * (high - low)


def inset(domain: Sequence[float], log: bool, share: float) -> float:
    """Return the value at a share of an axis' length."""
    low, high = domain
    return low * (high / low) ** share if log else low + share * (high - low)


def line_row(line: Line, names: Sequence[str], panel: LinePanel, domain: Sequence[float], look: Look) -> dict[str, Any]:
    """Return a line as one row of lists, which the chart unfolds: a tenth of the text of a row for each point."""
    indices = [index for index, x in enumerate(line.x) if x > 0 or not panel.log_x]
    row: dict[str, Any] = {"optimizer": style.clean(line.note or line.name), "shown": legend_name(line.name, look)}
    for name in names:
        values = getattr(line, name)
        chosen = [values[index] if name == "x" else inside(values[index], domain) for index in indices]
        row[name] = [style.plain(value) for value in chosen]
    return row


def inside(value: float, domain: Sequence[float]) -> float:
    """Return a value, or the nearer edge of the axis if it lies beyond; NaN stays."""
    return value if math.isnan(value) else min(max(value, domain[0]), domain[1])


def legend_name(name: str, look: Look) -> str:
    """Return a line's name in the legend: its own if it is coloured, else that of the grey lines."""
    return style.clean(name) if name in look.names else look.others


def grey_first(items: Sequence[Any], look: Look) -> list[Any]:
    """Return lines or marks in drawing order: the grey behind the coloured, the first of these on top."""
    ranks = {name: rank for rank, name in enumerate(look.names)}
    return sorted(items, key=lambda item: -ranks.get(item.name, len(ranks)))


def stacked(marks: Sequence[Mark], panel: LinePanel, domain: Sequence[float], look: Look) -> list[float]:
    """Return the y of crosses, those on the edge one below the other if several colours have the same x."""
    names_by_x: dict[float, list[str]] = {}
    ys = []
    for mark in marks:
        y = inside(mark.y, domain)
        if mark.y > domain[1]:
            names, name = names_by_x.setdefault(mark.x, []), legend_name(mark.name, look)
            names += [] if name in names else [name]
            y = inset(domain, panel.log_y, 1 - 0.05 * names.index(name))
        ys.append(y)
    return ys


def mark_row(mark: Mark, y: float, look: Look) -> dict[str, Any]:
    """Return a cross as a row of the chart."""
    row = {"optimizer": style.clean(mark.name), "shown": legend_name(mark.name, look), "said": mark.note}
    return row | {"x": style.plain(mark.x), "y": style.plain(y)}
