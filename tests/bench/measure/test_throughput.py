"""Loops that are timed train for real; and turns, trips and failures of timing, with clocks that are made up."""

import jax
import jax.numpy as jnp
import numpy as np
import optax
import pytest

from bench.measure import devices, throughput
from bench.measure.memory import num_elements, tree_bytes
from bench.measure.prepare import prepare
from bench.measure.program import Recipe
from bench.measure.seeds import batch_rows
from bench.measure.throughput import (
    TRIAL,
    Effort,
    Result,
    Timed,
    compile_loop,
    gradient_loop,
    interleave,
    time_in_turns,
    training_loop,
)
from optimizers import catalogue
from problems import factory
from problems.problem import Problem

CURVATURE = np.array([1.0, 0.5, 0.1])
ROWS = np.random.default_rng(0).standard_normal((12, 3))
START = np.array([1.0, -2.0, 3.0])


@pytest.fixture(autouse=True)
def _float64():
    with devices.settings("float64", jax.devices()[0]), jax.numpy_rank_promotion("raise"):
        yield


def problem(loss, **fields):
    metrics = lambda x, data: {"loss": jnp.sum(x)}  # noqa: E731
    return Problem(init=lambda key: jnp.asarray(START), loss=loss, metrics=metrics, source="by hand", **fields)


def bowl():
    """f(x) = sum(h x^2)/2, whose gradient is h x."""
    return problem(lambda x, batch, key: jnp.sum(jnp.asarray(CURVATURE) * x**2) / 2)


def means():
    """Half the mean squared distance to the rows of a batch: the gradient is x minus their mean."""
    return problem(lambda x, rows, key: jnp.mean(jnp.sum((x[None] - rows) ** 2, axis=1)) / 2, train=ROWS)


def means_of_batches(size, steps):
    return ROWS[batch_rows([TRIAL], len(ROWS), size, 0, steps)[:, 0]].mean(axis=1)


def recipe_of(what, optimizer, batch_size="full", dtype="float64", **fields):
    prepared = prepare(what, dtype, jax.devices()[0])
    return Recipe(prepared, catalogue()[optimizer], batch_size, steps=1, record_every=1, **fields)


def compiled(what, optimizer, batch_size="full", device=None, **hyperparameters):
    loop = training_loop(recipe_of(what, optimizer, batch_size), hyperparameters)
    return compile_loop(loop, device or jax.devices()[0])


def after(timed, trips):
    """Copy what is left after some trips: the buffers themselves are used again."""
    timed.seconds(trips)
    return jax.tree.map(np.array, timed.carry)


