"""A forest plot: a row for each problem, its value with an interval, and a mark for its verdict; the summary last."""

import math
from collections.abc import Sequence
from dataclasses import dataclass
from typing import Any, NamedTuple

import altair as alt

from optbench.present.charts import style
from optbench.present.charts.line_panel import ends
from optbench.present.charts.panels import Data, arrange, layered
from optbench.present.charts.style import COLOURS, INK, Look, Spec

#: Verdict -> its shape, fill and outline; hollow is what nothing is known of.
VERDICTS = {
    "better": ("circle", COLOURS[0], COLOURS[0]),
    "equal": ("square", "#777777", "#777777"),
    "undecided": ("circle", "#ffffff", "#777777"),
    "worse": ("triangle-down", COLOURS[-1], COLOURS[-1]),
}
#: The label of the last row.
SUMMARY = "typical problem"
#: A linear axis up to this ratio of its ends.
NARROW = 4
#: Share of the width that names have at the most, and the width of a letter in sizes of the font.
NAMES, LETTER = 0.42, 0.55
#: Marks of an interval's end beyond the axis.
LEFT, RIGHT = "M0.5,-1L-0.7,0L0.5,1", "M-0.5,-1L0.7,0L-0.5,1"


class Row(NamedTuple):
    """One problem's ratio to the reference with its interval, and its verdict."""

    label: str
    value: float
    low: float
    high: float
    verdict: str


@dataclass(frozen=True)
class ForestPanel:
    """One pair on all its problems."""

    title: str
    subtitle: str
    x_title: str
    rows: Sequence[Row]
    #: The typical problem, whose verdict is "".
    summary: Row | None
    #: Ratios that count as none.
    band: tuple[float, float]


