"""Lines with interval bands: curves, responses, profiles. What leaves a panel is marked on its edge."""

import json
from collections.abc import Sequence
from typing import Any

import altair as alt

from optbench.present.charts import style
from optbench.present.charts.line_panel import Line, LinePanel, domains, grey_first, line_row, mark_row, stacked
from optbench.present.charts.panels import Data, Room, arrange, columns_of, layered, room
from optbench.present.charts.style import Look, Spec

#: How dense a band of an interval is.
BAND = 0.15


def lines(panels: Sequence[LinePanel], look: Look) -> Spec:
    """Draw panels of lines; the coloured names are the same in all of them."""
    columns = columns_of(len(panels), look)
    space = room(columns, look, 0.75 if columns > 1 else 0.62)
    same = len({panel.y_title for panel in panels}) == 1

    def draw(panel: LinePanel, place: int, data: Data) -> Spec:
        title = panel.y_title if place % columns == 0 or not same else None
        return _panel(panel, title, space, data, look, place)

    views = [f"lines_{place}" for place in range(len(panels))]
    return arrange(panels, draw, columns, look, **({"params": _choices(views)} if look.interactive else {}))


def _panel(panel: LinePanel, y_title: str | None, space: Room, data: Data, look: Look, place: int) -> Spec:
    x_domain, y_domain = domains(panel)
    extent = {"minExtent": look.extent, "maxExtent": look.extent}
    ticks = {"values": list(panel.x_ticks)} if panel.x_ticks else {}
    x_axis = style.value_axis(panel.x_title, panel.log_x, x_domain, space.width, **ticks)
    y_axis = style.value_axis(y_title, panel.log_y, y_domain, **extent)
    x = {"scale": style.scale(panel.log_x, x_domain), "axis": x_axis}
    y = {"scale": style.scale(panel.log_y, y_domain), "axis": y_axis}
    layers = [
        *_band(panel, data, (x, y), y_domain, look),
        _line(panel, data, (x, y), y_domain, look).properties(name=f"lines_{place}"),
        *_points(panel, data, (x, y), y_domain, look),
        *_marks(panel, data, (x, y), y_domain, look),
    ]
    title = style.title(panel.title, panel.subtitle, space.width + look.extent + 2 * look.font, look)
    # A page lets what is so named grow with its width.
    frame = alt.Chart(name=f"panel_{place}", title=title, width=space.width, height=space.height)
    return layered(frame, layers)


def _unfolded(
    found: Sequence[Line], panel: LinePanel, data: Data, domain: Sequence[float], look: Look, names: list[Any]
) -> alt.Chart:
    rows = [line_row(line, names, panel, domain, look) for line in grey_first(found, look)]
    return data.chart(rows).transform_flatten(names)


def _shown(look: Look, scale: alt.Scale, panel: LinePanel) -> dict[str, Any]:
    """Tell names apart by a scale; all such share one legend."""
    return {"shorthand": "shown:N", "scale": scale, "legend": style.legend(look, bool(panel.points))}


def _band(panel: LinePanel, data: Data, axes: Any, domain: Sequence[float], look: Look) -> list[alt.Chart]:
    found = [line for line in panel.lines if len(line.low) and line.name in look.names]
    if not found:
        return []
    area = _unfolded(found, panel, data, domain, look, ["x", "low", "high"]).mark_area(opacity=BAND, **_steps(panel))
    band = area.encode(
        x=alt.X("x:Q", **axes[0]),
        y=alt.Y("low:Q", **axes[1]),
        y2=alt.Y2("high"),
        color=alt.Color(**_shown(look, style.colour_scale(look), panel)),
        detail=alt.Detail("optimizer:N"),
        opacity=_opacity(BAND, 0.02) if look.interactive else alt.Undefined,
    )
    return [band]


def _steps(panel: LinePanel) -> dict[str, Any]:
    return {"interpolate": "step-after"} if panel.step else {}