class TestTraining:
    @pytest.mark.parametrize(
        ("name", "parameters", "batch_size", "optimizer", "transformation"),
        [
            ("logistic_regression", {}, 32, "adamw", optax.adamw(0.01, weight_decay=0.0)),
            (
                "linear_regression",
                {"data": "synthetic", "rows": 20, "dim": 3},
                4,
                "lion",
                optax.lion(0.01, weight_decay=0.0),
            ),
            ("quadratic", {"dim": 4, "noise": 0.1}, 3, "adam", optax.adam(0.01)),
        ],
        ids=["minibatches", "rows", "stream"],
    )
    def test_is_a_plain_loop_of_optax(self, name, parameters, batch_size, optimizer, transformation):
        what, steps = factory(name)(**parameters), 5
        recipe = recipe_of(what, optimizer, batch_size)
        timed = compile_loop(training_loop(recipe, {"learning_rate": 0.01}), jax.devices()[0])

        @jax.jit
        def step(params, state, batch, key):
            value, gradient = jax.value_and_grad(what.loss)(params, batch, jax.random.wrap_key_data(key))
            updates, state = transformation.update(gradient, state, params)
            return optax.apply_updates(params, updates), state, value

        train, fed = recipe.prepared.train, recipe.prepared.inputs([TRIAL], batch_size, 0, steps)
        batches = [train] * steps if batch_size == "full" else [now[0] for now in fed]
        if batch_size != "full" and what.sample is None:
            batches = [jax.tree.map(lambda a, rows=rows: a[rows], train) for rows in batches]
        params = jax.tree.map(lambda a: a[0], recipe.prepared.init([TRIAL]))
        state, keys = transformation.init(params), recipe.prepared.keys([TRIAL], 0, steps)[:, 0]
        for batch, key in zip(batches, keys, strict=True):
            params, state, value = step(params, state, batch, key)

        trained, _, loss = after(timed, steps)
        jax.tree.map(lambda a, b: np.testing.assert_allclose(a, b, rtol=1e-9, atol=1e-12), trained, params)
        assert loss == pytest.approx(float(value), rel=1e-9)

    @pytest.mark.parametrize("trips", [1, 2, 30])
    def test_descends_in_closed_form(self, trips):
        """x <- x - lr h x is x <- (1 - lr h) x; the loss is the one before the last update."""
        x, _, loss = after(compiled(bowl(), "sgd", learning_rate=0.5), trips)
        np.testing.assert_allclose(x, (1 - 0.5 * CURVATURE) ** trips * START, rtol=1e-12)
        before = (1 - 0.5 * CURVATURE) ** (trips - 1) * START
        assert loss == pytest.approx(np.sum(CURVATURE * before**2) / 2, rel=1e-12)

    def test_every_call_starts_again(self):
        timed = compiled(means(), "adamw", 4, learning_rate=0.1)
        first, other, again = after(timed, 3), after(timed, 8), after(timed, 3)
        assert repr(first) == repr(again)
        assert repr(first) != repr(other)

    def test_batches_come_round_again(self, monkeypatch):
        monkeypatch.setattr(throughput, "BATCHES", 3)
        x, expected = after(compiled(means(), "sgd", 4, learning_rate=0.5), 5)[0], START
        for mean in means_of_batches(4, 3)[[0, 1, 2, 0, 1]]:
            expected = expected - 0.5 * (expected - mean)
        np.testing.assert_allclose(x, expected, rtol=1e-12)

    @pytest.mark.parametrize("coupled", [False, True], ids=["decoupled", "coupled"])
    def test_momentum_decays_as_asked(self, coupled):
        rate, decay, x, trace = 0.1, 0.3, START, 0.0
        for _ in range(4):
            gradient = CURVATURE * x + coupled * decay * x
            trace = 0.9 * trace + gradient
            x = x - rate * trace - (not coupled) * rate * decay * x
        recipe = recipe_of(bowl(), "sgd_momentum", coupled=coupled)
        loop = training_loop(recipe, {"learning_rate": rate, "weight_decay": decay})
        np.testing.assert_allclose(after(compile_loop(loop, jax.devices()[0]), 4)[0], x, rtol=1e-12)

    def test_constraints_hold(self):
        """A problem's projection comes after each update, as in a sweep."""
        above = problem(lambda x, batch, key: jnp.sum(x), project=lambda x: jnp.maximum(x, 0.5))
        x, *_ = after(compiled(above, "sgd", learning_rate=1.0), 3)
        assert x.tolist() == [0.5, 0.5, 0.5]


class TestGradient:
    @pytest.mark.parametrize("trips", [1, 4])
    def test_is_of_the_last_batch_at_fixed_parameters(self, trips):
        loop = gradient_loop(prepare(means(), "float64", jax.devices()[0]), 4)
        value, gradient = after(compile_loop(loop, jax.devices()[0]), trips)
        rows = ROWS[batch_rows([TRIAL], len(ROWS), 4, 0, trips)[-1, 0]]
        np.testing.assert_allclose(gradient, START - rows.mean(axis=0), rtol=1e-12)
        assert value == pytest.approx(np.mean(np.sum((START - rows) ** 2, axis=1)) / 2, rel=1e-12)

    def test_of_the_whole_set(self):
        loop = gradient_loop(prepare(means(), "float64", jax.devices()[0]), "full")
        _, gradient = after(compile_loop(loop, jax.devices()[0]), 2)
        np.testing.assert_allclose(gradient, START - ROWS.mean(axis=0), rtol=1e-12)

    def test_costs_less_than_plain_descent_and_that_less_than_adam(self):
        gradient = gradient_loop(prepare(means(), "float64", jax.devices()[0]), 4).flops
        sgd, adamw = (
            training_loop(recipe_of(means(), name, 4), {"learning_rate": 0.1}).flops for name in ("sgd", "adamw")
        )
        assert 0 < gradient < sgd < adamw
        assert compiled(means(), "sgd", 4, learning_rate=0.1).flops_per_step == sgd


class Elsewhere(jax.sharding.SingleDeviceSharding):
    """Stand for a device that is no CPU, on this one's memory."""

    platform = "gpu"


