"""The kinds of figures that a run has: what each shows, how it is drawn, and the caption that goes with it."""

from bench.figures import curves
from bench.figures.options import COLUMN, Figure, Options

__all__ = ["COLUMN", "FIGURES", "Figure", "Options"]

FIGURES = {
    "curves": Figure("how each tuned optimizer came there", curves.curves, curves.curves_caption),
    "grid": Figure("every trial of a grid, and the chosen point", curves.grid, curves.grid_caption),
}
