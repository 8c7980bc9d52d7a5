"""Points of a Sobol sequence, which leave fewer gaps than random ones.

Source: Sobol, Distribution of points in a cube and approximate evaluation of integrals, 1967; Owen, Scrambling Sobol'
and Niederreiter-Xing points, 1998.
"""

import math

from optbench.search.space import Point, Space, points_at
from optbench.search.strategy import Strategy


def sobol(space: Space) -> tuple[Point, ...]:
    """Take a scrambled Sobol sequence of points within the axes."""
    from scipy.stats.qmc import Sobol

    sequence = Sobol(len(space.axes), scramble=True, rng=space.generator())
    # A whole power of two: scipy warns of anything else, and the first of one are a sequence too.
    return points_at(space.axes, sequence.random_base2(math.ceil(math.log2(space.budget)))[: space.budget])


STRATEGY = Strategy("from a Sobol sequence, which leaves fewer gaps", sobol)
