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
class CompiledLoop:
    """A compiled loop, and the buffers it works in."""

    compiled: Callable
    arguments: Any
    start: PyTree
    trace_seconds: float
    #: None if the program came out of the persistent compilation cache.
    compile_seconds: float | None
    peak_bytes: int
    flops_per_step: int
    #: Steps per trip of the loop.
    steps_per_trip: int
    #: Trips after which an optimizer's work repeats.
    period: int

    #: The first call after compilation, of the fewest steps a call can make, per step.
    first_step_seconds: float = 0.0
    carry: PyTree = None

    @property
    def buffer_bytes(self) -> int:
        """Memory it takes while it is timed: its start, and all that a call allocates."""
        return tree_bytes(self.start) + self.peak_bytes

    def release(self) -> None:
        """Release all buffers; the start becomes its shapes and dtypes."""
        self.start = jax.tree.map(lambda a: jax.ShapeDtypeStruct(a.shape, a.dtype), self.start)
        self.arguments = self.carry = None

    def seconds(self, trips: int) -> float:
        """Return the seconds of one call from the start, blocking on every output.

        Every call does the same work, in the same buffers: the system would page fresh ones in while the clock runs.
        """
        carry = jax.tree.map(jnp.copy, self.start) if self.carry is None else _restore(self.start, self.carry)
        carry, num_trips = jax.block_until_ready(carry), np.int32(trips)
        began = time.perf_counter()
        self.carry = jax.block_until_ready(self.compiled(self.arguments, carry, num_trips))
        return time.perf_counter() - began


class Effort(NamedTuple):
    """How long to time each loop: the number of calls, and the least seconds over all of them."""

    repeats: int
    min_seconds: float


class Samples(NamedTuple):
    """The measured times of one loop."""

    step_seconds: Float[np.ndarray, " repeat"]
    steps_per_call: int


class Result(NamedTuple):
    """The samples of a loop, and those of its baselines in the same turns."""

    loop: CompiledLoop
    samples: Samples
    baselines: list[Samples]


@partial(jax.jit, donate_argnums=1, keep_unused=True, compiler_options=devices.RUN_ONCE)
def _restore(tree: PyTree, buffers: PyTree) -> PyTree:
    return jax.tree.map(jnp.copy, tree)


