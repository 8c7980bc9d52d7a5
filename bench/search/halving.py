"""Successive halving: a grid of which the worse half of the points is dropped, twice, on the way.

How a point's end is guessed from its beginning stands in `sweep/halving.py`, with the sources.
"""

from optbench.search.grid import grid
from optbench.search.strategy import Strategy

STRATEGY = Strategy(
    "a grid of which the worse half is dropped after an eighth and after half of the steps",
    grid,
    keeps_grid=True,
    rungs=(1 / 8, 1 / 2),
)