class TestTrips:
    def test_many_steps_a_trip_train_the_same(self):
        elsewhere = compiled(means(), "adamw", 4, Elsewhere(jax.devices()[0]), learning_rate=0.1)
        here = compiled(means(), "adamw", 4, learning_rate=0.1)
        assert (here.steps_per_trip, elsewhere.steps_per_trip) == (1, 16)
        for found, expected in zip(*map(jax.tree.leaves, (after(elsewhere, 5), after(here, 80))), strict=True):
            np.testing.assert_allclose(found, expected, rtol=1e-9)

    @pytest.mark.parametrize(
        ("asked", "here", "elsewhere"), [(1, 1, 1), (10, 10, 5), (16, 16, 1), (200, 200, 25), (0, 1, 1)]
    )
    def test_are_whole_periods(self, asked, here, elsewhere):
        """Of 16 steps a trip, 25 trips are the fewest that are whole times 200 steps."""
        loop = throughput.Loop(lambda arguments, carry, index: carry + 1, (), jnp.zeros(()), 1, asked)
        assert compile_loop(loop, jax.devices()[0]).period == here
        assert compile_loop(loop, Elsewhere(jax.devices()[0])).period == elsewhere

    @pytest.mark.parametrize(
        ("optimizer", "settings", "period"),
        [
            ("galore", {}, 200),
            ("galore", {"update_proj_gap": 7}, 7),
            ("sophia", {"learning_rate": 0.1}, 10),
            ("adamw", {"learning_rate": 0.1}, 1),
        ],
        ids=["galore", "galore-7", "sophia", "adamw"],
    )
    def test_period_of(self, optimizer, settings, period):
        assert catalogue()[optimizer].period(settings) == period

    def test_first_call_is_one_trip(self):
        """It is made when the loop is compiled, so that what can't run fails there."""
        calls = []

        def call(arguments, carry, index):
            jax.debug.callback(lambda at: calls.append(int(at)), index)
            return carry + 1

        timed = compile_loop(throughput.Loop(call, (), jnp.zeros(()), 1), jax.devices()[0])
        jax.effects_barrier()
        assert calls == [0]
        assert timed.carry is None


TICK = 2.0**-10


class Fake(Timed):
    """Take a tick of a made-up clock a trip, write every call down, and hold `size` bytes."""

    def __init__(self, name, log, size=0, period=1, steps_per_trip=1, start=(), fails=False):
        super().__init__(None, None, start, 0.0, None, size, 0, steps_per_trip, period)
        self.name, self.log, self.fails = name, log, fails

    def seconds(self, trips):
        self.log.append((self.name, trips))
        if self.fails:
            raise RuntimeError(f"{self.name} fell over")
        self.carry = "taken"
        return trips * TICK


def names(log):
    return "".join(name for name, _ in log)


class TestTurns:
    def test_go_forth_and_back(self):
        log = []
        interleave([Fake(name, log) for name in "abc"], Effort(5, 0.0))
        assert names(log)[-15:] == "abccba" * 2 + "abc"
        # Each is tried before, for itself.
        assert names(log)[:-15] == "".join(sorted(names(log)[:-15]))
        assert set(names(log)[:-15]) == set("abc")

    @pytest.mark.parametrize(
        ("min_seconds", "period", "trips"),
        [
            # 5 ms are 5.12 ticks; 40 ms in 4 calls are 10.24 ticks each.
            (0.0, 1, 6),
            (0.04, 1, 11),
            (0.04, 4, 12),
            (0.04, 200, 200),
            (0.04, 11, 11),
        ],
    )
    def test_calls_last_as_asked_in_whole_periods(self, min_seconds, period, trips):
        log = []
        (samples,) = interleave([Fake("a", log, period=period, steps_per_trip=16)], Effort(4, min_seconds))
        assert [num for _, num in log[-4:]] == [trips] * 4
        assert all(num % period == 0 for _, num in log)
        assert samples.steps_per_call == 16 * trips
        assert samples.step_seconds.tolist() == [TICK / 16] * 4


