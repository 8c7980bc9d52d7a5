"""More points to choose among, on a simulated optimizer whose highest rates win or fail by luck."""

import numpy as np

from optbench.sweep.selection import choose, scores

STUDIES, REPEATS = 10, 100
POINTS = (6, 12, 24)


def costs(rates, seeds, rng):
    """Costs [seed, study, point] of rates [study, point] in decades: best at -2; above -0.7 one of five is lucky."""
    shape = (seeds, *rates.shape)
    usual = (rates + 2) ** 2 + 0.2 * rng.standard_normal(shape)
    lucky = np.where(rng.random(shape) < 0.2, -3.0, 2.0)
    return 10 ** np.where(rates > -0.7, lucky, usual)


def worst_of_two(select):
    ordered = select.transpose(1, 0, 2).reshape(-1, select.shape[2])
    return choose([scores(ordered, STUDIES)], np.arange(select.shape[2]))


def median_of_three(select):
    return np.median(select, axis=0).argmin(axis=1)


def reports(num_points, seeds, rule):
    """Reported medians over the studies [repeat], each of the settings that its study chose, on one fresh seed."""
    rng = np.random.default_rng(0)
    grid = np.linspace(-4, 0, num_points)
    rates = grid + (np.arange(STUDIES)[:, None] / STUDIES - 0.5) * (grid[1] - grid[0])
    chosen = [rule(costs(rates, seeds, rng)) for _ in range(REPEATS)]
    return np.array([np.median(costs(rates, 1, rng)[0, np.arange(STUDIES), points]) for points in chosen])


def test_more_points_do_not_make_reports_worse():
    """Beyond the interval of a median over ten studies, which is a tenth here."""
    fewer, more, most = (np.median(reports(num, 2, worst_of_two)) for num in POINTS)
    assert more < 1.1 * fewer and most < 1.1 * more


def test_the_median_of_three_seeds_would():
    assert np.median(reports(48, 3, median_of_three)) > 10 * np.median(reports(6, 3, median_of_three))
