"""Lay panels out in a figure: how wide each is, and which say what their axis means."""

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
    """Count the panels beside each other: two in a paper's column."""
    return max(1, min(num, look.width // (least if look.width <= PAGE else 220)))


def room(columns: int, look: Look, ratio: float = 0.75, extent: float | None = None) -> Room:
    """Share the width of a figure among panels with their axes."""
    beside = (look.extent if extent is None else extent) + 2 * look.font
    width = max((look.width - 8 - 8 * (columns - 1)) / columns - beside, 20)
    return Room(round(width, 1), round(max(min(width * ratio, 0.9 * PAGE), 60), 1))


@dataclass(frozen=True)
class Data:
    """The rows of a figure, by name."""

    rows: Spec = field(default_factory=dict)

    def chart(self, rows: list[dict[str, Any]]) -> alt.Chart:
        """Begin a chart of some rows."""
        name = f"rows_{len(self.rows)}"
        self.rows[name] = rows
        return alt.Chart(alt.NamedData(name=name))


# Dicts from here on: alt.layer and alt.concat copy charts with all that is in them, which took half of a page's time.
def layered(frame: alt.Chart, charts: Sequence[alt.Chart]) -> Spec:
    """Draw charts over each other, in a frame: a chart without a mark, of what they share and the panel has."""
    return {**_plain(frame), "layer": [*map(_plain, charts)]}


def paired(frame: alt.Chart, panels: Sequence[Spec]) -> Spec:
    """Set panels beside each other that share their rows and what the frame has, such as a title."""
    shared = alt.Resolve(scale=alt.ScaleResolveMap(y="shared"))
    return {**_plain(frame.properties(resolve=shared)), "hconcat": [*panels]}


def arrange(
    panels: Sequence[Any], draw: Callable[[Any, int, Data], Spec], columns: int, look: Look, **more: Any
) -> Spec:
    """Draw each panel and set them side by side, row after row; `more` is what the figure has beside them."""
    if not panels:
        raise ValueError("nothing to draw")
    data = Data()
    drawn = [draw(panel, place, data) for place, panel in enumerate(panels)]
    frame = alt.Chart(config=config(look), **more)
    return {**_plain(frame), "concat": drawn, "columns": columns, "datasets": data.rows}


def _plain(chart: alt.Chart) -> Spec:
    # Below the top level altair adds neither the address of its schema nor a theme; where there are no rows, it would
    # name some that are empty. Parts are checked when they are made.
    ignored = ["data"] if chart.data is alt.Undefined else []
    return chart.to_dict(validate=False, ignore=ignored, context={"top_level": False})
