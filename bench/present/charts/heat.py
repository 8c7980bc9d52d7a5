"""Heat maps of two settings: a colour for each value, crosses for cells that diverged, a frame for the best."""

import math
from collections.abc import Iterable, Sequence
from dataclasses import dataclass
from typing import Any, NamedTuple

import altair as alt

from optbench.present.charts import style
from optbench.present.charts.panels import Data, arrange, layered
from optbench.present.charts.style import INK, Look, Spec


class Cell(NamedTuple):
    """One combination of two settings; an infinite value diverged."""

    x: float
    y: float
    value: float
    best: bool = False


@dataclass(frozen=True)
class HeatPanel:
    """One heat map."""

    title: str
    subtitle: str
    x_title: str
    y_title: str
    value_title: str
    cells: Sequence[Cell]
    log: bool = True


def heat(panels: Sequence[HeatPanel], look: Look) -> Spec:
    """Return the figure of heat maps one below the other, each with a scale of its own; on a page side by side."""
    columns = 1 if look.width <= style.PAGE else max(1, min(len(panels), look.width // 330))
    # Labels, the axis' title, and the scale at the right with its own.
    axes_width = look.extent + 2 * look.font + 9 * look.font
    width = (look.width - 8 - 8 * (columns - 1)) / columns - axes_width
    own_scales = alt.Resolve(scale=alt.ScaleResolveMap(color="independent"))
    draw = lambda panel, index, data: _panel(panel, width, axes_width, data, look)  # noqa: E731
    return arrange(panels, draw, columns, look, resolve=own_scales)


def _panel(panel: HeatPanel, width: float, axes_width: float, data: Data, look: Look) -> Spec:
    xs, ys = _labels(cell.x for cell in panel.cells), _labels(cell.y for cell in panel.cells)
    rows = [_row(cell, panel) | {"x": xs[cell.x], "y": ys[cell.y]} for cell in panel.cells]
    height = 2 * look.font * len(ys)
    extent: dict[str, Any] = {"minExtent": look.extent, "maxExtent": look.extent}
    axis: dict[str, Any] = {"grid": False, "labelAngle": 0, "labelOverlap": True}
    frame = data.chart(rows).encode(
        x=alt.X("x:O", sort=list(xs.values()), axis=alt.Axis(title=panel.x_title, **axis)),
        y=alt.Y("y:O", sort=list(ys.values())[::-1], axis=alt.Axis(title=panel.y_title, **axis, **extent)),
        tooltip=[alt.Tooltip("x:O"), alt.Tooltip("y:O"), alt.Tooltip("said:N")],
    )
    title = style.title(panel.title, panel.subtitle, width + axes_width, look)
    frame = frame.properties(width=round(width, 1), height=height, title=title)
    return layered(frame, _layers(_colour(panel, height, look), look))


def _layers(colour: alt.Color, look: Look) -> list[alt.Chart]:
    diverged, finite, best = (
        alt.Chart().transform_filter(test) for test in ("datum.lost", "!datum.lost", "datum.best")
    )
    return [
        diverged.mark_rect(color="#eeeeee", stroke="white", strokeWidth=0.5),
        finite.mark_rect(stroke="white", strokeWidth=0.5).encode(color=colour),
        diverged.mark_point(shape=style.CROSS, filled=False, color=INK, strokeWidth=1, size=3 * look.font, opacity=1),
        best.mark_rect(filled=False, stroke="#D55E00", strokeWidth=1.6),
    ]


def _colour(panel: HeatPanel, height: float, look: Look) -> alt.Color:
    values = [row for cell in panel.cells if (row := _row(cell, panel)["value"]) is not None]
    low, high = min(values, default=1.0), max(values, default=1.0)
    low, high = (low, high) if low < high else (low, low * 2 if panel.log else low + 1)
    ticks = style.log_ticks(low, high, 4) if panel.log else [low, high]
    legend = alt.Legend(
        title=style.wrapped(panel.value_title, 14),
        values=ticks,
        labelExpr=style.tick_labels(ticks) if panel.log else "format(datum.value, '.3~g')",
        gradientLength=max(height - 2 * look.font, 3 * look.font),
        gradientThickness=look.font,
        titleFontSize=look.font,
        titleFontWeight="normal",
        orient="right",
        offset=4,
    )
    kind: dict[str, Any] = {"type": "log"} if panel.log else {}
    # Dark is low is good.
    return alt.Color("value:Q", scale=alt.Scale(scheme="viridis", domain=[low, high], **kind), legend=legend)


def _row(cell: Cell, panel: HeatPanel) -> dict[str, Any]:
    has_diverged = not math.isfinite(cell.value)
    floor = min((other.value for other in panel.cells if other.value > 0 and math.isfinite(other.value)), default=1.0)
    value = None if has_diverged else style.plain(max(cell.value, floor) if panel.log else cell.value)
    note = "diverged" if has_diverged else f"{panel.value_title} {cell.value:.4g}"
    return {"value": value, "lost": has_diverged, "best": cell.best, "said": note}


def _labels(values: Iterable[float]) -> dict[float, str]:
    """Return the labels of settings in ascending order, with as many digits as distinguish them, but at least two."""
    ascending = sorted(set(values))
    candidates = ({value: f"{value:.{digits}g}" for value in ascending} for digits in range(2, 18))
    return next(labels for labels in candidates if len(set(labels.values())) == len(labels))
