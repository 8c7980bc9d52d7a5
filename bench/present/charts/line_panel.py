"""What a panel of lines holds, how far its axes go, and the rows that are drawn of it."""

import math
from collections.abc import Sequence
from dataclasses import dataclass
from typing import Any, NamedTuple

from optbench.present.charts import style
from optbench.present.charts.style import Look


class Line(NamedTuple):
    """One line, and its interval where there is one."""

    name: str
    x: Sequence[float]
    y: Sequence[float]
    low: Sequence[float] = ()
    high: Sequence[float] = ()
    #: What it is called under the pointer; its name where not given.
    said: str = ""


class Mark(NamedTuple):
    """A cross, where something diverged or missed its target; beyond the panel it lies on the edge."""

    name: str
    x: float
    y: float
    said: str


@dataclass(frozen=True)
class LinePanel:
    """One panel of lines."""

    title: str
    subtitle: str
    x_title: str
    y_title: str
    lines: Sequence[Line]
    marks: Sequence[Mark] = ()
    #: Points alone, such as what was measured beside a line that was fitted.
    points: Sequence[Line] = ()
    log_x: bool = False
    log_y: bool = False
    #: Values change at points alone.
    step: bool = False
    #: Points on the lines.
    dotted: bool = False
    #: Where the axis below has its ticks; chosen by its length where not given.
    x_ticks: Sequence[float] = ()
    #: Nothing is drawn above it: what is higher lies on the upper edge.
    cap: float = math.inf


def domains(panel: LinePanel) -> tuple[tuple[float, float], tuple[float, float]]:
    """Find the ends of both axes: of all that is finite, above zero where logarithmic, and not above the cap."""
    every = [*panel.lines, *panel.points]
    xs = [x for line in every for x in line.x] + [mark.x for mark in panel.marks]
    ys = [y for line in every for part in (line.y, line.low, line.high) for y in part]
    ys += [mark.y for mark in panel.marks]
    capped = [min(y, panel.cap) for y in ys if math.isfinite(y) or (y > 0 and math.isfinite(panel.cap))]
    lost = any(y > panel.cap or math.isinf(y) for y in ys)
    low, high = ends(capped, panel.log_y, 0.04, 0.12 if lost else 0.04)
    return ends(xs, panel.log_x, 0.02, 0.02), (low, high)


def ends(values: Sequence[float], log: bool, below: float, above: float) -> tuple[float, float]:
    """Find an axis' ends, a share of its length beyond the outermost values."""
    found = [value for value in values if math.isfinite(value) and (value > 0 or not log)]
    low, high = min(found, default=1.0), max(found, default=1.0)
    if log:
        low, high = (low / 2, high * 2) if low == high else (low, high)
        # What is zero or less lies on the lower edge, apart from the lowest that is not.
        below = max(below, 0.1) if any(value <= 0 for value in values) else below
        return low / (high / low) ** below, high * (high / low) ** above
    low, high = (low - 0.5, high + 0.5) if low == high else (low, high)
    return low - below * (high - low), high + above * (high - low)


def inset(domain: Sequence[float], log: bool, share: float) -> float:
    """Find what lies at a share of an axis' length."""
    low, high = domain
    return low * (high / low) ** share if log else low + share * (high - low)


def line_row(line: Line, names: Sequence[str], panel: LinePanel, domain: Sequence[float], look: Look) -> dict[str, Any]:
    """Bring a line to one row of lists, which the chart unfolds: a tenth of the text of a row a point."""
    kept = [place for place, x in enumerate(line.x) if x > 0 or not panel.log_x]
    found: dict[str, Any] = {"optimizer": style.clean(line.said or line.name), "shown": shown(line.name, look)}
    for name in names:
        values = getattr(line, name)
        chosen = [values[place] if name == "x" else inside(values[place], domain) for place in kept]
        found[name] = [style.plain(value) for value in chosen]
    return found


def inside(value: float, domain: Sequence[float]) -> float:
    """Bring what lies beyond an axis to its edge."""
    return value if math.isnan(value) else min(max(value, domain[0]), domain[1])


def shown(name: str, look: Look) -> str:
    """Name what a legend says of a line."""
    return style.clean(name) if name in look.names else look.others


def grey_first(found: Sequence[Any], look: Look) -> list[Any]:
    """Order what is drawn, the grey behind the coloured, the first of these on top."""
    place = {name: place for place, name in enumerate(look.names)}
    return sorted(found, key=lambda one: -place.get(one.name, len(place)))


def stacked(marks: Sequence[Mark], panel: LinePanel, domain: Sequence[float], look: Look) -> list[float]:
    """Place crosses on the edge one below the other, where several colours have theirs at one place."""
    there: dict[float, list[str]] = {}
    found = []
    for mark in marks:
        y = inside(mark.y, domain)
        if mark.y > domain[1]:
            names, name = there.setdefault(mark.x, []), shown(mark.name, look)
            names += [] if name in names else [name]
            y = inset(domain, panel.log_y, 1 - 0.05 * names.index(name))
        found.append(y)
    return found


def mark_row(mark: Mark, y: float, look: Look) -> dict[str, Any]:
    """Bring a cross to a row."""
    row = {"optimizer": style.clean(mark.name), "shown": shown(mark.name, look), "said": mark.said}
    return row | {"x": style.plain(mark.x), "y": style.plain(y)}
