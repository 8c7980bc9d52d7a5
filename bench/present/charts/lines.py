"""Lines with interval bands: curves, responses, profiles. What leaves a panel is marked on its edge."""

import json
import math
from collections.abc import Sequence
from dataclasses import dataclass
from typing import Any, NamedTuple

import altair as alt

from bench.present.charts import style
from bench.present.charts.panels import Data, Room, arrange, columns_of, room
from bench.present.charts.style import Look

#: Ticks of a panel so narrow that more of their labels would touch.
FEW = {"tickCount": 3}


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


def lines(panels: Sequence[LinePanel], look: Look) -> Any:
    """Draw panels of lines; the coloured names are the same in all of them."""
    columns = columns_of(len(panels), look)
    space = room(columns, look, 0.75 if columns > 1 else 0.62)
    same = len({panel.y_title for panel in panels}) == 1

    def draw(panel: LinePanel, place: int, data: Data) -> Any:
        title = panel.y_title if place % columns == 0 or not same else None
        return _panel(panel, title, space, data, look, f"lines_{place}")

    figure = arrange(panels, draw, columns, look)
    if look.interactive:
        figure.params = _choices([f"lines_{place}" for place in range(len(panels))])
    return figure


def _panel(panel: LinePanel, y_title: str | None, space: Room, data: Data, look: Look, name: str) -> Any:
    x_domain, y_domain = domains(panel)
    extent = {"minExtent": look.extent, "maxExtent": look.extent}
    ticks = {"values": list(panel.x_ticks)} if panel.x_ticks else {} if space.width > 100 or panel.log_x else FEW
    x_axis = style.value_axis(panel.x_title, panel.log_x, x_domain, **ticks)
    y_axis = style.value_axis(y_title, panel.log_y, y_domain, **extent)
    x = {"scale": style.scale(panel.log_x, x_domain), "axis": x_axis}
    y = {"scale": style.scale(panel.log_y, y_domain), "axis": y_axis}
    layers = [
        _band(panel, data, (x, y), y_domain, look),
        _line(panel, data, (x, y), y_domain, look).properties(name=name),
        _points(panel, data, (x, y), y_domain, look),
        _marks(panel, data, (x, y), y_domain, look),
    ]
    title = style.title(panel.title, panel.subtitle, space.width + look.extent + 2 * look.font, look)
    return alt.layer(*(layer for layer in layers if layer is not None)).properties(
        width=space.width, height=space.height, title=title
    )


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


def _row(line: Line, names: Sequence[str], panel: LinePanel, domain: Sequence[float], look: Look) -> dict[str, Any]:
    """Bring a line to one row of lists, which the chart unfolds: a tenth of the text of a row a point."""
    kept = [place for place, x in enumerate(line.x) if x > 0 or not panel.log_x]
    row: dict[str, Any] = {"optimizer": style.clean(line.said or line.name), "shown": _shown(line.name, look)}
    for name in names:
        values = getattr(line, name)
        inside = [values[place] if name == "x" else _inside(values[place], domain) for place in kept]
        row[name] = [style.plain(value) for value in inside]
    return row


def _inside(value: float, domain: Sequence[float]) -> float:
    return value if math.isnan(value) else min(max(value, domain[0]), domain[1])


def _shown(name: str, look: Look) -> str:
    return style.clean(name) if name in look.names else look.others


def _grey_first(found: Sequence[Any], look: Look) -> list[Any]:
    """Order what is drawn, the grey behind the coloured, the first of these on top."""
    place = {name: place for place, name in enumerate(look.names)}
    return sorted(found, key=lambda one: -place.get(one.name, len(place)))


def _unfolded(
    found: Sequence[Line], panel: LinePanel, data: Data, domain: Sequence[float], look: Look, names: list[str]
) -> Any:
    rows = [_row(line, names, panel, domain, look) for line in _grey_first(found, look)]
    return data.chart(rows).transform_flatten(names)


def _band(panel: LinePanel, data: Data, axes: Any, domain: Sequence[float], look: Look) -> Any:
    found = [line for line in panel.lines if len(line.low) and line.name in look.names]
    if not found:
        return None
    mark = {"interpolate": "step-after"} if panel.step else {}
    return (
        _unfolded(found, panel, data, domain, look, ["x", "low", "high"])
        .mark_area(opacity=0.15, **mark)
        .encode(
            x=alt.X("x:Q", **axes[0]),
            y=alt.Y("low:Q", **axes[1]),
            y2="high:Q",
            color=alt.Color("shown:N", scale=style.colour_scale(look), legend=style.legend(look, bool(panel.points))),
            detail="optimizer:N",
        )
    )


