"""Tests that need four devices: `test_sharding.py` runs them in a process where XLA makes four of a CPU."""

from dataclasses import fields
from functools import cache, partial

import jax
import numpy as np
import pytest

from optbench import problems
from optbench.optimizers import catalogue
from optbench.runner.train_cell import sweep_in_memory
from optbench.sweep import devices
from optbench.sweep.halving import sweep_halving
from optbench.sweep.problem_data import prepare
from optbench.sweep.step import Recipe
from optbench.sweep.sweep import Points, compile_sweep, sweep

TRIALS = ("0/select/0", "0/select/1", "0/select/2")
SYNTHETIC = {"data": "synthetic", "rows": 40, "dim": 3}

#: name -> problem, its parameters, optimizer, batch size, and which numbers of points are tried on which of devices.
CASES = {
    "minibatches": ("linear_regression", SYNTHETIC, "adamw", 8, {1: [4], 3: [4], 5: [2, 4], 8: [4]}),
    "evaluation-params": ("linear_regression", SYNTHETIC, "schedule_free_adamw", 8, {5: [4]}),
    "full-batches": ("linear_regression", SYNTHETIC, "lbfgs", "full", {3: [2]}),
    "stream": ("quadratic", {"dim": 5, "condition": 10.0, "noise": 0.1}, "adam", 4, {5: [4]}),
    "network": ("mlp", {"data": "iris", "width": 4}, "adam", 8, {3: [2]}),
}


@cache
def problem(family, parameters):
    return problems.factory(family)(**dict(parameters))


def assert_same(curves, expected):
    """Compare everything that a sweep returns; NaN equals NaN.

    Up to rounding, as where points are split: how many trials are computed together decides the order of some sums.
    """
    for field in fields(expected):
        got, wanted = getattr(curves, field.name), getattr(expected, field.name)
        pairs = [(got[name], wanted[name]) for name in wanted] if isinstance(wanted, dict) else [(got, wanted)]
        for pair in pairs:
            np.testing.assert_allclose(*pair, rtol=1e-12, err_msg=field.name)


@pytest.mark.parametrize(("case", "num_points"), [(name, num) for name in CASES for num in CASES[name][-1]])
def test_several_devices_give_the_curves_of_one(train, case, num_points):
    family, parameters, optimizer, batch_size, tried = CASES[case]
    asked = {
        "hyperparameters": {"learning_rate": np.geomspace(1e-3, 1e-1, num_points)},
        "batch_size": batch_size,
        "record_every": 3,
        "trials": TRIALS,
        "schedules": (("constant", 0.0), ("cosine", 0.25)),
        "schedule": np.arange(num_points) % 2,
    }
    what = problem(family, tuple(parameters.items())), catalogue()[optimizer]
    one = train(*what, steps=8, **asked)
    assert one.step_loss.shape == (3, num_points, 8)
    for num_devices in tried[num_points]:
        assert_same(train(*what, steps=8, num_devices=num_devices, **asked), one)


@pytest.mark.parametrize(("num_points", "probes"), [(5, ("distance", "gradient_norm")), (1, ("seed_distance",))])
def test_what_is_measured_beside_the_loss_is_that_of_one_device(train, num_points, probes):
    """At records of the points of each device, and at the end of the one point whose copies fill the devices."""
    asked = {"hyperparameters": {"learning_rate": np.geomspace(1e-3, 1e-1, num_points)}, "batch_size": 8}
    asked |= {"record_every": 3, "trials": TRIALS, "probes": probes}
    what = problem("linear_regression", tuple(SYNTHETIC.items())), catalogue()["schedule_free_adamw"]
    one = train(*what, steps=6, **asked)
    assert {*probes} <= one.metrics.keys()
    assert_same(train(*what, steps=6, num_devices=4, **asked), one)


