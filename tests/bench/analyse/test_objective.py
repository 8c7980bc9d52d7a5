"""The gap to an optimum, and where it is rounding."""

import math

import numpy as np
import pytest

from optbench.analyse.objective import gap, objective
from optbench.analyse.outcomes import Slice, tuned
from optbench.analyse.series import tuned_curve


@pytest.mark.parametrize(("dtype", "spacing"), [("float64", 2.0**-52), ("float32", 2.0**-23), ("bfloat16", 2.0**-23)])
@pytest.mark.parametrize("optimum", [2.0, -2.0])
def test_a_gap_of_four_spacings_of_the_optimum_is_rounding(dtype, spacing, optimum):
    above = np.array([-1.0, 0.0, 4.0, 5.0]) * spacing * 2
    assert gap(optimum + above, optimum, dtype).tolist() == [0, 0, 0, 10 * spacing]


def test_what_diverged_has_an_infinite_gap_and_what_is_unknown_none():
    assert gap(np.array([math.inf]), 2.0, "float32").tolist() == [math.inf]
    assert np.isnan(gap(np.array([math.nan]), 2.0, "float32")).all()


@pytest.mark.parametrize("optimum", [None, 2.0], ids=["unknown", "known"])
def test_a_curve_ends_where_tables_compare(handmade, optimum):
    part = handmade("sgd", [[8.0, 4.0, 2.0 + 2**-22], [8.0, 4.0, 2.5]], optimum=optimum)
    ends = objective(tuned(part, Slice()), part.results)[:, 0]
    metric = "train_loss" if optimum is None else "gap"
    assert tuned_curve(part, metric, "steps", Slice()).median[-1] == np.mean(ends)
