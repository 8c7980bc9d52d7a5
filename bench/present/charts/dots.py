"""Dots with intervals, a row for each name, the best on top. A miss or a divergence is a cross on the right edge."""

import math
from collections.abc import Sequence
from dataclasses import dataclass
from typing import Any, NamedTuple

import altair as alt

from optbench.present.charts import style
from optbench.present.charts.line_panel import ends, inset
from optbench.present.charts.panels import Data, arrange, layered, paired
from optbench.present.charts.style import Look, Spec

#: Width of the names, in sizes of the font.
NAMES = 12.5
#: Points from which on a figure is a page's, with panels as wide as its lines are long.
WIDE = 600
#: Points that a page of paper has for a figure, and that a panel needs beside its rows in sizes of the font.
SHEET, AROUND = 700, 6.5
#: Height of a row in sizes of the font: at the most, and where a figure would else be higher than a sheet.
ROWS = (1.5, 1.15)
#: Room of a group's bar at the end of an axis, as a share of the rest.
GROUP = 0.05
#: Characters of a name that fit into that width.
LETTERS = 23


class Dot(NamedTuple):
    """One name's value, and its interval if it has one; an infinite value is a miss."""

    name: str
    value: float
    low: float = math.nan
    high: float = math.nan
    #: The text under the pointer beside the name.
    note: str = ""


@dataclass(frozen=True)
class DotPanel:
    """One panel of dots. A second one of the same names, `beside`, shares its rows."""

    title: str
    subtitle: str
    x_title: str
    dots: Sequence[Dot]
    log: bool = False
    beside: "DotPanel | None" = None
    #: First and last row of each group that a bar at the right joins.
    groups: Sequence[tuple[int, int]] = ()
    #: Bars from zero, in place of dots.
    bars: bool = False


