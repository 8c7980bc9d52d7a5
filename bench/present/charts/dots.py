"""Dots with intervals, a row for each name, the best on top. What missed or diverged is a cross on the right edge."""

import math
from collections.abc import Sequence
from dataclasses import dataclass
from typing import Any, NamedTuple

from bench.present.charts import style
from bench.present.charts.line_panel import ends, inset
from bench.present.charts.panels import Data, arrange
from bench.present.charts.style import COLOURS, Look, Spec, field

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


def dots(panels: Sequence[DotPanel], look: Look) -> Spec:
    """Draw panels of dots, one below the other; on a page side by side."""
    columns = 1 if look.width <= style.PAGE else max(1, min(len(panels), look.width // 330))
    full = (look.width - 8 - 8 * (columns - 1)) / columns - NAMES * look.font
    return arrange(panels, lambda panel, place, data: _beside(panel, full, data, look), columns, look)


def _beside(panel: DotPanel, full: float, data: Data, look: Look) -> Spec:
    title = style.title(panel.title, panel.subtitle, full + NAMES * look.font, look)
    if panel.beside is None:
        return _panel(panel, panel, full - look.font, True, data, look) | {"title": title}
    room = (full - 2.5 * look.font) / 2
    pair = _panel(panel, panel, room, True, data, look), _panel(panel.beside, panel, room, False, data, look)
    return {"hconcat": [*pair], "spacing": look.font, "resolve": {"scale": {"y": "shared"}}, "title": title}


def _panel(panel: DotPanel, rows_of: DotPanel, width: float, named: bool, data: Data, look: Look) -> Spec:
    """Draw one panel, its rows in the order of another's."""
    names = style.shorts([dot.name for dot in rows_of.dots], LETTERS)
    domain = _domain(panel)
    axis = style.value_axis(panel.x_title, panel.log, domain, width)
    x = {"scale": style.scale(panel.log, domain), "axis": axis}
    y = field("label", "nominal", sort=list(names.values()), axis=_names_axis(look) if named else None)
    rows = data.add([_row(dot, names[dot.name], panel.log, domain) for dot in panel.dots])
    # Bars lie below their intervals, dots above.
    drawn = [_bars(x, y, domain), _intervals(x, y)] if panel.bars else [_intervals(x, y), _found(x, y, look)]
    layers = [*_shade(panel, data, x), *({"data": rows, **layer} for layer in (*drawn, _missed(x, y, look)))]
    return {"layer": layers, "width": round(width, 1), "height": {"step": 1.5 * look.font}}


def _names_axis(look: Look) -> Spec:
    room = NAMES * look.font - 4
    return {"title": None, "minExtent": room, "maxExtent": room, "labelLimit": room, "ticks": False, "grid": True}


def _tips() -> list[Spec]:
    return [field("optimizer", "nominal"), field("said", "nominal")]


def _intervals(x: Spec, y: Spec) -> Spec:
    return {
        "transform": [{"filter": "datum.low != null"}],
        "mark": {"type": "rule", "color": COLOURS[0], "strokeWidth": 1},
        "encoding": {"x": field("low", **x), "x2": {"field": "high"}, "y": y},
    }


def _found(x: Spec, y: Spec, look: Look) -> Spec:
    return {
        "transform": [{"filter": "!datum.missed"}],
        "mark": {"type": "point", "filled": True, "opacity": 1, "size": 2.6 * look.font},
        "encoding": {"x": field("value", **x), "y": y, "color": {"value": COLOURS[0]}, "tooltip": _tips()},
    }


def _missed(x: Spec, y: Spec, look: Look) -> Spec:
    mark = {"type": "point", "shape": style.CROSS, "filled": False, "strokeWidth": 1.2, "size": 2.2 * look.font}
    return {
        "transform": [{"filter": "datum.missed"}],
        "mark": mark | {"opacity": 1},
        "encoding": {"x": field("value", **x), "y": y, "color": {"value": COLOURS[1]}, "tooltip": _tips()},
    }


def _bars(x: Spec, y: Spec, domain: Sequence[float]) -> Spec:
    return {
        "transform": [{"filter": "!datum.missed"}],
        "mark": {"type": "bar", "color": COLOURS[5], "height": {"band": 0.6}},
        "encoding": {"x": field("value", **x), "x2": {"datum": domain[0]}, "y": y, "tooltip": _tips()},
    }


def _shade(panel: DotPanel, data: Data, x: Spec) -> list[Spec]:
    if panel.shaded is None:
        return []
    rows: list[dict[str, Any]] = [dict(zip(("from", "to"), panel.shaded, strict=True))]
    mark = {"type": "rect", "color": "#dddddd", "opacity": 0.7}
    return [{"data": data.add(rows), "mark": mark, "encoding": {"x": field("from", **x), "x2": {"field": "to"}}}]


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
