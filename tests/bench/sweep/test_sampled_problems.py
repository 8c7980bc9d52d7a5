"""Sweeps on streams against what theory says of them: the noisy quadratic, and the sequence that misleads Adam."""

import numpy as np
import optax
import pytest

from optbench.optimizers import Optimizer, catalogue
from optbench.problems.convex.noisy_quadratic import expected_loss_of_sgd, noisy_quadratic
from optbench.problems.landscapes.adversarial_sequence import adversarial_sequence


@pytest.mark.parametrize(("covariance", "batch_size"), [("hessian", 2), ("isotropic", 8)])
def test_the_mean_loss_of_sgd_over_4096_seeds_is_the_closed_form(train, covariance, batch_size):
    given = {"dim": 20, "covariance": covariance, "noise": 2.0}
    trials = tuple(f"{seed}/select/0" for seed in range(4096))
    rates = np.array([0.05, 0.5])
    curves = train(
        noisy_quadratic(**given), catalogue()["sgd"], {"learning_rate": rates}, 32,
        dtype="float32", batch_size=batch_size, record_every=4, trials=trials,
    )  # fmt: skip
    found = curves.metrics["train_loss"].mean(axis=0)
    expected = [expected_loss_of_sgd(curves.step, rate, batch_size, **given) for rate in rates]
    np.testing.assert_allclose(found, expected, rtol=0.03)


def ends(train, name, problem, hyperparameters, **options):
    """Return the last x + 1 of each point."""
    curves = train(problem, catalogue()[name], hyperparameters, batch_size=1, record_every=100, **options)
    return curves.metrics["train_loss"][0, :, -1]


def test_adam_goes_to_plus_1_and_amsgrad_to_minus_1_at_the_settings_of_the_papers_proof(train):
    # slopes 3, -1, -1; no momentum and b2 = 1 / (1 + 3^2)
    problem, given = adversarial_sequence(period=3, spike=3.0), {"learning_rate": 0.01, "b1": 0.0, "b2": 0.1}
    assert ends(train, "adam", problem, given, steps=1500) > 1.98
    assert ends(train, "amsgrad", problem, given, steps=1500) < 0.02


def test_at_default_betas_no_rate_takes_adam_below_its_start_where_amsgrad_reaches_the_target(train):
    problem, rates = adversarial_sequence(), np.geomspace(1e-4, 10, 11)
    adam, amsgrad = (
        ends(train, name, problem, {"learning_rate": rates}, steps=problem.steps) for name in ("adam", "amsgrad")
    )
    assert adam.min() > 0.99 and (adam[7:] == 2).all()
    assert amsgrad.min() < problem.targets["train_loss"] and (amsgrad[:6] < 1).all()


def test_steps_that_shrink_with_the_root_of_t_dont_help_adam(train):
    def shrinking(base):
        return Optimizer(
            build=lambda learning_rate, b1, b2: base(lambda count: learning_rate / (count + 1) ** 0.5, b1, b2),
            learning_rates=(0.1, 1.0),
            source="test",
        )

    problem, given = adversarial_sequence(period=3, spike=3.0), {"learning_rate": 0.5, "b1": 0.0, "b2": 0.1}
    last = [
        train(problem, shrinking(base), given, 3000, batch_size=1, record_every=300).metrics["train_loss"][0, 0, -1]
        for base in (optax.adam, optax.amsgrad)
    ]
    assert last[0] > 1.98 and last[1] < 0.02