def _line(panel: LinePanel, data: Data, axes: Any, domain: Sequence[float], look: Look) -> alt.Chart:
    base = _unfolded(panel.lines, panel, data, domain, look, ["x", "y"])
    point = {"size": 4 if look.width <= style.PAGE else 12, "opacity": 1} if panel.dotted else False
    encoded: dict[str, Any] = {
        "x": alt.X("x:Q", **axes[0]),
        "y": alt.Y("y:Q", **axes[1]),
        "color": alt.Color(**_shown(look, style.colour_scale(look), panel)),
        "strokeDash": alt.StrokeDash(**_shown(look, style.dash_scale(look), panel)),
        "strokeWidth": _width(look),
        "detail": alt.Detail("optimizer:N"),
    }
    if look.interactive:
        encoded |= {"opacity": _opacity(1.0, 0.1), "tooltip": alt.Tooltip("optimizer:N")}
    return base.mark_line(point=point, strokeJoin="round", **_steps(panel)).encode(**encoded)


def _width(look: Look) -> alt.StrokeWidthValue:
    """Draw the grey lines thin, and what is under the pointer thick."""
    grey: Any = {"test": f"datum.shown === {json.dumps(look.others)}" if look.others else "false", "value": 0.5}
    over: Any = {"test": {"param": "hover", "empty": False}, "value": 3}
    conditions = [over, grey] if look.interactive else [grey]
    return alt.StrokeWidthValue(1.8 if look.width > style.PAGE else 1.1, condition=conditions)


def _opacity(full: float, faded: float) -> alt.OpacityValue:
    """Fade all but what is under the pointer, was clicked in the legend, or has a name with one of some words in it."""
    named = "test(regexp(named, 'i'), datum.optimizer)"
    test: Any = {"and": [{"param": "hover"}, {"param": "pick"}, named]}
    return alt.OpacityValue(faded, condition=[{"test": test, "value": full}])


def _choices(views: list[str]) -> list[Any]:
    """Make what a reader chooses by: pointer, legend, and words of names that the page sets, the same in all panels."""
    point: dict[str, Any] = {"type": "point", "toggle": False}
    over = point | {"fields": ["optimizer"], "on": "pointerover", "clear": "pointerout"}
    return [
        alt.TopLevelSelectionParameter(name="hover", select=alt.PointSelectionConfig(**over), views=views),
        alt.TopLevelSelectionParameter(
            name="pick", select=alt.PointSelectionConfig(**point, fields=["shown"]), bind="legend", views=views
        ),
        alt.VariableParameter(name="named", value=""),
    ]


def _points(panel: LinePanel, data: Data, axes: Any, domain: Sequence[float], look: Look) -> list[alt.Chart]:
    if not panel.points:
        return []
    base = _unfolded(panel.points, panel, data, domain, look, ["x", "y"])
    points = base.mark_point(filled=True, opacity=1, size=2.5 * look.font).encode(
        x=alt.X("x:Q", **axes[0]),
        y=alt.Y("y:Q", **axes[1]),
        color=alt.Color(**_shown(look, style.colour_scale(look), panel)),
        shape=alt.Shape(**_shown(look, style.shape_scale(look), panel)),
        tooltip=alt.Tooltip("optimizer:N"),
    )
    return [points]


def _marks(panel: LinePanel, data: Data, axes: Any, domain: Sequence[float], look: Look) -> list[alt.Chart]:
    if not panel.marks:
        return []
    found = [mark for mark in grey_first(panel.marks, look) if mark.x > 0 or not panel.log_x]
    rows = [mark_row(mark, y, look) for mark, y in zip(found, stacked(found, panel, domain, look), strict=True)]
    crosses = data.chart(rows).mark_point(shape=style.CROSS, filled=False, strokeWidth=1, size=2 * look.font, opacity=1)
    crosses = crosses.encode(
        x=alt.X("x:Q", **axes[0]),
        y=alt.Y("y:Q", **axes[1]),
        color=alt.Color(**_shown(look, style.colour_scale(look), panel)),
        tooltip=[alt.Tooltip("optimizer:N"), alt.Tooltip("said:N")],
    )
    return [crosses]
