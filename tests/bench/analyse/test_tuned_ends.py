"""How the tuned trials of many cells ended, read together: as each would be read alone."""

import numpy as np
import pytest

from optbench.analyse.outcomes import Slice, tuned
from optbench.analyse.tuned_ends import tuned_ends

NAN = float("nan")
VIEWS = [Slice(), Slice(at_step=10), Slice(target=2.5), Slice(seeds=1), Slice(at_step=0, target=4.0, seeds=2)]


def alone(part, view):
    found = tuned(part, view)
    return [
        {name: values[:, 0] for name, values in some.items()}
        for some in (found.ends, found.steps_to, found.gradients_to)
    ]


@pytest.fixture
def parts(handmade):
    """Make cells that differ in all that reading them together depends on."""
    return [
        handmade("sgd", [[3.0, 2.0, 1.0], [3.0, 2.5, 0.5]]),
        handmade("adam", [[4.0, 3.0, 2.0], [4.0, 1.0, 3.0]]),
        handmade("lost", [[3.0, NAN, NAN], [3.0, 2.0, 1.5]], trials={0: {"status": "diverged"}}),
        handmade("five", [[5.0, 4.0, 0.5]] * 5),
        handmade("accurate", [[3.0, 2.0, 1.0]] * 2, trial={"test_accuracy": [0.1, 0.5, 0.9]}),
        handmade("own", [[3.0, 2.0, 1.0]] * 2, trial={"test_distance": [3.0, 2.0, 0.1]}),
        handmade("dense", [[3.0, 2.0, 1.0]] * 2, trial={"step_loss": [3.0 - step / 10 for step in range(20)]}),
        handmade("aimed", [[3.0, 2.0, 1.0]] * 2, targets={"train_loss": 2.0, "test_accuracy": 0.5}),
        handmade("aimless", [[3.0, 2.0, 1.0]] * 2, targets={}),
        handmade("untried", [], tried={0.1: [[3.0, 2.0, 1.0], [3.0, 2.0, 2.0]]}, best_point=0),
    ]


@pytest.mark.parametrize("view", VIEWS)
def test_together_as_alone(parts, view):
    for part, found in zip(parts, tuned_ends(parts, view), strict=True):
        np.testing.assert_array_equal(found.start, tuned(part, view).start[:, 0])
        for together, single in zip(found[:3], alone(part, view), strict=True):
            assert list(together) == list(single)
            for name, values in single.items():
                np.testing.assert_array_equal(together[name], values)


def test_cells_alike_are_told_apart(handmade):
    parts = [handmade(f"sgd{seed}", [[3.0, 2.0, float(seed)]] * (seed + 1)) for seed in range(4)]
    ends = [found.ends["train_loss"].tolist() for found in tuned_ends(parts, Slice())]
    assert ends == [[0.0], [1.0, 1.0], [2.0, 2.0, 2.0], [3.0] * 4]


def test_none_of_none():
    assert tuned_ends([], Slice()) == []
