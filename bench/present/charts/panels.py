"""The layout of panels in a figure: how wide each is, and how they are set side by side."""

from collections.abc import Callable, Sequence
from dataclasses import dataclass, field
from typing import Any, NamedTuple

import altair as alt

from optbench.present.charts.style import PAGE, Look, Spec, config


class Room(NamedTuple):
    """The plot area of one panel, in points."""

    width: float
    height: float


def columns_of(num: int, look: Look, least: int = 115) -> int:
    """Return the number of panels in a row: two in a paper's column."""
    return max(1, min(num, look.width // (least if look.width <= PAGE else 220)))


def room(columns: int, look: Look, ratio: float = 0.75, extent: float | None = None) -> Room:
    """Return the plot area of a panel, with the width of a figure shared among panels and their axes."""
    axes_width = (look.extent if extent is None else extent) + 2 * look.font
    width = max((look.width - 8 - 8 * (columns - 1)) / columns - axes_width, 20)
    return Room(round(width, 1), round(max(min(width * ratio, 0.9 * PAGE), 60), 1))


@dataclass(frozen=True)
class Data:
    """The rows of a figure, by name."""

    rows: Spec = field(default_factory=dict)

    def chart(self, rows: list[dict[str, Any]]) -> alt.Chart:
        """Return a chart of some rows, which the figure then holds."""
        name = f"rows_{len(self.rows)}"
        self.rows[name] = rows
        return alt.Chart(alt.NamedData(name=name))


# Dicts from here on: alt.layer and alt.concat copy charts with all their data, which took half of a page's time.
def layered(frame: alt.Chart, charts: Sequence[alt.Chart]) -> Spec:
    """Return charts over each other, in a frame: a chart without a mark, with what they share."""
    return {**_plain(frame), "layer": [*map(_plain, charts)]}


def paired(frame: alt.Chart, panels: Sequence[Spec]) -> Spec:
    """Return panels side by side that share their rows and the properties of the frame, such as a title."""
    shared = alt.Resolve(scale=alt.ScaleResolveMap(y="shared"))
    return {**_plain(frame.properties(resolve=shared)), "hconcat": [*panels]}


def arrange(
    panels: Sequence[Any], draw: Callable[[Any, int, Data], Spec], columns: int, look: Look, **properties: Any
) -> Spec:
    """Return a figure of panels side by side, row after row; `properties` are those of the figure.

    Raises ValueError without panels.
    """
    if not panels:
        raise ValueError("nothing to draw")
    data = Data()
    concat = [draw(panel, index, data) for index, panel in enumerate(panels)]
    frame = alt.Chart(config=config(look), **properties)
    return {**_plain(frame), "concat": concat, "columns": columns, "datasets": data.rows}


def _plain(chart: alt.Chart) -> Spec:
    # Below the top level altair adds neither the address of its schema nor a theme; without rows, it would name empty
    # ones. Parts are checked when they are made.
    ignored = ["data"] if chart.data is alt.Undefined else []
    return chart.to_dict(validate=False, ignore=ignored, context={"top_level": False})
