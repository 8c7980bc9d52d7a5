"""The adversarial sequence is the one it says it is."""

import jax
import jax.numpy as jnp
import numpy as np
import pytest

from optbench.problems.landscapes.adversarial_sequence import adversarial_sequence

KEY = jax.random.key(0)


def test_a_period_has_one_spike_and_a_mean_slope_of_1():
    problem = adversarial_sequence(period=3, spike=3.0)
    slopes = np.array([problem.sample(KEY, 2, jnp.int32(step)) for step in range(6)])
    # the mean of 3, -1, -1 is 1/3
    np.testing.assert_allclose(slopes, np.repeat([9, -3, -3, 9, -3, -3], 2).reshape(6, 2), rtol=1e-6)
    assert problem.sample(KEY, 2, jnp.int32(0)).dtype == jnp.float32


def test_shuffled_spikes_have_their_frequency_and_a_mean_slope_of_1():
    slopes = np.asarray(adversarial_sequence(period=10, spike=12.0, shuffled=True).sample(KEY, 200_000, 0))
    np.testing.assert_allclose(np.unique(slopes), [-10 / 3, 40], rtol=1e-6)
    assert abs(np.mean(slopes > 0) - 0.1) < 4 * (0.1 * 0.9 / 200_000) ** 0.5


@pytest.mark.parametrize(("x", "loss"), [(-1.0, 0), (0.0, 1), (1.0, 2), (5.0, 2), (-5.0, 0)])
def test_the_metric_is_the_distance_to_minus_1_within_the_interval(x, loss):
    problem = adversarial_sequence()
    assert problem.metrics(jnp.float32(x), ())["loss"] == loss
    assert abs(problem.project(jnp.float32(x))) <= 1


def test_a_run_ends_just_before_a_spike():
    for period in [2, 7, 200, 5000]:
        problem = adversarial_sequence(period=period, spike=1.1 * period)
        assert problem.steps % period == 0 and problem.steps > 0
