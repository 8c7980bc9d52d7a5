"""The ways of optimizers over the level lines of a problem of two parameters."""

from collections.abc import Sequence
from pathlib import Path
from typing import TYPE_CHECKING, NamedTuple

import numpy as np
from jaxtyping import Float

from optbench.figures.figure import COLUMN, look_with
from optbench.figures.write import write_figure

if TYPE_CHECKING:
    from optbench.present.charts.style import Look, Spec

#: Level lines, evenly in the logarithm of what a point lies above the lowest.
NUM_LEVELS = 14
#: Points of the grid that level lines are found on, on each side.
NUM_SAMPLES = 160
#: Room around start, minimum and ways, and how far ways may stretch it, in sizes of what start and minimum span.
ROOM, STRETCH = 0.12, 1.5
#: Height of the panel at the least and the most, as a share of its width.
FLATTEST, HIGHEST = 0.6, 1.0


class Way(NamedTuple):
    """Where one optimizer went, from the start on; it ends where its loss was no longer finite."""

    optimizer: str
    learning_rate: float
    points: Float[np.ndarray, "step 2"]
    losses: Float[np.ndarray, " step"]
    #: It is a user's.
    own: bool = False


class Box(NamedTuple):
    """The part of the plane that is shown."""

    x: tuple[float, float]
    y: tuple[float, float]


class Landscape(NamedTuple):
    """A problem of two parameters, its lowest point where that is known, and the ways over it."""

    problem: str
    ways: Sequence[Way]
    minimiser: Float[np.ndarray, " 2"] | None
    #: The lowest loss, where it is known.
    optimum: float | None
    box: Box
    #: Losses on an even grid of the box.
    losses: Float[np.ndarray, "y x"]


def box_of(ways: Sequence[Way], minimiser: Float[np.ndarray, " 2"] | None) -> Box:
    """Return the box that holds start and minimum, and of the ways what is not far from these; units are equal."""
    starts = np.stack([way.points[0] for way in ways])
    anchors = starts if minimiser is None else np.concatenate([starts, minimiser[None]])
    low, high = anchors.min(axis=0), anchors.max(axis=0)
    span = float(np.max(high - low)) or 1.0
    points = np.concatenate([way.points for way in ways])
    near = np.all((points >= low - STRETCH * span) & (points <= high + STRETCH * span), axis=1)
    both = np.concatenate([anchors, points[near]])
    low, high = both.min(axis=0), both.max(axis=0)
    size = np.maximum(high - low, 1e-3 * span) + 2 * ROOM * float(np.max(high - low) or span)
    size[1] = np.clip(size[1], FLATTEST * size[0], None)
    size[0] = max(size[0], size[1] / HIGHEST)
    middle = (low + high) / 2
    (x, y) = ((float(middle[axis] - size[axis] / 2), float(middle[axis] + size[axis] / 2)) for axis in (0, 1))
    return Box(x, y)


def levels_of(losses: Float[np.ndarray, "y x"], optimum: float | None) -> list[float]:
    """Return the losses whose level lines are drawn: evenly in the logarithm of their gap to the lowest."""
    finite = losses[np.isfinite(losses)]
    lowest = float(finite.min()) if optimum is None else optimum
    gaps = finite[finite > lowest] - lowest
    if not len(gaps):
        return []
    first, last = np.quantile(gaps, 0.002), float(gaps.max())
    return (lowest + np.geomspace(first, last, NUM_LEVELS + 1)[:-1]).tolist()


def plot_landscape(landscape: Landscape, path: Path, width: float = COLUMN) -> None:
    """Write the figure of a landscape. Raises what `write_figure` raises."""
    write_figure(lambda points: draw(landscape, points), path, width)


def draw(landscape: Landscape, width: float = COLUMN) -> "Spec":
    """Draw the ways over the level lines, with start and minimum."""
    from optbench.present.charts.contours import contours
    from optbench.present.charts.line_panel import Line
    from optbench.present.charts.paths import PathPanel, paths

    lines = contours(landscape.losses, levels_of(landscape.losses, landscape.optimum), *landscape.box)
    ways = [Line(_label(way), way.points[:, 0].tolist(), way.points[:, 1].tolist()) for way in landscape.ways]
    marks = [("start", *point) for point in sorted({tuple(way.points[0].tolist()) for way in landscape.ways})]
    marks += [] if landscape.minimiser is None else [("minimum", *landscape.minimiser.tolist())]
    panel = PathPanel(landscape.problem, ways, lines, marks, *landscape.box)
    return paths(panel, _look(landscape, width))


def _label(way: Way) -> str:
    return f"{way.optimizer} ({way.learning_rate:.2g})"


def _look(landscape: Landscape, width: float) -> "Look":
    """Colour optimizers in their order, a user's own first and strongest."""
    from optbench.figures.figure import Options
    from optbench.present.charts.style import OWN, STYLES

    ways = sorted(landscape.ways, key=lambda way: not way.own)
    look = look_with([_label(way) for way in ways], Options(width=width))
    own = [way.own for way in ways][: len(look.names)]
    first = [OWN] if own and own[0] else []
    styles = [*first, *STYLES][: len(look.names)]
    return look._replace(chosen=tuple(one._replace(thick=mine) for one, mine in zip(styles, own, strict=True)))


def caption(landscape: Landscape, num_rates: int, steps: int, target: float | None) -> str:
    """Say whose ways these are, how their learning rates were chosen, and where they end."""
    ends = ", ".join(f"{way.optimizer} {way.losses[-1]:.3g}" for way in landscape.ways)
    aim = "the lowest loss" if target is None else f"the fewest steps to a loss of {target:.3g}, else the lowest loss"
    rates = (
        f"each at the learning rate (in brackets) of {num_rates} that gives {aim} after {steps} steps of this very run"
        if num_rates > 1
        else "at the learning rate in brackets"
    )
    gap = "" if landscape.optimum is None else f" (lowest possible: {landscape.optimum:.3g})"
    return (
        f"The way of each optimizer over {landscape.problem} in {steps} steps, {rates}; a dot is a step. Level lines "
        f"are even in the logarithm of the height above the lowest point. Loss at the end: {ends}{gap}."
    )
