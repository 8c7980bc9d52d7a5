"""Into how many parts a grid is compiled, and what each is fed: by what it would hold, without compiling anything."""

from types import SimpleNamespace
from typing import Any

import jax
import numpy as np
import pytest

from optbench.sweep import sweep
from optbench.sweep.step import Recipe
from optbench.sweep.sweep import Points, compile_sweep, out_of_memory

TRIALS = ("0/select/0", "0/select/1")


def points(num):
    return Points({"learning_rate": np.arange(1.0, num + 1)}, np.zeros(num, int), np.ones((4, 1)))


@pytest.fixture
def split(monkeypatch):
    """Say how a grid is split: split(points, ...) -> (points of a part, whether for memory), tried numbers of points.

    A point holds 10 bytes, and a program 5; one trial keeps `layer` bytes between two layers.
    """
    tried = []

    def compiled(recipe, written, points, trials, began):
        tried.append(len(points))
        memory = 5 + 10 * len(points) // recipe.prepared.num_devices
        return sweep.Compiled(recipe, written, None, None, None, trials, len(points), 0.0, 0.0, memory)

    def call(num, limit=10**6, *, layer=1, cache=10**6, devices=1, at_once=0, **asked):
        tried.clear()
        monkeypatch.setattr(sweep, "program", lambda recipe: SimpleNamespace(largest_bytes=layer))
        prepared = SimpleNamespace(num_devices=devices, cache_bytes=cache)
        recipe: Any = SimpleNamespace(prepared=prepared, at_once=at_once)
        made = compile_sweep(recipe, points(num), TRIALS, limit, **asked)
        return (made.num_points, made.split_for_memory), [*tried]

    monkeypatch.setattr(sweep, "_compile", compiled)
    return call


@pytest.mark.parametrize(
    ("num", "limit", "devices", "num_points", "tried"),
    [
        (12, 125, 1, 12, [12]),
        # One byte less: into two parts, the fewest there are.
        (12, 124, 1, 6, [12, 6]),
        # By the memory that one part took at the least: 125 / 30 are five parts of three.
        (12, 30, 1, 2, [12, 3, 2]),
        # A part of one point is tried whatever it holds.
        (12, 1, 1, 1, [12, 1]),
        (3, 1, 1, 1, [3, 1]),
        # Each device has as many points as the others.
        (5, 10**6, 4, 8, [8]),
        (12, 35, 4, 12, [12]),
        (12, 34, 4, 8, [12, 8]),
        (12, 1, 4, 4, [12, 4]),
    ],
)
def test_a_grid_is_split_until_it_fits_into_memory(split, num, limit, devices, num_points, tried):
    assert split(num, limit, devices=devices) == ((num_points, len(tried) > 1), tried)


@pytest.mark.parametrize(
    ("asked", "num_points"),
    [
        # Two seeds of twelve points keep 24 layers of 10 bytes.
        ({"cache": 240}, 12),
        ({"cache": 239}, 6),
        ({"cache": 80}, 4),
        ({"cache": 1}, 1),
        # Of six points at once as many are kept as those have.
        ({"cache": 60, "at_once": 6}, 12),
        ({"cache": 59, "at_once": 6}, 6),
        ({"parts": 3}, 4),
        ({"parts": 100}, 1),
        ({"parts": 2, "cache": 80}, 4),
        # None of them keeps less than it should.
        ({"parts": 4, "least_bytes": 60}, 3),
        ({"parts": 4, "least_bytes": 61}, 4),
        ({"parts": 4, "least_bytes": 1000}, 12),
        # But for those that are trained by the lot.
        ({"parts": 4, "least_bytes": 1000, "at_once": 6}, 3),
        # On two devices half of the points are kept on each.
        ({"cache": 120, "devices": 2}, 12),
        ({"cache": 119, "devices": 2}, 6),
    ],
    ids=str,
)
def test_a_grid_is_split_for_the_caches_or_as_asked(split, asked, num_points):
    """Which is no split for memory."""
    assert split(12, layer=10, **asked) == ((num_points, False), [num_points])


