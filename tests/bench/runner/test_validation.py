"""Settings are chosen on validation rows, and so weight decay is chosen as large as it should be."""

from itertools import pairwise

import numpy as np
import pytest

from optbench import problems
from optbench.store.trials import read_rows

NOISY = {"data": "synthetic", "rows": 150, "dim": 40, "condition": 10.0, "noise": 3.0, "l2": 0.0}
DECAYS = (0.0, 0.01, 0.03, 0.1, 0.3, 1.0, 3.0)


def ridge_losses(problem):
    """Return the validation loss of the ridge regression of each decay, in closed form."""
    (x, y), (held_out, targets) = problem.train, problem.validation
    # Decay is of all parameters, the intercept too.
    design, other = (np.c_[rows, np.ones(len(rows))] for rows in (x, held_out))
    second, first = design.T @ design / len(x), design.T @ y / len(x)
    solutions = [np.linalg.solve(second + decay * np.eye(len(first)), first) for decay in DECAYS]
    return [0.5 * np.mean((other @ solution - targets) ** 2) for solution in solutions]


@pytest.fixture(scope="module")
def part(tmp_path_factory):
    from optbench import run

    words = ",".join(f"{name}={value}" for name, value in NOISY.items())
    asked = {"problems": [f"linear_regression[{words}]"], "optimizers": ["sgd"], "learning_rate": "0.1,0.2"}
    asked |= {"weight_decay": ",".join(map(str, DECAYS)), "steps": 3000, "seeds": 1, "report_seeds": 3, "records": 4}
    (part,) = run(results=tmp_path_factory.mktemp("results"), throughput=False, dtype="float64", **asked).parts
    return part


def test_ridge_regression_gets_the_decay_of_the_closed_form_within_a_step_of_the_grid(part):
    losses = ridge_losses(problems.factory("linear_regression")(**NOISY))
    # The question is one: neither no decay nor the largest is best.
    assert 0 < int(np.argmin(losses)) < len(DECAYS) - 1
    chosen = DECAYS.index(part.results.best["weight_decay"])
    assert abs(chosen - int(np.argmin(losses))) <= 1
    assert part.results.selected["validation_loss"] == pytest.approx(losses[chosen], rel=1e-3)


def test_the_objective_wants_no_decay_and_has_settings_of_its_own(part):
    assert part.results.criteria[:2] == ("validation_loss", "train_loss")
    rows = read_rows([part], phase="report").to_pylist()
    decays = [
        [dict(row["hyperparameters"])["weight_decay"] for row in rows if row["point"] == number] for number in range(2)
    ]
    assert set(decays[1]) == {0.0} and min(decays[0]) > 0
    # Nothing is random here but the listed rates are the same for all: three studies choose alike.
    assert all(a == b for a, b in pairwise(decays[0]))
