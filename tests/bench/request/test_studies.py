"""Which learning rates each study tries."""

import pytest

from optbench.request.studies import shifts, study_points


def points(*rates, **others):
    return [{"learning_rate": rate, "weight_decay": 0.0, "schedule": "constant"} | others for rate in rates]


def rates(studies):
    return [[point["learning_rate"] for point in study] for study in studies]


@pytest.mark.parametrize("num", [1, 2, 3, 10])
@pytest.mark.parametrize("seed", [0, 7])
def test_shifts_cover_a_step_of_the_grid_evenly_and_begin_with_none(num, seed):
    shares = shifts(num, seed)
    assert shares[0] == 0
    assert sorted(share % 1 for share in shares) == pytest.approx([index / num for index in range(num)])
    assert all(-0.5 <= share < 0.5 for share in shares)


def test_another_seed_gives_the_shifts_to_other_studies():
    assert shifts(10, 0) != shifts(10, 1)
    assert shifts(10, 3) == shifts(10, 3)


def test_a_study_shifts_all_rates_by_the_same_share_of_a_step():
    # Rates of 0.01, 0.1 and 1 have a step of 10: half a step is a factor of 10 ** -0.5.
    studies = study_points(points(0.01, 0.1, 1.0), 2, 0, has_range=True)
    assert rates(studies) == [[0.01, 0.1, 1.0], [0.00316228, 0.0316228, 0.316228]]
    assert studies[1][0] == {"learning_rate": 0.00316228, "weight_decay": 0.0, "schedule": "constant"}


def test_two_optimizers_of_one_range_try_the_same_rates_whatever_else_their_grids_hold():
    alone = study_points(points(0.01, 0.1), 4, 5, has_range=True)
    more = study_points([*points(0.01, 0.1), *points(0.01, 0.1, weight_decay=1.0)], 4, 5, has_range=True)
    assert [study[:2] for study in rates(more)] == rates(alone)


def test_rates_that_were_listed_and_a_single_rate_stay_as_they_are():
    assert rates(study_points(points(0.01, 0.1), 2, 0, has_range=False)) == [[0.01, 0.1]] * 2
    assert rates(study_points(points(0.1), 2, 0, has_range=True)) == [[0.1]] * 2


def test_a_rate_of_zero_stays_zero():
    assert rates(study_points(points(0.0, 0.1, 1.0), 2, 0, has_range=True))[1] == [0.0, 0.0316228, 0.316228]
