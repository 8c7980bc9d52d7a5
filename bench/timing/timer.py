"""Time optimizers step by step: one unbatched trial each, compiled ahead of time, taken in turns.

Wall-clock under `vmap` is a property of a sweep and never of an optimizer, so this is measured apart from sweeps.
"""

import time
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass
from functools import partial
from math import ceil, gcd
from typing import Any, NamedTuple

import jax
import jax.numpy as jnp
import numpy as np
from jaxtyping import Array, Float, PyTree

from optbench.sweep import devices
from optbench.sweep.memory import memory_bytes, tree_bytes
from optbench.timing.loops import Loop

#: Seconds that a timed call lasts at least: many times what starting it takes.
SHORTEST_CALL = 5e-3


@dataclass
class Timed:
    """Hold a compiled loop, and the buffers it works in."""

    compiled: Callable
    arguments: Any
    start: PyTree
    trace_seconds: float
    #: None where the program came out of the persistent compilation cache.
    compile_seconds: float | None
    peak_bytes: int
    flops_per_step: int
    #: Steps per trip of the loop, and trips after which an optimizer's work repeats.
    steps_per_trip: int
    period: int

    #: The first call after compilation, of the fewest steps a call can make, per step.
    first_step_seconds: float = 0.0
    carry: PyTree = None

    @property
    def held_bytes(self) -> int:
        """Count what it holds while it is timed: its start, and all that a call takes."""
        return tree_bytes(self.start) + self.peak_bytes

    def release(self) -> None:
        """Let go of all buffers; of the start its shapes stay."""
        self.start = jax.tree.map(lambda a: jax.ShapeDtypeStruct(a.shape, a.dtype), self.start)
        self.arguments = self.carry = None

    def seconds(self, trips: int) -> float:
        """Time one call from the start, blocking on every output.

        Every call does the same work, in the same buffers: fresh ones would be paged in at its expense.
        """
        used = jax.tree.map(jnp.copy, self.start) if self.carry is None else _restore(self.start, self.carry)
        carry, counted = jax.block_until_ready(used), np.int32(trips)
        began = time.perf_counter()
        self.carry = jax.block_until_ready(self.compiled(self.arguments, carry, counted))
        return time.perf_counter() - began


class Effort(NamedTuple):
    """Say how long to time each loop: in how many calls, and how many seconds over all of them."""

    repeats: int
    min_seconds: float


class Samples(NamedTuple):
    """Hold what timing one loop gave."""

    step_seconds: Float[np.ndarray, " repeat"]
    steps_per_call: int


class Result(NamedTuple):
    """Hold a timed loop, and beside it what it is compared with, timed in the same turns."""

    timed: Timed
    samples: Samples
    baselines: list[Samples]


@partial(jax.jit, donate_argnums=1, keep_unused=True, compiler_options=devices.RUN_ONCE)
def _restore(tree: PyTree, into: PyTree) -> PyTree:
    return jax.tree.map(jnp.copy, tree)