def compile_loop(loop: Loop, device: devices.Device) -> CompiledLoop:
    """Return a loop compiled ahead of time, with its carry donated. Call inside `devices.settings(...)`.

    Its trip count is an argument, so that one program serves any number of steps.
    """
    # The host reads a trip count that is no constant back at every trip, which costs nothing only on a CPU.
    inner = 1 if device.platform == "cpu" else 16

    def run(arguments: Any, carry: PyTree, trips: Array) -> PyTree:
        def trip(outer: Array, carry: PyTree) -> PyTree:
            step = lambda index, carry: loop.call(arguments, carry, outer * inner + index)  # noqa: E731
            # A loop of one step would copy what it only reads.
            return step(0, carry) if inner == 1 else jax.lax.fori_loop(0, inner, step, carry)

        return jax.lax.fori_loop(0, trips, trip, carry)

    trace_start = time.perf_counter()
    lowered = jax.jit(run, donate_argnums=1).lower(loop.arguments, loop.start, np.int32(1))
    compile_start = time.perf_counter()
    hits = devices.cache_hits()
    compiled = lowered.compile(devices.timing_options(device))
    compile_seconds = time.perf_counter() - compile_start if devices.cache_hits() == hits else None
    peak = memory_bytes(compiled)
    arguments, start = jax.device_put((loop.arguments, loop.start), device)
    # The fewest trips that make whole periods: 200 steps are no multiple of 16, 25 trips are 400.
    trips_per_period = max(1, loop.period // gcd(loop.period, inner))
    compiled_loop = CompiledLoop(
        compiled,
        arguments,
        start,
        compile_start - trace_start,
        compile_seconds,
        peak,
        loop.flops,
        inner,
        trips_per_period,
    )
    compiled_loop.first_step_seconds = compiled_loop.seconds(1) / inner
    compiled_loop.carry = None
    return compiled_loop


def time_in_turns(
    makers: Sequence[Callable[[], CompiledLoop]], baselines: Sequence[CompiledLoop], effort: Effort, limit_bytes: int
) -> list[Result | BaseException]:
    """Make loops and time them in turns with the baselines, as many at once as fit into memory.

    Return a result for each maker in order, or the exception of a loop that can't be made or run. Loops release their
    buffers after they are timed.
    """
    results: dict[int, Result | BaseException] = {}
    pending: dict[int, CompiledLoop] = {}

    def time_together(loops: Mapping[int, CompiledLoop]) -> None:
        by_id = {id(loop): loop for loop in (*baselines, *loops.values())}
        failure = None
        try:
            samples = dict(zip(by_id, interleave([*by_id.values()], effort), strict=True))
        except Exception as error:
            failure = error
        else:
            baseline_samples = [samples[id(loop)] for loop in baselines]
            results.update({index: Result(loop, samples[id(loop)], baseline_samples) for index, loop in loops.items()})
        # Also the buffers that a failed call took and never returned.
        for loop in by_id.values():
            loop.carry = None
        if failure is not None and len(loops) == 1:
            results.update(dict.fromkeys(loops, failure))
        elif failure is not None:
            # Each alone, so that the loop that failed costs no other its row.
            for index, loop in loops.items():
                time_together({index: loop})

    def time_pending() -> None:
        time_together(pending)
        for loop in pending.values():
            if all(loop is not baseline for baseline in baselines):
                loop.release()
        pending.clear()

    def pending_bytes() -> int:
        return sum({id(loop): loop.buffer_bytes for loop in (*baselines, *pending.values())}.values())

    largest = 0
    for index, make in enumerate(makers):
        # Room for the next loop, which takes it while it is made; the largest so far is the only estimate of its size.
        if pending and pending_bytes() + largest > limit_bytes:
            time_pending()
        try:
            loop = make()
        except (Exception, SystemExit) as error:
            results[index] = error
            continue
        largest = max(largest, loop.buffer_bytes)
        if pending and pending_bytes() + loop.buffer_bytes > limit_bytes:
            time_pending()
        pending[index] = loop
    if pending:
        time_pending()
    return [results[index] for index in range(len(makers))]


def interleave(loops: Sequence[CompiledLoop], effort: Effort) -> list[Samples]:
    """Return the samples of loops timed in turns, A B C and then C B A, so that a drifting clock hits all alike.

    Calls last SHORTEST_CALL seconds at least; each loop warms up before the first turn.
    """
    trips = [_trips(loop, max(effort.min_seconds / effort.repeats, SHORTEST_CALL)) for loop in loops]
    durations: list[list[float]] = [[] for _ in loops]
    for repeat in range(effort.repeats):
        order = range(len(loops)) if repeat % 2 == 0 else reversed(range(len(loops)))
        for index in order:
            durations[index].append(loops[index].seconds(trips[index]))
    steps_per_call = [num_trips * loop.steps_per_trip for loop, num_trips in zip(loops, trips, strict=True)]
    return [
        Samples(np.array(seconds) / num_steps, num_steps)
        for seconds, num_steps in zip(durations, steps_per_call, strict=True)
    ]


def _trips(loop: CompiledLoop, seconds: float) -> int:
    """Return the number of trips that last so many seconds, in whole periods, so that rare work has its true share."""
    trips = loop.period
    # The faster of two calls: an interrupted one would end the search too early.
    while (duration := min(loop.seconds(trips), loop.seconds(trips))) < seconds / 4:
        trips *= 2
    return loop.period * max(1, ceil(trips * seconds / duration / loop.period))
