"""What a search strategy is: how the points of a cell come about."""

from collections.abc import Callable, Sequence
from typing import NamedTuple

from optbench.search.space import Point, Space

#: Train some points: their scores, lower is better, infinity where a point diverged.
Measure = Callable[[tuple[Point, ...]], Sequence[float]]


def as_they_are(space: Space) -> tuple[Point, ...]:
    """Return the points that were asked for."""
    return tuple(space.points)


class Strategy(NamedTuple):
    """How points come about: designed before any is trained, stopped early, or proposed while others are trained."""

    #: In a few words, for the help of `optbench tune`.
    meaning: str
    #: The points that are trained, as many as the budget at the most; of a strategy that proposes, those that span its
    #: ranges.
    design: Callable[[Space], tuple[Point, ...]] = as_they_are
    #: Every value of each axis is combined with every other, so that a grid can be widened where its winner lies.
    keeps_grid: bool = False
    #: The worse half of the points is dropped at the records nearest to these shares of all steps.
    rungs: tuple[float, ...] = ()
    #: Choose as many points as the budget, in rounds: each is measured, and its scores are there for the next one.
    propose: Callable[[Space, Measure], None] | None = None
    #: How many points the largest round has: they are compiled as one program.
    together: int = 1
    #: What must be installed, and is part of the key with its version: the name of a module, of its distribution, and
    #: of the extra of optbench that holds it.
    package: str | None = None

    @property
    def trains(self) -> bool:
        """Whether it acts while points are trained: of any other only its points matter."""
        return bool(self.rungs or self.propose)
