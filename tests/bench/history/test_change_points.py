"""Changes of level are found soon, and noise and spikes are none."""

import numpy as np
import pytest

from optbench.history.change_points import change_points, noise_of

NOISE, STEP = 0.02, 1.08


def history(stream, num, step_at=None, noise=NOISE, step=STEP, spikes=0.03):
    """Draw a series with noise and single spikes of 50 %, which may step."""
    rng = np.random.default_rng(stream)
    logs = noise * rng.standard_normal(num)
    spiked = np.flatnonzero(rng.random(num) < spikes)
    logs[[place for place, before in zip(spiked, [-9, *spiked], strict=False) if place - before > 5]] += np.log(1.5)
    if step_at is not None:
        logs[step_at:] += np.log(step)
    return 1e-3 * np.exp(logs)


@pytest.mark.parametrize("step", [STEP, 1 / STEP])
def test_a_step_is_found_within_three_entries(step):
    places = np.random.default_rng(0).integers(20, 97, 20)
    found = [change_points(history([1, k], place + 3, place, step=step)) for k, place in enumerate(places)]
    hits = sum(any(abs(one - place) <= 2 for one in ones) for ones, place in zip(found, places, strict=True))
    assert hits >= 19


def test_steady_histories_have_no_change():
    assert [change_points(history([2, k], 100)) for k in range(20)] == [[]] * 20


@pytest.mark.parametrize("noise", [0.005, 0.1])
def test_any_noise_is_no_change(noise):
    assert sum(bool(change_points(history([3, k], 100, noise=noise))) for k in range(100)) <= 5


def test_two_steps_are_both_found():
    values = history(4, 60, 20, step=1.2)
    values[40:] *= 1.2
    assert [round(place / 20) for place in change_points(values)] == [1, 2]


def test_a_series_without_noise_steps_where_it_steps():
    values = np.array([0.25] * 10 + [0.26] * 5)
    assert change_points(values) == [10]
    assert change_points(np.array([0.25] * 10 + [0.25 * (1 + 1e-7)] * 5)) == []


def test_a_single_spike_is_no_level():
    steady = [1.0, 1.01, 0.99, 1.0, 1.02, 0.98, 1.0, 1.01]
    assert change_points(np.array([*steady, 2.0])) == []
    assert change_points(np.array([*steady, 2.0, 2.0, 2.0])) == [8]


def test_what_diverges_from_some_entry_on_is_a_change():
    assert change_points(np.array([1.0, 1.01, 0.99, 1.0, 1.02, *[np.inf] * 4])) == [5]
    assert change_points(np.array([np.inf] * 5 + [1.0, 1.01, 0.99, 1.0])) == [5]
    assert change_points(np.array([np.inf] * 9)) == []
    assert change_points(np.array([3.0, 3.0, 3.0, 3.0, 0.0, 0.0, 0.0])) == [4]


def test_missing_entries_are_left_out_and_places_are_those_of_the_series():
    values = np.array([np.nan, 1.0, np.nan, 1.01, 0.99, 1.0, 1.02, 0.98, 3.0, np.nan, 3.01, 2.99, 3.02])
    assert change_points(values) == [8]


@pytest.mark.parametrize("values", [[], [1.0], [1.0, 2.0, 2.0, 2.0, 2.0], [np.nan] * 9])
def test_few_entries_tell_nothing(values):
    assert change_points(np.array(values)) == []


def test_noise_is_of_a_level_alone():
    logs = 0.02 * np.random.default_rng(0).standard_normal(4000)
    logs[2000:] += 1.0
    logs[::40] += 0.4
    # Each spike is in two differences of a twentieth of them all.
    assert noise_of(logs) == pytest.approx(0.02, rel=0.1)


def clustered(stream, num=100):
    """Draw a series whose spikes may lie beside each other."""
    rng = np.random.default_rng(stream)
    return np.exp(NOISE * rng.standard_normal(num) + np.log(1.5) * (rng.random(num) < 0.03))


def test_spikes_that_cluster_are_no_change():
    assert sum(bool(change_points(clustered([5, k]))) for k in range(300)) <= 4


def test_a_change_that_was_found_stays_found():
    values = clustered([6, 0])
    values[40:] *= STEP
    assert all(any(abs(one - 40) <= 2 for one in change_points(values[:end])) for end in range(44, 100))


def test_two_values_at_random_are_one_level():
    rng = np.random.default_rng(7)
    assert sum(bool(change_points(np.where(rng.random(100) < 0.1, 110.0, 100.0))) for _ in range(100)) <= 5


def test_what_is_long_past_is_left():
    values = history([8, 0], 500, 100, step=2.0)
    values[450:] *= 2
    assert [abs(place - 450) <= 2 for place in change_points(values)] == [True]
