"""Lines with interval bands: curves, responses, profiles. What leaves a panel is marked on its edge."""

import json
from collections.abc import Sequence
from typing import Any

import altair as alt

from bench.present.charts import style
from bench.present.charts.line_panel import Line, LinePanel, domains, grey_first, line_row, mark_row, stacked
from bench.present.charts.panels import Data, Room, arrange, columns_of, room
from bench.present.charts.style import Look

#: How dense a band of an interval is.
BAND = 0.15


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
    ticks = {"values": list(panel.x_ticks)} if panel.x_ticks else {}
    x_axis = style.value_axis(panel.x_title, panel.log_x, x_domain, space.width, **ticks)
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


def _unfolded(
    found: Sequence[Line], panel: LinePanel, data: Data, domain: Sequence[float], look: Look, names: list[Any]
) -> Any:
    rows = [line_row(line, names, panel, domain, look) for line in grey_first(found, look)]
    return data.chart(rows).transform_flatten(names)


def _band(panel: LinePanel, data: Data, axes: Any, domain: Sequence[float], look: Look) -> Any:
    found = [line for line in panel.lines if len(line.low) and line.name in look.names]
    if not found:
        return None
    mark = {"interpolate": "step-after"} if panel.step else {}
    return (
        _unfolded(found, panel, data, domain, look, ["x", "low", "high"])
        .mark_area(opacity=BAND, **mark)
        .encode(
            x=alt.X("x:Q", **axes[0]),
            y=alt.Y("low:Q", **axes[1]),
            y2="high:Q",
            color=alt.Color("shown:N", scale=style.colour_scale(look), legend=style.legend(look, bool(panel.points))),
            detail="optimizer:N",
            **({"opacity": _opacity(BAND, 0.02)} if look.interactive else {}),
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
        encoded |= {"opacity": _opacity(1.0, 0.1), "tooltip": "optimizer:N"}
    return drawn.encode(**encoded)


def _width(look: Look) -> Any:
    """Draw the grey lines thin, and what is under the pointer thick."""
    grey: Any = {"test": f"datum.shown === {json.dumps(look.others)}" if look.others else "false", "value": 0.5}
    over: Any = {"test": {"param": "hover", "empty": False}, "value": 3}
    conditions = [over, grey] if look.interactive else [grey]
    return alt.StrokeWidthValue(1.8 if look.width > style.PAGE else 1.1, condition=conditions)


def _opacity(full: float, faded: float) -> Any:
    """Fade all but what is under the pointer, was clicked in the legend, or has a name that fits."""
    named = "indexof(lower(datum.optimizer), lower(named)) >= 0"
    test: Any = {"and": [{"param": "hover"}, {"param": "pick"}, named]}
    return alt.OpacityValue(faded, condition=[{"test": test, "value": full}])


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
    found = [mark for mark in grey_first(panel.marks, look) if mark.x > 0 or not panel.log_x]
    rows = [mark_row(mark, y, look) for mark, y in zip(found, stacked(found, panel, domain, look), strict=True)]
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
