"""Parameters out of range raise one line that says what was given and what is accepted."""

import re

import pytest

import problems

REFUSED = [
    ("quadratic", {"dim": 0}, "dim=0 .*at least 1"),
    ("quadratic", {"dim": 2.5}, "dim=2.5 .*whole number"),
    ("quadratic", {"condition": 0.5}, "condition=0.5 .*at least 1"),
    ("quadratic", {"condition": float("nan")}, "condition=nan .*at least 1"),
    ("quadratic", {"dim": 1, "condition": 10}, "condition=10 .*1 where dim=1"),
    ("quadratic", {"spectrum": "flat"}, "spectrum='flat' .*log, linear, two_cluster, powerlaw"),
    ("quadratic", {"rotated": 1}, "rotated=1 .*true or false"),
    ("quadratic", {"noise": -1}, "noise=-1 .*at least 0"),
    ("quadratic", {"seed": -1}, "seed=-1 .*at least 0"),
    ("quadratic_deep", {"outlier_scale": 0.0}, "outlier_scale=0.0 .*above 0"),
    ("linear_regression", {"l2": -1.0}, "l2=-1.0 .*at least 0"),
    ("linear_regression", {"test_fraction": 1.0}, "test_fraction=1.0 .*at least 0 and below 1"),
    ("linear_regression", {"test_fraction": 1e-9}, "test_fraction=1e-09 leaves one side of 442 rows empty"),
    ("linear_regression", {"rows": 10}, "data='diabetes' .*synthetic"),
    ("linear_regression", {"data": "synthetic", "rows": 1}, "rows=1 .*at least 2"),
    ("linear_regression", {"data": "sinthetic"}, "data='sinthetic' .*'synthetic'.*diabetes.*[.]csv"),
    ("linear_regression", {"standardize": "yes"}, "standardize='yes' .*true or false"),
    ("logistic_regression", {"data": "diabetes"}, "'diabetes' .*breast_cancer, digits"),
    ("logistic_regression", {"data": "irish"}, "did you mean 'iris'"),
    ("logistic_regression", {"l2": True}, "l2=True .*a number"),
    ("noisy_quadratic", {"covariance": "fisher"}, "covariance='fisher' .*hessian, isotropic"),
    ("noisy_quadratic", {"noise": -1.0}, "noise=-1.0 .*at least 0"),
    ("noisy_quadratic", {"power": float("inf")}, "power=inf .*at least 0"),
    ("online_regression", {"dim": 1}, "dim=1 .*at least 2"),
    ("online_regression", {"condition": 0.5}, "condition=0.5 .*at least 1"),
    ("online_regression", {"drift": -0.1}, "drift=-0.1 .*at least 0"),
    ("power_law_regression", {"spectrum": 0.0}, "spectrum=0.0 .*above 0"),
    ("power_law_regression", {"signal": -1.0}, "signal=-1.0 .*above 0"),
    ("power_law_regression", {"streaming": 1}, "streaming=1 .*true or false"),
    ("adversarial_sequence", {"period": 1}, "period=1 .*at least 2"),
    ("adversarial_sequence", {"period": 10, "spike": 9.0}, "spike=9.0 .*above 9"),
    ("separable", {"margin": 0.0}, "margin=0.0 .*above 0"),
    ("separable", {"rows": 1}, "rows=1 .*at least 2"),
    ("mlp", {"width": 0}, "width=0 .*at least 1"),
    ("mlp", {"depth": -1}, "depth=-1 .*at least 0"),
    ("mlp", {"activation": "sin"}, "activation='sin' .*relu, gelu, tanh, silu"),
    ("mlp", {"label_noise": 1.0}, "label_noise=1.0 .*below 1"),
    ("mlp", {"init_scale": 0.0}, "init_scale=0.0 .*above 0"),
    ("bbob", {"function": 0}, "function=0 .*at least 1"),
    ("bbob", {"function": 25}, "function=25 .*at most 24"),
    ("bbob", {"dim": 1}, "dim=1 .*at least 2"),
    ("bbob", {"instance": 0}, "instance=0 .*at least 1"),
    ("embedding", {"exponent": -0.5}, "exponent=-0.5 .*at least 0"),
    ("embedding", {"rank": 9, "width": 8}, "rank=9 .*at most width=8"),
    ("embedding", {"classes": 1}, "classes=1 .*at least 2"),
    ("mixture", {"separation": 0.0}, "separation=0.0 .*above 0"),
    ("mixture", {"modes": 1}, "modes=1 .*at least 2"),
    ("cell_capacity", {"head": "tree"}, "head='tree' .*linear, mlp"),
    ("cell_capacity", {"condition": 10.0}, "condition=10.0 .*at least 30"),
    ("cell_capacity", {"rows": 8}, "rows=8 .*at least 64"),
    ("pinn", {"frequency": 1.5}, "frequency=1.5 .*whole number"),
    ("pinn", {"boundary": "none"}, "boundary='none' .*soft, hard"),
    ("test_function", {"name": "rosenbrok"}, "name='rosenbrok' .*rosenbrock, beale, branin"),
    ("test_function", {"dim": 3}, "dim=3 .*a multiple of 2 for rosenbrock, or 0"),
    ("test_function", {"name": "wood", "dim": 8}, "dim=8 .*expected 4 for wood, or 0"),
    ("test_function", {"dim": -2}, "dim=-2 .*at least 0"),
    ("test_function", {"noise": -1}, "noise=-1 .*at least 0"),
    ("saddle", {"dim": 2, "negative_directions": 3}, "negative_directions=3 .*from 1 to dim=2"),
    ("saddle", {"curvature": 0.0}, "curvature=0.0 .*above 0"),
    ("saddle", {"start": "off"}, "start='off' .*beside, on"),
    ("saddle", {"distance": 0.0}, "distance=0.0 .*above 0"),
    ("plateau", {"dim": 0}, "dim=0 .*at least 1"),
    ("plateau", {"scale": -1.0}, "scale=-1.0 .*above 0"),
    ("plateau", {"radius": 0.5}, "radius=0.5 .*at least 1"),
]


@pytest.mark.parametrize(("name", "given", "message"), REFUSED, ids=[f"{n}-{g}" for n, g, _ in REFUSED])
def test_refusals_name_what_is_accepted(name, given, message):
    with pytest.raises(ValueError) as caught:
        problems.factory(name)(**given)
    assert "\n" not in str(caught.value)
    assert re.search(message, str(caught.value))