def _line(panel: LinePanel, data: Data, axes: Any, domain: Sequence[float], look: Look) -> Any:
    base = _unfolded(panel.lines, panel, data, domain, look, ["x", "y"])
    mark = {"interpolate": "step-after"} if panel.step else {}
    point = {"size": 4 if look.width <= style.PAGE else 12, "opacity": 1} if panel.dotted else False
    drawn = base.mark_line(point=point, strokeJoin="round", **mark)
    encoded: dict[str, Any] = {
        "x": alt.X("x:Q", **axes[0]),
        "y": alt.Y("y:Q", **axes[1]),
        "color": alt.Color("shown:N", scale=style.colour_scale(look), legend=style.legend(look, bool(panel.points))),
        "strokeDash": alt.StrokeDash(
            "shown:N", scale=style.dash_scale(look), legend=style.legend(look, bool(panel.points))
        ),
        "strokeWidth": _width(look),
        "detail": "optimizer:N",
    }
    if look.interactive:
        encoded |= {"opacity": _opacity(), "tooltip": "optimizer:N"}
    return drawn.encode(**encoded)


def _width(look: Look) -> Any:
    """Draw the grey lines thin, and what is under the pointer thick."""
    grey: Any = {"test": f"datum.shown === {json.dumps(look.others)}" if look.others else "false", "value": 0.5}
    over: Any = {"test": {"param": "hover", "empty": False}, "value": 3}
    conditions = [over, grey] if look.interactive else [grey]
    return alt.StrokeWidthValue(1.8 if look.width > style.PAGE else 1.1, condition=conditions)


def _opacity() -> Any:
    """Fade all but what is under the pointer, was clicked in the legend, or has a name that fits."""
    named = "indexof(lower(datum.optimizer), lower(named)) >= 0"
    test: Any = {"and": [{"param": "hover"}, {"param": "pick"}, named]}
    return alt.OpacityValue(0.1, condition=[{"test": test, "value": 1.0}])


def _choices(views: list[str]) -> list[Any]:
    """Make what a reader chooses by: pointer, legend and a box for a part of a name, the same in all panels."""
    point: dict[str, Any] = {"type": "point", "toggle": False}
    over = point | {"fields": ["optimizer"], "on": "pointerover", "clear": "pointerout"}
    bind = alt.BindInput(input="text", name="Show names with ", placeholder="adam")
    return [
        alt.TopLevelSelectionParameter(name="hover", select=alt.PointSelectionConfig(**over), views=views),
        alt.TopLevelSelectionParameter(
            name="pick", select=alt.PointSelectionConfig(**point, fields=["shown"]), bind="legend", views=views
        ),
        alt.VariableParameter(name="named", value="", bind=bind),
    ]


def _points(panel: LinePanel, data: Data, axes: Any, domain: Sequence[float], look: Look) -> Any:
    if not panel.points:
        return None
    return (
        _unfolded(panel.points, panel, data, domain, look, ["x", "y"])
        .mark_point(filled=True, opacity=1, size=2.5 * look.font)
        .encode(
            x=alt.X("x:Q", **axes[0]),
            y=alt.Y("y:Q", **axes[1]),
            color=alt.Color("shown:N", scale=style.colour_scale(look), legend=style.legend(look, bool(panel.points))),
            shape=alt.Shape("shown:N", scale=style.shape_scale(look), legend=style.legend(look, bool(panel.points))),
            tooltip="optimizer:N",
        )
    )


def _marks(panel: LinePanel, data: Data, axes: Any, domain: Sequence[float], look: Look) -> Any:
    if not panel.marks:
        return None
    found = [mark for mark in _grey_first(panel.marks, look) if mark.x > 0 or not panel.log_x]
    rows = [_mark(mark, y, look) for mark, y in zip(found, _stacked(found, panel, domain, look), strict=True)]
    return (
        data.chart(rows)
        .mark_point(shape=style.CROSS, filled=False, strokeWidth=1, size=2 * look.font, opacity=1)
        .encode(
            x=alt.X("x:Q", **axes[0]),
            y=alt.Y("y:Q", **axes[1]),
            color=alt.Color("shown:N", scale=style.colour_scale(look), legend=style.legend(look, bool(panel.points))),
            tooltip=["optimizer:N", "said:N"],
        )
    )


def _stacked(marks: Sequence[Mark], panel: LinePanel, domain: Sequence[float], look: Look) -> list[float]:
    """Place crosses on the edge one below the other, where several colours have theirs at one place."""
    there: dict[float, list[str]] = {}
    found = []
    for mark in marks:
        y = _inside(mark.y, domain)
        if mark.y > domain[1]:
            names, name = there.setdefault(mark.x, []), _shown(mark.name, look)
            names += [] if name in names else [name]
            y = inset(domain, panel.log_y, 1 - 0.05 * names.index(name))
        found.append(y)
    return found


def _mark(mark: Mark, y: float, look: Look) -> dict[str, Any]:
    row = {"optimizer": style.clean(mark.name), "shown": _shown(mark.name, look), "said": mark.said}
    return row | {"x": style.plain(mark.x), "y": style.plain(y)}
