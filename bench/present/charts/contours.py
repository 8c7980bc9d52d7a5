"""Level lines of a function on a grid, by marching squares."""

from collections.abc import Iterator, Sequence
from typing import NamedTuple

import numpy as np
from jaxtyping import Float

#: Corners of a cell that lie above -> the pairs of its edges that a line joins. Corners are counted round from the
#: lower left, and edges too, each from the corner of its number: bottom, right, top, left.
_JOINS = {
    1: [(3, 0)],
    2: [(0, 1)],
    3: [(3, 1)],
    4: [(1, 2)],
    5: [(3, 0), (1, 2)],
    6: [(0, 2)],
    7: [(3, 2)],
    8: [(2, 3)],
    9: [(2, 0)],
    10: [(0, 1), (2, 3)],
    11: [(2, 1)],
    12: [(1, 3)],
    13: [(1, 0)],
    14: [(0, 3)],
}
#: An edge of the grid: its row and column, and whether it goes up.
_Edge = tuple[int, int, bool]


class LevelLine(NamedTuple):
    """One connected line of a level, counted from the lowest."""

    level: int
    x: list[float]
    y: list[float]


def contours(
    values: Float[np.ndarray, "y x"], levels: Sequence[float], x: tuple[float, float], y: tuple[float, float]
) -> list[LevelLine]:
    """Return the level lines of values on an even grid between the ends of two axes; none where no numbers are."""
    lines = []
    for place, level in enumerate(levels):
        for chain in _chains(_segments(values, level)):
            points = np.array([_crossing(values, level, edge) for edge in chain])
            scaled = [
                low + (high - low) * points[:, axis] / (values.shape[1 - axis] - 1)
                for axis, (low, high) in enumerate((x, y))
            ]
            lines.append(LevelLine(place, scaled[0].tolist(), scaled[1].tolist()))
    return lines


def _segments(values: Float[np.ndarray, "y x"], level: float) -> Iterator[tuple[_Edge, _Edge]]:
    above = values > level
    corners = (slice(None, -1), slice(None, -1)), (slice(None, -1), slice(1, None))
    corners += (slice(1, None), slice(1, None)), (slice(1, None), slice(None, -1))
    kinds = np.sum([above[corner].astype(int) << bit for bit, corner in enumerate(corners)], axis=0)
    finite = np.all([np.isfinite(values[corner]) for corner in corners], axis=0)
    for row, column in zip(*np.nonzero((kinds > 0) & (kinds < 15) & finite), strict=True):
        for first, last in _JOINS[int(kinds[row, column])]:
            yield _edge(int(row), int(column), first), _edge(int(row), int(column), last)


def _edge(row: int, column: int, side: int) -> _Edge:
    return ((row, column, False), (row, column + 1, True), (row + 1, column, False), (row, column, True))[side]


def _chains(segments: Iterator[tuple[_Edge, _Edge]]) -> Iterator[list[_Edge]]:
    """Join segments that share an edge into lines, open ones from one of their ends."""
    beside: dict[_Edge, list[_Edge]] = {}
    for first, last in segments:
        beside.setdefault(first, []).append(last)
        beside.setdefault(last, []).append(first)
    for edge in sorted(beside, key=lambda edge: len(beside[edge])):
        chain = [edge]
        while beside[chain[-1]]:
            following = beside[chain[-1]].pop()
            beside[following].remove(chain[-1])
            chain.append(following)
        if len(chain) > 1:
            yield chain


def _crossing(values: Float[np.ndarray, "y x"], level: float, edge: _Edge) -> tuple[float, float]:
    """Return (column, row) where an edge crosses a level, between grid points."""
    row, column, up = edge
    start, end = values[row, column], values[(row + 1, column) if up else (row, column + 1)]
    share = float((level - start) / (end - start))
    return (column, row + share) if up else (column + share, row)