@pytest.mark.parametrize("optimizer", ["adam", "noisy_sgd"])
def test_points_that_are_dropped_are_packed_on_every_device(train, optimizer):
    """With what numpy has no type for: noisy_sgd carries random keys."""
    asked = {"hyperparameters": {"learning_rate": np.geomspace(1e-3, 1e-1, 13)}, "trials": TRIALS, "parts": 4}
    what = problem("quadratic", (("dim", 5), ("condition", 10.0))), catalogue()[optimizer]
    halve = partial(sweep_halving, shares=(1 / 8, 1 / 2))
    one = train(*what, steps=16, how=halve, **asked)
    assert_same(train(*what, steps=16, how=halve, num_devices=2, **asked), one)
    assert (one.stopped_at >= 0).sum() == 9


def test_a_diverged_trial_touches_none_on_its_own_or_another_device(train):
    rates = np.array([0.1, 1e30, 0.2, 0.3, 1e30])
    what = problem("quadratic", (("dim", 5), ("condition", 10.0))), catalogue()["sgd"]
    one = train(*what, {"learning_rate": rates}, 20, trials=TRIALS)
    several = train(*what, {"learning_rate": rates}, 20, trials=TRIALS, num_devices=4)
    assert_same(several, one)
    assert (several.diverged_at >= 0).tolist() == [[False, True, False, False, True]] * 3


@pytest.fixture
def compiled():
    """Compile adamw on a regression: compiled(devices, points, limit_bytes) -> Compiled, Points."""

    def call(num_devices, num_points, limit_bytes=2**40):
        chosen = jax.devices()[:num_devices]
        prepared = prepare(problem("linear_regression", tuple(SYNTHETIC.items())), "float64", *chosen)
        recipe = Recipe(prepared, catalogue()["adamw"], 8, 6, 3)
        rates = np.geomspace(1e-3, 1e-1, num_points)
        points = Points({"learning_rate": rates}, np.zeros(num_points, int), np.ones((6, 1)))
        return compile_sweep(recipe, points, TRIALS, limit_bytes), points

    with devices.settings("float64", jax.devices()[0]):
        yield call


@pytest.mark.parametrize(("num_devices", "num_points", "padded"), [(1, 5, 5), (2, 5, 6), (4, 5, 8), (4, 1, 4)])
def test_every_device_has_equally_many_points(compiled, num_devices, num_points, padded):
    program, _ = compiled(num_devices, num_points)
    assert program.num_points == padded
    for sharding in jax.tree.leaves((program.chunk.output_shardings, program.evaluate.output_shardings)):
        assert len(sharding.device_set) == num_devices
    losses = program.evaluate.output_shardings.shard_shape((2, len(TRIALS), padded))
    assert losses == (2, len(TRIALS), padded // num_devices)


def test_points_are_split_by_the_memory_of_each_device(compiled):
    one, points = compiled(1, 24)
    two, _ = compiled(2, 24)
    # The data is whole on each.
    assert 0.5 * one.memory_bytes < two.memory_bytes < 0.7 * one.memory_bytes
    assert (two.num_points, two.split_for_memory) == (24, False)
    split, _ = compiled(2, 24, two.memory_bytes - 1)
    assert (split.num_points, split.split_for_memory) == (12, True)
    assert_same(sweep(split, points), sweep(one, points))


def test_points_that_never_fit_end_as_out_of_memory(compiled, monkeypatch):
    def full(*_):
        tried.append(_[0].num_points)
        raise MemoryError

    tried = []
    # One point on each device is the least there can be.
    monkeypatch.setattr("optbench.runner.train_cell.sweep", full)
    with pytest.raises(MemoryError):
        sweep_in_memory(*compiled(4, 5), 2**40)
    assert tried == [8, 4]


def test_devices_are_picked_in_order():
    assert devices.pick_several("cpu", 3) == tuple(jax.devices()[:3])
    with pytest.raises(
        ValueError, match="devices: 5 is not accepted; accepted: 1 to 4, the cpu devices here; XLA_FLAGS"
    ):
        devices.pick_several(None, 5)


def test_devices_of_the_host_share_its_memory(monkeypatch):
    monkeypatch.setattr(devices, "_free_host_bytes", lambda: 1000)
    assert devices.memory_limit_bytes(*jax.devices()) == devices.USABLE * 250