def test_a_split_for_the_caches_may_be_followed_by_one_for_memory(split):
    """No part is compiled twice: after parts of three, of which five hold twelve points too, come those of two."""
    assert split(12, 34, layer=10, cache=80) == ((2, True), [4, 3, 2])


def test_parts_of_a_grid_have_one_shape():
    grid = points(5)
    parts = [grid.part(first, 3).hyperparameters["learning_rate"].tolist() for first in (0, 3)]
    assert parts == [[1, 2, 3], [4, 5, 5]]
    assert len(grid) == 5 and len(grid.part(3, 3)) == 3
    per_seed = Points({"b1": np.array([[1.0, 2], [3, 4]])}, np.array([[0, 1], [1, 0]]), np.ones((4, 2)))
    assert len(per_seed) == 2
    one = per_seed.take([1])
    assert (one.hyperparameters["b1"].tolist(), one.schedule.tolist()) == ([[2], [4]], [[1], [0]])


@pytest.mark.parametrize("wide", [False, True])
def test_a_grid_is_fed_in_the_precision_of_the_run(wide):
    """What is beyond it is infinite; a seed of an optimizer is no negative number."""
    grid = Points({"rate": np.array([0.5, 1e300])}, np.array([1, 0]), np.ones((4, 2)))
    trials = tuple(f"0/select/{seed}" for seed in range(20))
    with jax.enable_x64(wide):
        fed = sweep._grid(grid, trials)
    assert fed.hyperparameters["rate"].dtype == (np.float64 if wide else np.float32)
    assert fed.hyperparameters["rate"].tolist() == [[0.5, 1e300 if wide else np.inf]] * 20
    assert fed.schedule.tolist() == [[1, 0]] * 20 and fed.schedule.dtype == np.int32
    assert fed.seeds.dtype == np.int32 and len({*fed.seeds.tolist()}) == 20
    # Of 31 bits each may be set.
    assert fed.seeds.min() >= 0 and np.bitwise_or.reduce(fed.seeds) == 2**31 - 1


@pytest.mark.parametrize(("first", "index", "rows"), [(0, [0, 1, 2], [0, 1, 2]), (3, [3, 4, 5], [3, 4, 4])])
def test_steps_past_the_last_are_fed_as_the_last(first, index, rows):
    """Of five steps in chunks of three."""
    asked = []
    prepared: Any = SimpleNamespace(
        inputs=lambda *given: asked.append(given) or "batches", keys=lambda *given: asked.append(given) or "keys"
    )
    recipe: Any = SimpleNamespace(prepared=prepared, steps=5, record_every=3, batch_size=8)
    table = np.arange(10.0).reshape(5, 2)
    chunk = sweep._chunk(recipe, Points({}, np.zeros(1, int), table), TRIALS, first)
    assert (chunk.batches, chunk.keys, chunk.step.tolist()) == ("batches", "keys", index)
    assert chunk.multipliers.tolist() == table[rows].tolist()
    assert asked == [(TRIALS, 8, first, first + 3), (TRIALS, first, first + 3)]


@pytest.mark.parametrize(
    ("error", "is_memory"),
    [
        (MemoryError(), True),
        (RuntimeError("RESOURCE_EXHAUSTED: Out of memory allocating 8 bytes"), True),
        (RuntimeError("INTERNAL: boom"), False),
        (ValueError("memory"), False),
    ],
)
def test_an_error_may_say_that_memory_was_not_enough(error, is_memory):
    assert out_of_memory(error) == is_memory


@pytest.mark.parametrize(
    ("coupled", "expected"),
    [
        (False, {"nesterov": True, "learning_rate": 0.1, "weight_decay": 0.5}),
        # Coupled decay is part of the objective, and none of the optimizer's.
        (True, {"nesterov": True, "learning_rate": 0.1}),
    ],
)
def test_an_optimizer_is_built_with_what_is_swept_and_what_is_fixed(coupled, expected):
    prepared: Any = None
    recipe = Recipe(prepared, prepared, 4, 5, 3, coupled, {"nesterov": True, "learning_rate": 9.0})
    assert recipe.settings({"learning_rate": 0.1, "weight_decay": 0.5}) == expected