class TestTogether:
    effort = Effort(2, 0.0)

    def test_results_come_in_order_beside_the_baselines(self):
        log = []
        base, some = Fake("z", log), [Fake(name, log) for name in "ab"]
        results = time_in_turns([lambda one=one: one for one in some], [base], self.effort, 2**40)
        assert [result.timed for result in results] == some
        assert [[len(beside.step_seconds) for beside in result.baselines] for result in results] == [[2], [2]]
        assert names(log)[-6:] == "zabbaz"

    def test_a_baseline_among_them_is_timed_once(self):
        log = []
        base, other = Fake("z", log), Fake("a", log)
        first, second = time_in_turns([lambda: base, lambda: other], [base], self.effort, 2**40)
        assert names(log)[-4:] == "zaaz"
        assert first.samples is first.baselines[0] is second.baselines[0]

    def test_as_many_as_fit_with_the_baselines_in_every_turn(self):
        log = []
        base = Fake("z", log, size=10)
        makers = [lambda name=name: Fake(name, log, size=40) for name in "abc"]
        results = time_in_turns(makers, [base], self.effort, 100)
        assert [result.timed.name for result in results] == ["a", "b", "c"]
        # Trials before, which are shorter than 5 ms, choose 6 trips.
        assert names(call for call in log if call[1] == 6) == "zabbaz" + "zccz"

    def test_room_is_made_before_the_next_one_takes_it(self):
        """The third is expected to be as large as the first."""
        log = []

        def make(name, size):
            log.append((f"<{name}>", 6))
            return Fake(name, log, size=size)

        sizes = {"a": 60, "b": 30, "c": 20}
        time_in_turns([lambda name=name: make(name, sizes[name]) for name in sizes], [], self.effort, 120)
        assert names(call for call in log if call[1] == 6) == "<a>" + "<b>" + "abba" + "<c>" + "cc"

    def test_what_is_larger_than_memory_is_timed_alone(self):
        log = []
        results = time_in_turns([lambda name=name: Fake(name, log, size=200) for name in "ab"], [], self.effort, 100)
        assert [result.timed.name for result in results] == ["a", "b"]
        assert names(log)[-2:] == "bb"

    @pytest.mark.parametrize("error", [ValueError("boom"), SystemExit(3)], ids=["raises", "exits"])
    def test_what_cannot_be_made_costs_itself(self, error):
        def fail():
            raise error

        before, failed, last = time_in_turns(
            [lambda: Fake("a", []), fail, lambda: Fake("b", [])], [Fake("z", [])], self.effort, 2**40
        )
        assert failed is error
        assert isinstance(before, Result) and isinstance(last, Result)

    def test_what_cannot_run_costs_itself(self):
        makers = [lambda name=name: Fake(name, [], fails=name == "b") for name in "abc"]
        first, failed, last = time_in_turns(makers, [Fake("z", [])], self.effort, 2**40)
        assert isinstance(failed, RuntimeError) and str(failed) == "b fell over"
        assert (first.timed.name, last.timed.name) == ("a", "c")

    def test_without_its_baseline_nothing_is_timed(self):
        makers = [lambda name=name: Fake(name, []) for name in "ab"]
        results = time_in_turns(makers, [Fake("z", [], fails=True)], self.effort, 2**40)
        assert [str(result) for result in results] == ["z fell over"] * 2

    def test_an_interrupt_ends_it(self):
        def interrupt():
            raise KeyboardInterrupt

        with pytest.raises(KeyboardInterrupt):
            time_in_turns([interrupt], [], self.effort, 2**40)

    def test_buffers_are_let_go(self):
        """Memory is counted for what waits, so what was timed must hold none; baselines stay for the next turn."""
        base, one = (Fake(name, [], start=(jnp.ones(3),)) for name in "za")
        (result,) = time_in_turns([lambda: one], [base], self.effort, 2**40)
        assert result.timed is one
        assert [type(leaf) for leaf in jax.tree.leaves(one.start)] == [jax.ShapeDtypeStruct]
        assert tree_bytes(one.start) == 24
        assert isinstance(base.start[0], jax.Array)
        assert one.carry is base.carry is None


def test_holds_its_start_and_what_a_call_takes():
    assert Fake("a", [], size=100, start=(jnp.ones(3), jnp.ones(2))).held_bytes == 140


MATRIX = (256, 512)


@pytest.fixture(scope="module")
def matrix():
    """Prepare a problem whose parameters are one float32 matrix."""
    square = lambda x: jnp.sum(x**2)  # noqa: E731
    what = Problem(
        init=lambda key: jnp.ones(MATRIX),
        loss=lambda x, batch, key: square(x),
        metrics=lambda x, data: {"loss": square(x)},
        source="by hand",
    )
    with devices.settings("float32", jax.devices()[0]):
        yield prepare(what, "float32", jax.devices()[0])


def state_of(matrix, optimizer):
    with devices.settings("float32", jax.devices()[0]):
        recipe = Recipe(matrix, catalogue()[optimizer], "full", steps=1, record_every=1)
        _, state, _ = training_loop(recipe, {"learning_rate": 0.1}).start
        return state


@pytest.mark.parametrize(
    ("optimizer", "each"),
    [
        ("sgd", 0),
        ("sgd_momentum", 1),
        ("lion", 1),
        ("adagrad", 1),
        ("rmsprop", 1),
        ("adam", 2),
        ("adamw", 2),
        ("amsgrad", 3),
        ("ademamix", 3),
        ("adan", 4),
    ],
)
def test_state_elements_per_parameter(matrix, optimizer, each):
    arrays = [leaf for leaf in jax.tree.leaves(state_of(matrix, optimizer)) if leaf.ndim]
    assert num_elements(arrays) == each * 256 * 512
    assert tree_bytes(arrays) == each * 4 * 256 * 512


def test_state_of_adafactor_is_a_row_and_a_column(matrix):
    """And a counter, and one element in place of the matrix that it factors: 770 in all."""
    shapes = sorted(leaf.shape for leaf in jax.tree.leaves(state_of(matrix, "adafactor")))
    assert shapes == [(), (1,), (256,), (512,)]
    assert num_elements(state_of(matrix, "adafactor")) == 770
