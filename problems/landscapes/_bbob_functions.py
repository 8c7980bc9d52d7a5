"""The 24 noiseless BBOB functions in the order of their numbers."""

from collections.abc import Callable

from optbench.problems.landscapes import _bbob_few_minima as few
from optbench.problems.landscapes import _bbob_many_minima as many
from optbench.problems.landscapes._bbob_instance import Instance, Point, Value

FUNCTIONS: tuple[Callable[[Point, Instance], Value], ...] = (
    few.sphere,
    few.ellipsoid,
    few.rastrigin,
    few.bueche_rastrigin,
    few.linear_slope,
    few.attractive_sector,
    few.step_ellipsoid,
    few.rosenbrock,
    few.rosenbrock_rotated,
    few.ellipsoid_rotated,
    few.discus,
    few.bent_cigar,
    few.sharp_ridge,
    few.different_powers,
    many.rastrigin_rotated,
    many.weierstrass,
    many.schaffers,
    many.schaffers_ill_conditioned,
    many.griewank_rosenbrock,
    many.schwefel,
    many.gallagher,
    many.gallagher,
    many.katsuura,
    many.lunacek_bi_rastrigin,
)
