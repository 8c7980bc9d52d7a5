"""Dots with intervals, a row for each name, the best on top. What missed or diverged is a cross on the right edge."""

import math
from collections.abc import Sequence
from dataclasses import dataclass
from typing import Any, NamedTuple

import altair as alt

from bench.present.charts import style
from bench.present.charts.line_panel import ends, inset
from bench.present.charts.panels import Data, arrange
from bench.present.charts.style import COLOURS, Look

#: Room for names, in sizes of the font.
NAMES = 12.5
#: Characters of a name that such room takes.
LETTERS = 23


class Dot(NamedTuple):
    """One name's value, and its interval where there is one; an infinite value is a miss."""

    name: str
    value: float
    low: float = math.nan
    high: float = math.nan
    #: What is said under the pointer beside it.
    said: str = ""


@dataclass(frozen=True)
class DotPanel:
    """One panel of dots. A second one of the same names, `beside`, shares its rows."""

    title: str
    subtitle: str
    x_title: str
    dots: Sequence[Dot]
    log: bool = False
    #: A range that is shaded, such as what can't be told from the first.
    shaded: tuple[float, float] | None = None
    beside: "DotPanel | None" = None
    #: Bars from zero, in place of dots.
    bars: bool = False


def dots(panels: Sequence[DotPanel], look: Look) -> Any:
    """Draw panels of dots, one below the other; on a page side by side."""
    columns = 1 if look.width <= style.PAGE else max(1, min(len(panels), look.width // 330))
    full = (look.width - 8 - 8 * (columns - 1)) / columns - NAMES * look.font
    return arrange(panels, lambda panel, place, data: _beside(panel, full, data, look), columns, look)


def _beside(panel: DotPanel, full: float, data: Data, look: Look) -> Any:
    title = style.title(panel.title, panel.subtitle, full + NAMES * look.font, look)
    if panel.beside is None:
        return _panel(panel, panel, full - look.font, True, data, look).properties(title=title)
    room = (full - 2.5 * look.font) / 2
    pair = _panel(panel, panel, room, True, data, look), _panel(panel.beside, panel, room, False, data, look)
    return alt.hconcat(*pair, spacing=look.font).resolve_scale(y="shared").properties(title=title)


def _panel(panel: DotPanel, rows_of: DotPanel, width: float, named: bool, data: Data, look: Look) -> Any:
    """Draw one panel, its rows in the order of another's."""
    names = style.shorts([dot.name for dot in rows_of.dots], LETTERS)
    domain = _domain(panel)
    x: dict[str, Any] = {
        "scale": style.scale(panel.log, domain),
        "axis": style.value_axis(panel.x_title, panel.log, domain, width),
    }
    room = NAMES * look.font - 4
    axis = alt.Axis(title=None, minExtent=room, maxExtent=room, labelLimit=room, ticks=False, grid=True)
    y = alt.Y("label:N", sort=list(names.values()), axis=axis if named else None)
    rows = [_row(dot, names[dot.name], panel.log, domain) for dot in panel.dots]
    base = data.chart(rows)
    tip = ["optimizer:N", "said:N"]
    layers = [*_shade(panel, data, x)]
    if panel.bars:
        layers.append(_bars(base, x, y, domain, tip))
    layers.append(
        base.transform_filter("datum.low != null")
        .mark_rule(color=COLOURS[0], strokeWidth=1)
        .encode(x=alt.X("low:Q", **x), x2="high:Q", y=y)
    )
    if not panel.bars:
        found = base.transform_filter("!datum.missed").mark_point(filled=True, opacity=1, size=2.6 * look.font)
        layers.append(found.encode(x=alt.X("value:Q", **x), y=y, color=alt.value(COLOURS[0]), tooltip=tip))
    missed = base.transform_filter("datum.missed").mark_point(
        shape=style.CROSS, filled=False, strokeWidth=1.2, size=2.2 * look.font, opacity=1
    )
    layers.append(missed.encode(x=alt.X("value:Q", **x), y=y, color=alt.value(COLOURS[1]), tooltip=tip))
    return alt.layer(*layers).properties(width=round(width, 1), height=alt.Step(1.5 * look.font))


def _bars(base: Any, x: Any, y: Any, domain: Sequence[float], tip: Any) -> Any:
    bars = base.transform_filter("!datum.missed").mark_bar(color=COLOURS[5], height={"band": 0.6})
    return bars.encode(x=alt.X("value:Q", **x), x2=alt.X2Datum(domain[0]), y=y, tooltip=tip)


def _shade(panel: DotPanel, data: Data, x: Any) -> list[Any]:
    if panel.shaded is None:
        return []
    rows: list[dict[str, Any]] = [dict(zip(("from", "to"), panel.shaded, strict=True))]
    mark = data.chart(rows).mark_rect(color="#dddddd", opacity=0.7)
    return [mark.encode(x=alt.X("from:Q", **x), x2="to:Q")]


def _domain(panel: DotPanel) -> tuple[float, float]:
    values = [value for dot in panel.dots for value in (dot.value, dot.low, dot.high) if math.isfinite(value)]
    values += [0.0] if panel.bars else []
    values += panel.shaded or ()
    beyond = any(math.isinf(value) for dot in panel.dots for value in (dot.value, dot.high))
    low, high = ends(values, panel.log, 0.04, 0.14 if beyond else 0.04)
    return (0.0, high) if panel.bars else (low, high)


def _row(dot: Dot, label: str, log: bool, domain: Sequence[float]) -> dict[str, Any]:
    # Within the edges, so that dots and crosses are whole.
    low, high = inset(domain, log, 0.03), inset(domain, log, 0.95)
    inside = lambda value: style.plain(min(max(value, low if log else domain[0]), domain[1]))  # noqa: E731
    missed = math.isinf(dot.value)
    known = not (missed or math.isnan(dot.low) or math.isnan(dot.high))
    row = {"optimizer": style.clean(dot.name), "label": label, "said": dot.said, "missed": missed}
    row |= {"value": style.plain(high) if missed else inside(dot.value)}
    return row | {name: inside(getattr(dot, name)) if known else None for name in ("low", "high")}
