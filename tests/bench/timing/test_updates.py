"""Trees of chosen sizes and shapes, the bytes that their updates move, and that the timed updates are real ones."""

import jax
import jax.numpy as jnp
import numpy as np
import optax
import pytest

from optbench.optimizers import catalogue
from optbench.sweep import devices
from optbench.timing.timer import compile_loop
from optbench.timing.updates import SHAPES, WITHOUT_PROBLEM, count, needed_bytes, update_loop

RATE = {"learning_rate": 0.1}


@pytest.mark.parametrize("shape", SHAPES)
@pytest.mark.parametrize("num", [1, 2, 63, 64, 1000, 1999, 2001, 49_999, 50_000, 1_000_000, 123_456_789, 10**12])
def test_shapes_sum_up_to_what_was_asked(shape, num):
    shapes = SHAPES[shape](num)
    assert sum(int(np.prod(sides, dtype=object)) for sides in shapes.values()) == count(shapes) == num
    assert all(side >= 1 for sides in shapes.values() for side in sides)


def test_flat_is_one_vector():
    assert SHAPES["flat"](1000) == {"vector": (1000,)}


@pytest.mark.parametrize(
    ("num", "sizes"),
    [(3, [1] * 3), (2000, [1] * 2000), (2001, [1] * 1999 + [2]), (1_000_000, [500] * 2000)],
    ids=["few", "each-one", "one-more", "million"],
)
def test_many_small_are_as_many_vectors(num, sizes):
    assert list(SHAPES["many_small"](num).values()) == [(size,) for size in sizes]


class TestTransformer:
    def test_hundred_million_are_twelve_blocks_of_width_768(self):
        shapes = SHAPES["transformer"](10**8)
        assert {name.split("/")[0] for name in shapes if "/" in name} == {str(block) for block in range(12)}
        block = {name.split("/")[1]: sides for name, sides in shapes.items() if name.startswith("11/")}
        assert block["attention"] == (768, 2304) and block["projection"] == (768, 768)
        assert block["up"] == (768, 3072) and block["down"] == (3072, 768)
        # 4 matrices of 12 w^2 in all, their biases of 9 w, two norms of scale and bias: 4 w.
        assert sum(map(np.prod, block.values())) == 12 * 768**2 + 13 * 768 == 7_087_872
        rows, rest = divmod(10**8 - 12 * 7_087_872, 768)
        assert (shapes["embedding"], shapes["rest"]) == ((rows, 768), (rest,))

    def test_small_ones_are_an_embedding_alone(self):
        """A block of width 64 takes 49,984 parameters, which may be 86 % of the whole."""
        assert SHAPES["transformer"](63) == {"rest": (63,)}
        assert SHAPES["transformer"](1000) == {"embedding": (15, 64), "rest": (40,)}
        assert "0/up" not in SHAPES["transformer"](58_120)
        assert SHAPES["transformer"](58_121)["0/up"] == (64, 256)


@pytest.mark.parametrize(
    ("optimizer", "dtype", "expected"),
    [
        # The gradient, and twice: parameters, two moments, and a counter of 4 bytes.
        ("adamw", "float32", 4 * (1000 + 2 * 3 * 1000) + 2 * 4),
        ("adamw", "float64", 8 * (1000 + 2 * 3 * 1000) + 2 * 4),
        ("sgd", "float32", 4 * (1000 + 2 * 1000)),
        ("sgd_momentum", "float32", 4 * (1000 + 2 * 2 * 1000)),
    ],
    ids=["adamw", "adamw-float64", "sgd", "momentum"],
)
def test_needed_bytes(optimizer, dtype, expected):
    with devices.settings(dtype, jax.devices("cpu")[0]):
        assert needed_bytes(catalogue()[optimizer], RATE, SHAPES["flat"](1000), dtype) == expected


def test_needed_bytes_of_what_no_machine_holds():
    with devices.settings("float32", jax.devices("cpu")[0]):
        assert needed_bytes(catalogue()["sgd"], RATE, SHAPES["flat"](10**12), "float32") == 12 * 10**12


@pytest.mark.parametrize(
    ("optimizer", "settings", "state", "moved"),
    [
        ("sgd", RATE, 0, 3),
        ("sgd_momentum", RATE | {"momentum": 0.5}, 1, 5),
        ("adamw", RATE | {"weight_decay": 0.1}, 2, 7),
    ],
)
def test_bytes_are_counted_from_sizes(optimizer, settings, state, moved):
    """Parameters and state read and written, the gradient read; counters apart."""
    num = 5000
    with devices.settings("float32", jax.devices("cpu")[0]):
        loop, state_bytes, bytes_moved = update_loop(catalogue()[optimizer], settings, SHAPES["flat"](num), "float32")
    counters = sum(leaf.nbytes for leaf in jax.tree.leaves(loop.start) if not leaf.ndim)
    assert state_bytes == state * 4 * num + counters
    assert bytes_moved == moved * 4 * num + 2 * counters
    assert counters <= 4


def test_updates_are_those_of_optax():
    """After five trips everything is what five updates by the same gradient give."""
    settings, transformation = {"learning_rate": 0.1, "weight_decay": 0.3}, optax.adamw(0.1, weight_decay=0.3)
    with devices.settings("float64", jax.devices("cpu")[0]):
        loop, _, _ = update_loop(catalogue()["adamw"], settings, SHAPES["transformer"](100), "float64")
        gradient, (params, state) = loop.arguments, loop.start
        step = jax.jit(transformation.update)
        for _ in range(5):
            updates, state = step(gradient, state, params)
            params = optax.apply_updates(params, updates)
        timed = compile_loop(loop, jax.devices("cpu")[0])
        timed.seconds(5)
        for found, expected in zip(*map(jax.tree.leaves, (timed.carry, (params, state))), strict=True):
            np.testing.assert_allclose(found, expected, rtol=1e-9, atol=1e-12)


def test_a_large_vector_has_something_to_do():
    """Neither equal nor zero anywhere, also beyond the block of numbers that repeats."""
    with devices.settings("float32", jax.devices("cpu")[0]):
        loop, _, _ = update_loop(catalogue()["sgd"], RATE, SHAPES["flat"](2_100_000), "float32")
        x, gradient = np.asarray(loop.start[0]["vector"]), np.asarray(loop.arguments["vector"])
    assert x.shape == gradient.shape == (2_100_000,)
    for values, spread in ((x, 0.1), (gradient, 0.01)):
        assert np.isfinite(values).all() and np.count_nonzero(values) == values.size
        assert values.std() == pytest.approx(spread, rel=0.01)
        assert values[-1000:].std() > spread / 2


def test_dpsgd_sees_a_batch_of_one():
    """Its clipping to norm 1 leaves this gradient whole; noise of 0 makes it plain descent."""
    with devices.settings("float64", jax.devices("cpu")[0]):
        entry, settings = catalogue()["dpsgd"], RATE | {"noise_multiplier": 0.0}
        loop, _, _ = update_loop(entry, settings, SHAPES["flat"](50), "float64")
        params, _ = jax.jit(loop.call)(loop.arguments, loop.start, jnp.int32(0))
        expected = loop.start[0]["vector"] - 0.1 * loop.arguments["vector"]
        np.testing.assert_allclose(params["vector"], expected, rtol=1e-9)


def test_what_evaluates_the_problem_does_not_run_alone():
    assert {name for name, entry in catalogue().items() if not entry.needs <= WITHOUT_PROBLEM} == {
        "lbfgs",
        "sam",
        "sophia",
    }