def dots(panels: Sequence[DotPanel], look: Look) -> Spec:
    """Return the figure of panels of dots, one below the other; on a page side by side."""
    columns = (
        1
        if look.width <= style.PAGE
        else max(1, min(len(panels), look.width // 235 if look.width < WIDE else look.width // 330))
    )
    step = _row_height(panels, columns, look)
    full = (look.width - 8 - 8 * (columns - 1)) / columns - NAMES * look.font
    return arrange(panels, lambda panel, index, data: _beside(panel, full, step, data, look), columns, look)


def _row_height(panels: Sequence[DotPanel], columns: int, look: Look) -> float:
    """Return the height of a row, in points: less than usual where a figure in a paper would be higher than a sheet."""
    rows = [
        max(len(panel.dots) for panel in panels[first : first + columns]) for first in range(0, len(panels), columns)
    ]
    room = (SHEET - AROUND * look.font * len(rows)) / max(sum(rows), 1)
    return ROWS[0] * look.font if look.interactive else min(max(room, ROWS[1] * look.font), ROWS[0] * look.font)


def _beside(panel: DotPanel, full: float, step: float, data: Data, look: Look) -> Spec:
    frame = alt.Chart(title=style.title(panel.title, panel.subtitle, full + NAMES * look.font, look))
    if panel.beside is None:
        return _panel(panel, panel, (full - look.font, step), frame, True, data, look)
    room = (full - 2.5 * look.font) / 2
    pair = zip((panel, panel.beside), (True, False), strict=True)
    panels = [_panel(side, panel, (room, step), alt.Chart(), has_names, data, look) for side, has_names in pair]
    return paired(frame.properties(spacing=look.font), panels)


def _panel(
    panel: DotPanel,
    rows_of: DotPanel,
    size: tuple[float, float],
    frame: alt.Chart,
    has_names: bool,
    data: Data,
    look: Look,
) -> Spec:
    """Return one panel of a width and a height of each row, its rows in the order of another's."""
    width, step = size
    names = style.shorts([dot.name for dot in rows_of.dots], LETTERS)
    domain = _domain(panel)
    axis = style.value_axis(panel.x_title, panel.log, domain, width)
    x: dict[str, Any] = {"scale": style.scale(panel.log, domain), "axis": axis}
    rows_scale = alt.Scale(domain=list(names.values()))
    y = alt.Y("label:N", sort=list(names.values()), scale=rows_scale, axis=_names_axis(look) if has_names else None)
    rows = [_row(dot, names[dot.name], panel.log, domain) | {"colour": look.colour(dot.name)} for dot in panel.dots]
    base = data.chart(rows)
    # Bars lie below their intervals, dots above.
    intervals = _intervals(base, x, y)
    marks = [_bars(base, x, y, domain), intervals] if panel.bars else [intervals, _dots(base, x, y, look)]
    frame = frame.properties(width=round(width, 1), height=alt.Step(round(step, 2)))
    return layered(frame, [*_groups(panel, data, x, y), *marks, _misses(base, x, y, look)])


def _names_axis(look: Look) -> alt.Axis:
    room = NAMES * look.font - 4
    return alt.Axis(
        title=None, minExtent=room, maxExtent=room, labelLimit=room, labelOverlap=False, ticks=False, grid=True
    )


def _colour() -> alt.Color:
    """Return the colour that each row holds itself: a legend would repeat the names of the rows."""
    return alt.Color("colour:N", scale=None)


def _tips() -> list[alt.Tooltip]:
    return [alt.Tooltip("optimizer:N"), alt.Tooltip("said:N")]


def _intervals(base: alt.Chart, x: Any, y: alt.Y) -> alt.Chart:
    rule = base.transform_filter("datum.low != null").mark_rule(strokeWidth=1)
    return rule.encode(x=alt.X("low:Q", **x), x2=alt.X2("high"), y=y, color=_colour())


def _dots(base: alt.Chart, x: Any, y: alt.Y, look: Look) -> alt.Chart:
    points = base.transform_filter("!datum.missed").mark_point(filled=True, opacity=1, size=2.6 * look.font)
    return points.encode(x=alt.X("value:Q", **x), y=y, color=_colour(), tooltip=_tips())


def _misses(base: alt.Chart, x: Any, y: alt.Y, look: Look) -> alt.Chart:
    crosses = base.transform_filter("datum.missed").mark_point(
        shape=style.CROSS, filled=False, strokeWidth=1.2, size=2.2 * look.font, opacity=1
    )
    return crosses.encode(x=alt.X("value:Q", **x), y=y, color=_colour(), tooltip=_tips())


def _bars(base: alt.Chart, x: Any, y: alt.Y, domain: Sequence[float]) -> alt.Chart:
    bars = base.transform_filter("!datum.missed").mark_bar(opacity=0.6, height={"band": 0.6})
    ends = {"x": alt.X("value:Q", **x), "x2": alt.X2Datum(domain[0])}
    return bars.encode(**ends, y=y, color=_colour(), tooltip=_tips())


def _groups(panel: DotPanel, data: Data, x: Any, y: alt.Y) -> list[alt.Chart]:
    """Return the bars that join the rows of each group, side by side in the room that the axis has at its end."""
    if not panel.groups:
        return []
    labels, (low, high) = y["sort"], _domain(panel)
    room = GROUP * (high - low) / (1 + GROUP * len(panel.groups))
    rows = [
        {"group": style.plain(high - (place + 0.6) * room), "label": labels[first], "last": labels[last]}
        for place, (first, last) in enumerate(panel.groups)
    ]
    bars = data.chart(rows).mark_rule(color=style.INK, strokeWidth=2.2)
    return [bars.encode(x=alt.X("group:Q", **x), y=y, y2=alt.Y2("last"))]


def _domain(panel: DotPanel) -> tuple[float, float]:
    values = [value for dot in panel.dots for value in (dot.value, dot.low, dot.high) if math.isfinite(value)]
    values += [0.0] if panel.bars else []
    has_misses = any(math.isinf(value) for dot in panel.dots for value in (dot.value, dot.high))
    low, high = ends(values, panel.log, 0.04, 0.14 if has_misses else 0.04)
    return (0.0 if panel.bars else low), high + GROUP * len(panel.groups) * (high - low)


def _row(dot: Dot, label: str, log: bool, domain: Sequence[float]) -> dict[str, Any]:
    # Within the edges, so that dots and crosses are whole.
    low, high = inset(domain, log, 0.03), inset(domain, log, 0.95)
    inside = lambda value: style.plain(min(max(value, low if log else domain[0]), domain[1]))  # noqa: E731
    missed = math.isinf(dot.value)
    has_interval = not (missed or math.isnan(dot.low) or math.isnan(dot.high))
    row = {"optimizer": style.clean(dot.name), "label": label, "said": dot.note, "missed": missed}
    row |= {"value": style.plain(high) if missed else inside(dot.value)}
    return row | {name: inside(getattr(dot, name)) if has_interval else None for name in ("low", "high")}
