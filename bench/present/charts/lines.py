"""Lines with interval bands: curves, responses, profiles. What leaves a panel is marked on its edge."""

import json
from collections.abc import Sequence
from typing import Any

from bench.present.charts import style
from bench.present.charts.line_panel import Line, LinePanel, domains, grey_first, line_row, mark_row, stacked
from bench.present.charts.panels import Data, Room, arrange, columns_of, room
from bench.present.charts.style import Look, Spec, field

#: How dense a band of an interval is.
BAND = 0.15


def lines(panels: Sequence[LinePanel], look: Look) -> Spec:
    """Draw panels of lines; the coloured names are the same in all of them."""
    columns = columns_of(len(panels), look)
    space = room(columns, look, 0.75 if columns > 1 else 0.62)
    same = len({panel.y_title for panel in panels}) == 1

    def draw(panel: LinePanel, place: int, data: Data) -> Spec:
        title = panel.y_title if place % columns == 0 or not same else None
        return _panel(panel, title, space, data, look, f"lines_{place}")

    views = [f"lines_{place}" for place in range(len(panels))]
    return arrange(panels, draw, columns, look, **({"params": _choices(views)} if look.interactive else {}))


def _panel(panel: LinePanel, y_title: str | None, space: Room, data: Data, look: Look, name: str) -> Spec:
    x_domain, y_domain = domains(panel)
    extent = {"minExtent": look.extent, "maxExtent": look.extent}
    ticks = {"values": list(panel.x_ticks)} if panel.x_ticks else {}
    x_axis = style.value_axis(panel.x_title, panel.log_x, x_domain, space.width, **ticks)
    y_axis = style.value_axis(y_title, panel.log_y, y_domain, **extent)
    x = {"scale": style.scale(panel.log_x, x_domain), "axis": x_axis}
    y = {"scale": style.scale(panel.log_y, y_domain), "axis": y_axis}
    layers = [
        *_band(panel, data, (x, y), y_domain, look),
        {"name": name, **_line(panel, data, (x, y), y_domain, look)},
        *_points(panel, data, (x, y), y_domain, look),
        *_marks(panel, data, (x, y), y_domain, look),
    ]
    title = style.title(panel.title, panel.subtitle, space.width + look.extent + 2 * look.font, look)
    return {"layer": layers, "title": title, "width": space.width, "height": space.height}


def _unfolded(
    found: Sequence[Line], panel: LinePanel, data: Data, domain: Sequence[float], look: Look, names: list[str]
) -> Spec:
    rows = [line_row(line, names, panel, domain, look) for line in grey_first(found, look)]
    return {"data": data.add(rows), "transform": [{"flatten": names}]}


def _shown(look: Look, scale: Spec, panel: LinePanel) -> Spec:
    """Tell names apart by a scale; all such share one legend."""
    return field("shown", "nominal", scale=scale, legend=style.legend(look, bool(panel.points)))


def _band(panel: LinePanel, data: Data, axes: Any, domain: Sequence[float], look: Look) -> list[Spec]:
    found = [line for line in panel.lines if len(line.low) and line.name in look.names]
    if not found:
        return []
    encoding = {
        "x": field("x", **axes[0]),
        "y": field("low", **axes[1]),
        "y2": {"field": "high"},
        "color": _shown(look, style.colour_scale(look), panel),
        "detail": field("optimizer", "nominal"),
    }
    encoding |= {"opacity": _opacity(BAND, 0.02)} if look.interactive else {}
    mark = {"type": "area", "opacity": BAND, **_steps(panel)}
    unfolded = _unfolded(found, panel, data, domain, look, ["x", "low", "high"])
    return [{**unfolded, "mark": mark, "encoding": encoding}]


def _steps(panel: LinePanel) -> Spec:
    return {"interpolate": "step-after"} if panel.step else {}


def _line(panel: LinePanel, data: Data, axes: Any, domain: Sequence[float], look: Look) -> Spec:
    point = {"size": 4 if look.width <= style.PAGE else 12, "opacity": 1} if panel.dotted else False
    encoding = {
        "x": field("x", **axes[0]),
        "y": field("y", **axes[1]),
        "color": _shown(look, style.colour_scale(look), panel),
        "strokeDash": _shown(look, style.dash_scale(look), panel),
        "strokeWidth": _width(look),
        "detail": field("optimizer", "nominal"),
    }
    if look.interactive:
        encoding |= {"opacity": _opacity(1.0, 0.1), "tooltip": field("optimizer", "nominal")}
    mark = {"type": "line", "point": point, "strokeJoin": "round", **_steps(panel)}
    return {**_unfolded(panel.lines, panel, data, domain, look, ["x", "y"]), "mark": mark, "encoding": encoding}


def _width(look: Look) -> Spec:
    """Draw the grey lines thin, and what is under the pointer thick."""
    grey = {"test": f"datum.shown === {json.dumps(look.others)}" if look.others else "false", "value": 0.5}
    over = {"test": {"param": "hover", "empty": False}, "value": 3}
    conditions = [over, grey] if look.interactive else [grey]
    return {"condition": conditions, "value": 1.8 if look.width > style.PAGE else 1.1}


def _opacity(full: float, faded: float) -> Spec:
    """Fade all but what is under the pointer, was clicked in the legend, or has a name with one of some words in it."""
    named = "test(regexp(named, 'i'), datum.optimizer)"
    test = {"and": [{"param": "hover"}, {"param": "pick"}, named]}
    return {"condition": [{"test": test, "value": full}], "value": faded}


def _choices(views: list[str]) -> list[Spec]:
    """Make what a reader chooses by: pointer, legend, and words of names that the page sets, the same in all panels."""
    point = {"type": "point", "toggle": False}
    over = point | {"fields": ["optimizer"], "on": "pointerover", "clear": "pointerout"}
    return [
        {"name": "hover", "select": over, "views": views},
        {"name": "pick", "select": point | {"fields": ["shown"]}, "bind": "legend", "views": views},
        {"name": "named", "value": ""},
    ]


def _points(panel: LinePanel, data: Data, axes: Any, domain: Sequence[float], look: Look) -> list[Spec]:
    if not panel.points:
        return []
    encoding = {
        "x": field("x", **axes[0]),
        "y": field("y", **axes[1]),
        "color": _shown(look, style.colour_scale(look), panel),
        "shape": _shown(look, style.shape_scale(look), panel),
        "tooltip": field("optimizer", "nominal"),
    }
    mark = {"type": "point", "filled": True, "opacity": 1, "size": 2.5 * look.font}
    unfolded = _unfolded(panel.points, panel, data, domain, look, ["x", "y"])
    return [{**unfolded, "mark": mark, "encoding": encoding}]


def _marks(panel: LinePanel, data: Data, axes: Any, domain: Sequence[float], look: Look) -> list[Spec]:
    if not panel.marks:
        return []
    found = [mark for mark in grey_first(panel.marks, look) if mark.x > 0 or not panel.log_x]
    rows = [mark_row(mark, y, look) for mark, y in zip(found, stacked(found, panel, domain, look), strict=True)]
    encoding = {
        "x": field("x", **axes[0]),
        "y": field("y", **axes[1]),
        "color": _shown(look, style.colour_scale(look), panel),
        "tooltip": [field("optimizer", "nominal"), field("said", "nominal")],
    }
    mark = {"type": "point", "shape": style.CROSS, "filled": False, "strokeWidth": 1, "size": 2 * look.font}
    return [{"data": data.add(rows), "mark": mark | {"opacity": 1}, "encoding": encoding}]
