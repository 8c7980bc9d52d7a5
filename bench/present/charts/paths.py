"""Ways over the level lines of a plane."""

import json
from collections.abc import Sequence
from dataclasses import dataclass
from typing import Any

import altair as alt

from optbench.present.charts import style
from optbench.present.charts.contours import LevelLine
from optbench.present.charts.line_panel import Line, grey_first, legend_name
from optbench.present.charts.panels import Data, arrange, layered
from optbench.present.charts.style import INK, Look, Spec

#: Marks of a start and of a minimum.
SHAPES = {"start": "circle", "minimum": style.STAR}


@dataclass(frozen=True)
class PathPanel:
    """Ways, level lines and marks (name, x, y) within a box."""

    title: str
    ways: Sequence[Line]
    levels: Sequence[LevelLine]
    marks: Sequence[tuple[str, float, float]]
    x: tuple[float, float]
    y: tuple[float, float]


def paths(panel: PathPanel, look: Look) -> Spec:
    """Return the figure of a panel of ways, with equal units on both axes."""
    return arrange([panel], lambda panel, index, data: _panel(panel, data, look), 1, look)


def _panel(panel: PathPanel, data: Data, look: Look) -> Spec:
    width = look.width - 8 - look.extent - 3 * look.font
    height = width * (panel.y[1] - panel.y[0]) / (panel.x[1] - panel.x[0])
    scales = [alt.Scale(domain=list(ends), nice=False, zero=False) for ends in (panel.x, panel.y)]
    grid: dict[str, Any] = {"grid": False, "tickCount": 5}
    x = alt.X("x:Q", scale=scales[0], axis=alt.Axis(title="first parameter", **grid))
    extent: dict[str, Any] = {"minExtent": look.extent, "maxExtent": look.extent}
    y = alt.Y("y:Q", scale=scales[1], axis=alt.Axis(title="second parameter", **grid, **extent))
    layers = [_levels(panel, data, x, y), *_ways(panel, data, x, y, look), *_marks(panel, data, x, y, look)]
    title = style.title(panel.title, "", look.width, look)
    return layered(alt.Chart(title=title, width=round(width, 1), height=round(height, 1)), layers)


def _steps(x: Sequence[float], y: Sequence[float]) -> dict[str, Any]:
    """Return the points of a line, numbered: a chart would else join them from left to right."""
    return {"step": [*range(len(x))], "x": [*map(style.plain, x)], "y": [*map(style.plain, y)]}


def _levels(panel: PathPanel, data: Data, x: alt.X, y: alt.Y) -> alt.Chart:
    rows = [{"line": index, "level": line.level} | _steps(line.x, line.y) for index, line in enumerate(panel.levels)]
    last = max((line.level for line in panel.levels), default=1)
    # Dark is low.
    shade = alt.Scale(domain=[0, max(last, 1)], range=["#8a97a6", "#e2e6ea"])
    lines = data.chart(rows).transform_flatten(["step", "x", "y"]).mark_line(strokeWidth=0.7, clip=True)
    return lines.encode(
        x=x,
        y=y,
        detail=alt.Detail("line:N"),
        order=alt.Order("step:Q"),
        color=alt.Color("level:Q", scale=shade, legend=None),
    )


def _ways(panel: PathPanel, data: Data, x: alt.X, y: alt.Y, look: Look) -> list[alt.Chart]:
    rows = [
        {"optimizer": style.clean(way.name), "shown": legend_name(way.name, look)} | _steps(way.x, way.y)
        for way in grey_first(panel.ways, look)
    ]
    base = data.chart(rows).transform_flatten(["step", "x", "y"])
    colour = alt.Color("shown:N", scale=style.colour_scale(look), legend=style.legend(look))
    own = [style.clean(name) for name, one in zip(look.names, look.styles, strict=True) if one.thick]
    thick: Any = {"test": f"indexof({json.dumps(own)}, datum.shown) >= 0", "value": 1.9}
    width = alt.StrokeWidthValue(1.1, condition=thick)
    line = base.mark_line(clip=True, strokeJoin="round", opacity=0.9).encode(
        x=x, y=y, color=colour, strokeWidth=width, detail=alt.Detail("optimizer:N"), order=alt.Order("step:Q")
    )
    dots = base.mark_point(filled=True, clip=True, size=0.6 * look.font, opacity=1).encode(
        x=x, y=y, color=alt.Color("shown:N", scale=style.colour_scale(look), legend=None)
    )
    return [line, dots]


def _marks(panel: PathPanel, data: Data, x: alt.X, y: alt.Y, look: Look) -> list[alt.Chart]:
    layers = []
    for name, shape in SHAPES.items():
        places = [at for mark, *at in panel.marks if mark == name]
        if places:
            rows = [{"mark": name, "x": style.plain(at[0]), "y": style.plain(at[1])} for at in places]
            base = data.chart(rows).encode(x=x, y=y, text=alt.Text("mark:N"))
            fill = "white" if name == "start" else INK
            line: dict[str, Any] = {"stroke": INK, "strokeWidth": 1, "fill": fill, "opacity": 1}
            # Towards the middle, so that it is whole.
            side = -1 if places[0][0] > sum(panel.x) / 2 else 1
            beside: dict[str, Any] = {"dx": 0.8 * side * look.font, "align": "left" if side > 0 else "right"}
            text: dict[str, Any] = {"baseline": "middle", "fontSize": look.font, "clip": True, **beside}
            layers += [
                base.mark_point(shape=shape, size=5 * look.font, clip=True, **line),
                base.mark_text(stroke="white", strokeWidth=2.5, opacity=0.85, **text),
                base.mark_text(color=INK, **text),
            ]
    return layers
