"""Lay panels out in a figure: how wide each is, and which say what their axis means."""

from collections.abc import Callable, Sequence
from dataclasses import dataclass, field
from typing import Any, NamedTuple

from bench.present.charts.style import PAGE, Look, Spec, config


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

    def add(self, rows: list[dict[str, Any]]) -> Spec:
        """Keep some rows, and return what a layer calls them by."""
        name = f"rows_{len(self.rows)}"
        self.rows[name] = rows
        return {"name": name}


def arrange(
    panels: Sequence[Any], draw: Callable[[Any, int, Data], Spec], columns: int, look: Look, **more: Any
) -> Spec:
    """Draw each panel and set them side by side, row after row."""
    if not panels:
        raise ValueError("nothing to draw")
    data = Data()
    drawn = [draw(panel, place, data) for place, panel in enumerate(panels)]
    return {"config": config(look), "concat": drawn, "columns": columns, "datasets": data.rows, **more}
