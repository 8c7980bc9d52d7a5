"""Turns, trips and failures of timing, with clocks that are made up."""

import jax
import jax.numpy as jnp
import pytest

from optbench.optimizers import catalogue
from optbench.sweep import devices
from optbench.sweep.memory import tree_bytes
from optbench.timing.loops import Loop
from optbench.timing.timer import CompiledLoop, Effort, Result, compile_loop, interleave, time_in_turns


@pytest.fixture(autouse=True)
def _float64():
    with devices.settings("float64", jax.devices("cpu")[0]), jax.numpy_rank_promotion("raise"):
        yield


class TestTrips:
    @pytest.mark.parametrize(
        ("period", "trips_on_cpu", "trips_elsewhere"), [(1, 1, 1), (10, 10, 5), (16, 16, 1), (200, 200, 25), (0, 1, 1)]
    )
    def test_are_whole_periods(self, elsewhere, period, trips_on_cpu, trips_elsewhere):
        """Of 16 steps a trip, 25 trips are the fewest that are whole times 200 steps."""
        loop = Loop(lambda arguments, carry, index: carry + 1, (), jnp.zeros(()), 1, period)
        assert compile_loop(loop, jax.devices("cpu")[0]).period == trips_on_cpu
        assert compile_loop(loop, elsewhere).period == trips_elsewhere

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

        loop = compile_loop(Loop(call, (), jnp.zeros(()), 1), jax.devices("cpu")[0])
        jax.effects_barrier()
        assert calls == [0]
        assert loop.carry is None


TICK = 2.0**-10


class Fake(CompiledLoop):
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
        base, loops = Fake("z", log), [Fake(name, log) for name in "ab"]
        results = time_in_turns([lambda loop=loop: loop for loop in loops], [base], self.effort, 2**40)
        assert [result.loop for result in results] == loops
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
        assert [result.loop.name for result in results] == ["a", "b", "c"]
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
        assert [result.loop.name for result in results] == ["a", "b"]
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
        assert (first.loop.name, last.loop.name) == ("a", "c")

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
        base, loop = (Fake(name, [], start=(jnp.ones(3),)) for name in "za")
        (result,) = time_in_turns([lambda: loop], [base], self.effort, 2**40)
        assert result.loop is loop
        assert [type(leaf) for leaf in jax.tree.leaves(loop.start)] == [jax.ShapeDtypeStruct]
        assert tree_bytes(loop.start) == 24
        assert isinstance(base.start[0], jax.Array)
        assert loop.carry is base.carry is None


def test_holds_its_start_and_what_a_call_takes():
    assert Fake("a", [], size=100, start=(jnp.ones(3), jnp.ones(2))).buffer_bytes == 140
