"""Lines with interval bands: curves, responses, profiles. Values beyond a panel are marked on its edge."""

import json
from collections.abc import Sequence
from typing import Any

import altair as alt

from optbench.present.charts import style
from optbench.present.charts.line_panel import Line, LinePanel, domains, grey_first, line_row, mark_row, stacked
from optbench.present.charts.panels import Data, Room, arrange, columns_of, layered, room
from optbench.present.charts.style import Look, Spec

#: Opacity of an interval's band.
BAND = 0.15


def lines(panels: Sequence[LinePanel], look: Look) -> Spec:
    """Return the figure of panels of lines; the coloured names are the same in all of them."""
    columns = columns_of(len(panels), look)
    space = room(columns, look, 0.75 if columns > 1 else 0.62)
    same = len({panel.y_title for panel in panels}) == 1

    def draw(panel: LinePanel, index: int, data: Data) -> Spec:
        title = panel.y_title if index % columns == 0 or not same else None
        return _panel(panel, title, space, data, look, index)

    views = [f"lines_{index}" for index in range(len(panels))]
    return arrange(panels, draw, columns, look, **({"params": _choices(views)} if look.interactive else {}))


def _panel(panel: LinePanel, y_title: str | None, space: Room, data: Data, look: Look, index: int) -> Spec:
    x_domain, y_domain = domains(panel)
    extent = {"minExtent": look.extent, "maxExtent": look.extent}
    ticks = {"values": list(panel.x_ticks)} if panel.x_ticks else {}
    x_axis = style.value_axis(panel.x_title, panel.log_x, x_domain, space.width, **ticks)
    y_axis = style.value_axis(y_title, panel.log_y, y_domain, **extent)
    x = {"scale": style.scale(panel.log_x, x_domain), "axis": x_axis}
    y = {"scale": style.scale(panel.log_y, y_domain), "axis": y_axis}
    layers = [
        *_band(panel, data, (x, y), y_domain, look),
        _line(panel, data, (x, y), y_domain, look).properties(name=f"lines_{index}"),
        *_points(panel, data, (x, y), y_domain, look),
        *_marks(panel, data, (x, y), y_domain, look),
    ]
    title = style.title(panel.title, panel.subtitle, space.width + look.extent + 2 * look.font, look)
    # A page lets charts of this name grow with its width.
    frame = alt.Chart(name=f"panel_{index}", title=title, width=space.width, height=space.height)
    return layered(frame, layers)


def _unfolded(
    items: Sequence[Line], panel: LinePanel, data: Data, domain: Sequence[float], look: Look, names: list[Any]
) -> alt.Chart:
    rows = [line_row(line, names, panel, domain, look) for line in grey_first(items, look)]
    return data.chart(rows).transform_flatten(names)


def _name_channel(look: Look, scale: alt.Scale, panel: LinePanel) -> dict[str, Any]:
    """Return the channel that shows names by a scale; all such channels share one legend."""
    return {"shorthand": "shown:N", "scale": scale, "legend": style.legend(look, bool(panel.points))}


def _band(panel: LinePanel, data: Data, axes: Any, domain: Sequence[float], look: Look) -> list[alt.Chart]:
    coloured = [line for line in panel.lines if len(line.low) and line.name in look.names]
    if not coloured:
        return []
    area = _unfolded(coloured, panel, data, domain, look, ["x", "low", "high"]).mark_area(opacity=BAND, **_steps(panel))
    band = area.encode(
        x=alt.X("x:Q", **axes[0]),
        y=alt.Y("low:Q", **axes[1]),
        y2=alt.Y2("high"),
        color=alt.Color(**_name_channel(look, style.colour_scale(look), panel)),
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
        "color": alt.Color(**_name_channel(look, style.colour_scale(look), panel)),
        "strokeDash": alt.StrokeDash(**_name_channel(look, style.dash_scale(look), panel)),
        "strokeWidth": _width(look),
        "detail": alt.Detail("optimizer:N"),
    }
    if look.interactive:
        encoded |= {"opacity": _opacity(1.0, 0.1), "tooltip": alt.Tooltip("optimizer:N")}
    return base.mark_line(point=point, strokeJoin="round", **_steps(panel)).encode(**encoded)


def _width(look: Look) -> alt.StrokeWidthValue:
    """Return the widths: thin for grey lines, thick for a user's own and the line under the pointer."""
    usual = 1.8 if look.width > style.PAGE else 1.1
    own = [style.clean(name) for name, one in zip(look.names, look.styles, strict=True) if one.thick]
    over: Any = {"test": {"param": "hover", "empty": False}, "value": 3}
    thick: Any = {"test": f"indexof({json.dumps(own)}, datum.shown) >= 0", "value": 1.7 * usual}
    grey: Any = {"test": f"datum.shown === {json.dumps(look.others)}" if look.others else "false", "value": 0.5}
    conditions = [*([over] if look.interactive else []), *([thick] if own else []), grey]
    return alt.StrokeWidthValue(usual, condition=conditions)


def _opacity(full: float, faded: float) -> alt.OpacityValue:
    """Return the opacity: full under the pointer, if picked in the page's legend, or if words match; else faded."""
    matches_words = "test(regexp(named, 'i'), datum.optimizer)"
    test: Any = {"and": [{"param": "hover"}, "picked === '' || datum.shown === picked", matches_words]}
    return alt.OpacityValue(faded, condition=[{"test": test, "value": full}])


def _choices(views: list[str]) -> list[Any]:
    """Return a reader's selections, the same in all panels: the pointer, and the name and words that the page sets."""
    over: dict[str, Any] = {"type": "point", "toggle": False, "fields": ["optimizer"]}
    over |= {"on": "pointerover", "clear": "pointerout"}
    return [
        alt.TopLevelSelectionParameter(name="hover", select=alt.PointSelectionConfig(**over), views=views),
        alt.VariableParameter(name="picked", value=""),
        alt.VariableParameter(name="named", value=""),
    ]


def _points(panel: LinePanel, data: Data, axes: Any, domain: Sequence[float], look: Look) -> list[alt.Chart]:
    if not panel.points:
        return []
    base = _unfolded(panel.points, panel, data, domain, look, ["x", "y"])
    points = base.mark_point(filled=True, opacity=1, size=2.5 * look.font).encode(
        x=alt.X("x:Q", **axes[0]),
        y=alt.Y("y:Q", **axes[1]),
        color=alt.Color(**_name_channel(look, style.colour_scale(look), panel)),
        shape=alt.Shape(**_name_channel(look, style.shape_scale(look), panel)),
        tooltip=alt.Tooltip("optimizer:N"),
    )
    return [points]


def _marks(panel: LinePanel, data: Data, axes: Any, domain: Sequence[float], look: Look) -> list[alt.Chart]:
    if not panel.marks:
        return []
    marks = [mark for mark in grey_first(panel.marks, look) if mark.x > 0 or not panel.log_x]
    rows = [mark_row(mark, y, look) for mark, y in zip(marks, stacked(marks, panel, domain, look), strict=True)]
    crosses = data.chart(rows).mark_point(shape=style.CROSS, filled=False, strokeWidth=1, size=2 * look.font, opacity=1)
    crosses = crosses.encode(
        x=alt.X("x:Q", **axes[0]),
        y=alt.Y("y:Q", **axes[1]),
        color=alt.Color(**_name_channel(look, style.colour_scale(look), panel)),
        tooltip=[alt.Tooltip("optimizer:N"), alt.Tooltip("said:N")],
    )
    return [crosses]
