"""Lay panels out in a figure: how wide each is, and which say what their axis means."""

from collections.abc import Callable, Sequence
from typing import Any, NamedTuple

import altair as alt

from bench.present.charts.style import PAGE, Look, styled


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


def arrange(
    panels: Sequence[Any], draw: Callable[[Any, int], alt.TopLevelMixin], columns: int, look: Look, **resolve: str
) -> Any:
    """Draw each panel and set them side by side, row after row."""
    if not panels:
        raise ValueError("nothing to draw")
    charts = [draw(panel, place) for place, panel in enumerate(panels)]
    figure = alt.concat(*charts, columns=columns)
    return styled(figure.resolve_scale(**resolve) if resolve else figure, look)