def forest(panels: Sequence[ForestPanel], look: Look) -> Spec:
    """Return the figure of pairs, one below the other; where it is wide, side by side. Raises ValueError for none."""
    columns = 1 if look.width <= style.PAGE else max(1, min(len(panels), look.width // 330))
    full = (look.width - 8 - 8 * (columns - 1)) / columns
    longest = max((len(row.label) for panel in panels for row in panel.rows), default=0)
    letters = min(max(longest, len(SUMMARY)), int(NAMES * full / (LETTER * look.font)))
    shared = sorted({row.verdict for panel in panels for row in panel.rows}, key=list(VERDICTS).index)
    return arrange(panels, lambda panel, index, data: _panel(panel, full, letters, shared, data, look), columns, look)


def _panel(panel: ForestPanel, full: float, letters: int, verdicts: Sequence[str], data: Data, look: Look) -> Spec:
    room = letters * LETTER * look.font + 4
    width = full - room - 2 * look.font
    every = [*panel.rows, *([panel.summary] if panel.summary else [])]
    names = style.shorts([row.label for row in every], letters)
    log, domain = _axis(every, panel.band)
    x: dict[str, Any] = {
        "scale": style.scale(log, domain),
        "axis": style.value_axis(panel.x_title, log, domain, width),
    }
    axis = alt.Axis(
        title=None, minExtent=room, maxExtent=room, labelLimit=room, labelOverlap=False, ticks=False, grid=True
    )
    y = alt.Y("label:N", sort=[names[row.label] for row in every], axis=axis)
    rows = [_row(row, names[row.label], domain) for row in panel.rows]
    base = data.chart(rows)
    layers = [*_band(panel, data, x), *_intervals(base, x, y, look), _marks(base, x, y, verdicts, look)]
    if panel.summary:
        layers += _summary(_row(panel.summary, names[panel.summary.label], domain), data, x, y, look)
    title = style.title(panel.title, panel.subtitle, full, look)
    return layered(alt.Chart(title=title, width=round(width, 1), height=alt.Step(1.7 * look.font)), layers)


def _axis(rows: Sequence[Row], band: tuple[float, float]) -> tuple[bool, tuple[float, float]]:
    """Return whether the axis is logarithmic, and its ends, with room for the marks of what exceeds."""
    values = [value for row in rows for value in (row.value, row.low, row.high) if 0 < value < math.inf]
    values += band
    exceeds = any(not 0 < value < math.inf for row in rows for value in (row.value, row.low, row.high))
    log = exceeds or max(values) > NARROW * min(values)
    return log, ends(values, log, 0.08 if exceeds else 0.04, 0.08 if exceeds else 0.04)


def _row(row: Row, label: str, domain: tuple[float, float]) -> dict[str, Any]:
    places = {
        name: style.plain(min(max(getattr(row, name), domain[0]), domain[1])) for name in ("value", "low", "high")
    }
    note = f"{row.value:.3g} [{row.low:.3g}, {row.high:.3g}]"
    beyond = {"beyond_left": row.low < domain[0], "beyond_right": row.high > domain[1]}
    return {"label": label, "verdict": row.verdict, "said": note} | places | beyond


def _band(panel: ForestPanel, data: Data, x: Any) -> list[alt.Chart]:
    band = data.chart([{"from": panel.band[0], "to": panel.band[1]}]).mark_rect(color="#dddddd", opacity=0.7)
    line = data.chart([{"none": 1.0}]).mark_rule(color=INK, strokeWidth=0.7)
    return [band.encode(x=alt.X("from:Q", **x), x2=alt.X2("to")), line.encode(x=alt.X("none:Q", **x))]


def _intervals(base: alt.Chart, x: Any, y: alt.Y, look: Look) -> list[alt.Chart]:
    rule = base.mark_rule(color=INK, strokeWidth=1).encode(x=alt.X("low:Q", **x), x2=alt.X2("high"), y=y)
    arrows = [
        base.transform_filter(f"datum.beyond_{side}")
        .mark_point(shape=shape, filled=False, color=INK, strokeWidth=1, size=1.6 * look.font, opacity=1)
        .encode(x=alt.X(f"{end}:Q", **x), y=y)
        for side, shape, end in (("left", LEFT, "low"), ("right", RIGHT, "high"))
    ]
    return [rule, *arrows]


def _marks(base: alt.Chart, x: Any, y: alt.Y, verdicts: Sequence[str], look: Look) -> alt.Chart:
    legend = alt.Legend(title=None, orient="top", direction="horizontal", symbolStrokeWidth=1, symbolSize=4 * look.font)
    scales = [
        alt.Scale(domain=list(verdicts), range=[VERDICTS[verdict][place] for verdict in verdicts]) for place in range(3)
    ]
    shape, fill, stroke = ({"shorthand": "verdict:N", "scale": scale, "legend": legend} for scale in scales)
    points = base.mark_point(opacity=1, size=2.8 * look.font, strokeWidth=1)
    tips = [alt.Tooltip("label:N"), alt.Tooltip("verdict:N"), alt.Tooltip("said:N")]
    channels = {"shape": alt.Shape(**shape), "fill": alt.Fill(**fill), "stroke": alt.Stroke(**stroke)}
    return points.encode(x=alt.X("value:Q", **x), y=y, tooltip=tips, **channels)


def _summary(row: dict[str, Any], data: Data, x: Any, y: alt.Y, look: Look) -> list[alt.Chart]:
    """Return the layers of the last row: a diamond, a thick interval, and a line that parts it from the rest."""
    base = data.chart([row])
    rule = base.mark_rule(color=INK, strokeWidth=2).encode(x=alt.X("low:Q", **x), x2=alt.X2("high"), y=y)
    diamond = base.mark_point(shape="diamond", filled=True, color=INK, opacity=1, size=4.5 * look.font)
    parting = base.mark_rule(color="#999999", strokeWidth=0.5).encode(
        y=alt.Y("label:N", sort=y["sort"], bandPosition=0)
    )
    return [parting, rule, diamond.encode(x=alt.X("value:Q", **x), y=y, tooltip=[alt.Tooltip("said:N")])]
