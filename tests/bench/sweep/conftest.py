from collections.abc import Callable
from typing import Any

import jax
import numpy as np
import pytest

from optbench.sweep import devices
from optbench.sweep.curves import Curves
from optbench.sweep.problem_data import prepare
from optbench.sweep.schedules import multipliers
from optbench.sweep.step import Recipe
from optbench.sweep.sweep import Points, compile_sweep, measuring_ends, sweep

#: Identity, dtype, devices -> the problem, and what its cells share: those of the last sweep, for the next one
_PREPARED: dict[Any, Any] = {}


def _prepare(problem, dtype, num_devices, probes):
    """Prepare a problem once for tests in a row that sweep it. The problem is held on to, so that none takes its id."""
    asked = id(problem), dtype, num_devices, probes
    if asked not in _PREPARED:
        _PREPARED.clear()
        _PREPARED[asked] = problem, prepare(problem, dtype, *jax.devices()[:num_devices], probes=probes)
    return _PREPARED[asked][1]


def _train(
    problem,
    optimizer,
    hyperparameters,
    steps,
    *,
    dtype="float64",
    batch_size="full",
    record_every=1,
    trials=("0/select/0",),
    schedules=(("constant", 0.0),),
    schedule=None,
    coupled=False,
    static=None,
    limit_bytes=2**40,
    parts=1,
    num_devices=1,
    how=sweep,
    probes=(),
) -> Curves:
    values = {name: np.atleast_1d(np.asarray(value, float)) for name, value in hyperparameters.items()}
    num = max(len(value) for value in values.values())
    values = {name: np.broadcast_to(value, num) for name, value in values.items()}
    table = np.stack([multipliers(name, warmup, steps) for name, warmup in schedules], axis=1)
    index = np.zeros(num, int) if schedule is None else np.asarray(schedule)
    chosen = jax.devices()[:num_devices]
    with devices.settings(dtype, chosen[0]), jax.numpy_rank_promotion("raise"):
        prepared = _prepare(problem, dtype, num_devices, tuple(probes))
        recipe = Recipe(prepared, optimizer, batch_size, steps, record_every, coupled, static or {})
        points = Points(values, index, table)
        compiled = compile_sweep(recipe, points, trials, limit_bytes, parts)
        return how(compiled if num > 1 else measuring_ends(compiled, points), points)


@pytest.fixture
def train() -> Callable[..., Curves]:
    """Sweep an optimizer over a grid: train(problem, optimizer, {name: values}, steps, ...) -> Curves."""
    return _train