def compile_loop(loop: Loop, device: devices.Device) -> Timed:
    """Compile a loop ahead of time, with its carry donated. Call inside `devices.settings(...)`.

    Its trip count is an argument, so that one program serves any number of steps.
    """
    # A trip count that is no constant is read back by the host at every trip, which only a CPU gives for nothing.
    inner = 1 if device.platform == "cpu" else 16

    def run(arguments: Any, carry: PyTree, trips: Array) -> PyTree:
        def trip(outer: Array, carry: PyTree) -> PyTree:
            step = lambda index, carry: loop.call(arguments, carry, outer * inner + index)  # noqa: E731
            # A loop of one step would copy what it only reads.
            return step(0, carry) if inner == 1 else jax.lax.fori_loop(0, inner, step, carry)

        return jax.lax.fori_loop(0, trips, trip, carry)

    began = time.perf_counter()
    lowered = jax.jit(run, donate_argnums=1).lower(loop.arguments, loop.start, np.int32(1))
    traced = time.perf_counter()
    hits = devices.cache_hits()
    compiled = lowered.compile(devices.timing_options(device))
    compile_seconds = time.perf_counter() - traced if devices.cache_hits() == hits else None
    peak = memory_bytes(compiled)
    arguments, start = jax.device_put((loop.arguments, loop.start), device)
    # The fewest trips that make whole periods: 200 steps are no multiple of 16, 25 trips are 400.
    repeats = max(1, loop.period // gcd(loop.period, inner))
    timed = Timed(compiled, arguments, start, traced - began, compile_seconds, peak, loop.flops, inner, repeats)
    timed.first_step_seconds = timed.seconds(1) / inner
    timed.carry = None
    return timed


def time_in_turns(
    makers: Sequence[Callable[[], Timed]], baselines: Sequence[Timed], effort: Effort, limit_bytes: int
) -> list[Result | BaseException]:
    """Make loops and time them in turns with the baselines, as many at once as fit into memory.

    What can't be made or run is an exception in its place. What is timed lets go of its buffers.
    """
    results: dict[int, Result | BaseException] = {}
    waiting: dict[int, Timed] = {}

    def time_together(some: Mapping[int, Timed]) -> None:
        together = {id(one): one for one in (*baselines, *some.values())}
        failed = None
        try:
            samples = dict(zip(together, interleave([*together.values()], effort), strict=True))
        except Exception as error:
            failed = error
        else:
            beside = [samples[id(one)] for one in baselines]
            results.update({place: Result(one, samples[id(one)], beside) for place, one in some.items()})
        # Also what a failed call took and never gave back.
        for one in together.values():
            one.carry = None
        if failed is not None and len(some) == 1:
            results.update(dict.fromkeys(some, failed))
        elif failed is not None:
            # One by one, so that whichever failed costs no other its row.
            for place, one in some.items():
                time_together({place: one})

    def time_waiting() -> None:
        time_together(waiting)
        for one in waiting.values():
            if all(one is not baseline for baseline in baselines):
                one.release()
        waiting.clear()

    def held() -> int:
        return sum({id(one): one.held_bytes for one in (*baselines, *waiting.values())}.values())

    largest = 0
    for place, make in enumerate(makers):
        # Room for the next one, which is taken while it is made; how much that is, only those before it tell.
        if waiting and held() + largest > limit_bytes:
            time_waiting()
        try:
            made = make()
        except (Exception, SystemExit) as error:
            results[place] = error
            continue
        largest = max(largest, made.held_bytes)
        if waiting and held() + made.held_bytes > limit_bytes:
            time_waiting()
        waiting[place] = made
    if waiting:
        time_waiting()
    return [results[place] for place in range(len(makers))]


def interleave(timed: Sequence[Timed], effort: Effort) -> list[Samples]:
    """Time loops in turns, A B C and then C B A, so that a drifting clock hits all alike.

    Calls last SHORTEST_CALL seconds at least; warm-up comes before.
    """
    trips = [_trips(one, max(effort.min_seconds / effort.repeats, SHORTEST_CALL)) for one in timed]
    taken: list[list[float]] = [[] for _ in timed]
    for repeat in range(effort.repeats):
        order = range(len(timed)) if repeat % 2 == 0 else reversed(range(len(timed)))
        for place in order:
            taken[place].append(timed[place].seconds(trips[place]))
    steps = [num * one.steps_per_trip for one, num in zip(timed, trips, strict=True)]
    return [Samples(np.array(seconds) / num, num) for seconds, num in zip(taken, steps, strict=True)]


def _trips(timed: Timed, seconds: float) -> int:
    """Choose how many trips last as long as asked; whole periods, so that rare work weighs what it should."""
    trips = timed.period
    # The faster of two: one that was interrupted would end the search too early.
    while (took := min(timed.seconds(trips), timed.seconds(trips))) < seconds / 4:
        trips *= 2
    return timed.period * max(1, ceil(trips * seconds / took / timed.period))
