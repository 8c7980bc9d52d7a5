"""Train every point of a cell's grid with every seed, as one compiled program: the heart of the suite."""

import time
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from math import ceil
from typing import Any, NamedTuple

import jax
import numpy as np
from jaxtyping import Float, Int

from optbench.sweep import sharding
from optbench.sweep.curves import Curves, Pieces, beside, curves_of
from optbench.sweep.devices import DRAWS_BITS, RUN_ONCE
from optbench.sweep.ends import Ends, compile_ends, with_ends
from optbench.sweep.memory import memory_bytes
from optbench.sweep.step import Carry, Chunk, Grid, Program, Recipe, Shown, program
from optbench.sweep.streams import key_data


@dataclass(frozen=True)
class Points:
    """Hold a cell's grid: values per hyperparameter, and the schedule that each point follows.

    Both are arrays [point] where all seeds train the same settings, else [seed, point].
    """

    hyperparameters: Mapping[str, Float[np.ndarray, "*seed point"]]
    schedule: Int[np.ndarray, "*seed point"]
    #: Multipliers [step, schedule].
    multipliers: Float[np.ndarray, "step schedule"]

    def __len__(self) -> int:
        return self.schedule.shape[-1]

    def take(self, index: Sequence[int] | np.ndarray) -> "Points":
        """Select points by position."""
        chosen = {name: values[..., index] for name, values in self.hyperparameters.items()}
        return Points(chosen, self.schedule[..., index], self.multipliers)

    def part(self, first: int, num: int) -> "Points":
        """Select `num` points from one on; beyond the end the last is repeated, so that every part has one shape."""
        return self.take(np.minimum(np.arange(first, first + num), len(self) - 1))


class Compiled(NamedTuple):
    """Hold a cell's programs, compiled for `num_points` points at a time, equally many on each device."""

    recipe: Recipe
    program: Program
    start: Any
    chunk: Any
    evaluate: Any
    trials: tuple[str, ...]
    num_points: int
    trace_seconds: float
    compile_seconds: float
    #: Of one device.
    memory_bytes: int
    #: It had to be split to fit into memory, and not for the caches' sake alone.
    split_for_memory: bool = False
    #: What is measured of the last parameters, in the phase whose sweep measures them.
    ends: Ends | None = None


def compile_sweep(
    recipe: Recipe, points: Points, trials: Sequence[str], limit_bytes: int, parts: int = 1, least_bytes: int = 0
) -> Compiled:
    """Compile a cell for its whole grid, or for the largest equal part of it that fits into memory and caches.

    `limit_bytes` is what one device has. Into as many `parts` at least, but none that keeps less than `least_bytes`
    between two layers. Call inside `devices.settings(...)`.
    """
    # What stands between two layers is read again soon: 1,000 trials of the digits network take 1.5 times as long all
    # at once as in parts whose layers stay in the cache.
    began = time.perf_counter()
    written, num_devices = program(recipe), recipe.prepared.num_devices
    at_once = recipe.at_once or len(trials) * ceil(len(points) / num_devices)
    between = written.largest_bytes * at_once
    parts = min(parts, max(1, between // least_bytes)) if least_bytes and not recipe.at_once else parts
    for_caches = parts = min(max(parts, ceil(between / recipe.prepared.cache_bytes)), len(points))
    while True:
        num_points = num_devices * ceil(len(points) / (parts * num_devices))
        compiled = _compile(recipe, written, points.part(0, num_points), tuple(trials), began)
        if compiled.memory_bytes <= limit_bytes or num_points == num_devices:
            return compiled._replace(split_for_memory=parts > for_caches)
        # By what this one takes, and at least so that each device has a point fewer.
        fewer = ceil(len(points) / (num_points - num_devices))
        parts = max(fewer, ceil(parts * compiled.memory_bytes / limit_bytes))
        began = time.perf_counter()


def _compile(recipe: Recipe, written: Program, points: Points, trials: tuple[str, ...], began: float) -> Compiled:
    prepared = recipe.prepared
    grid = _grid(points, trials)
    begun = jax.tree.map(
        lambda a: jax.ShapeDtypeStruct((len(trials), *a.shape), a.dtype), (prepared.params, prepared.model_state)
    )
    start = _jit_start(recipe, written).lower(*begun, grid)
    carry = jax.eval_shape(written.start, *begun, grid)
    first = _chunk(recipe, points, trials, 0)
    chunk = _jit_chunk(recipe, written).lower(written.constants, prepared.train, carry, first, grid)
    traced = time.perf_counter()
    start = start.compile(prepared.options | RUN_ONCE)
    chunk = chunk.compile(prepared.options | (DRAWS_BITS if "seed" in recipe.optimizer.needs else {}))
    evaluate = prepared.evaluator(len(trials), len(points))
    done = time.perf_counter()
    memory = max(memory_bytes(chunk), memory_bytes(evaluate))
    # Placed once, and only after tracing: left on the host, they would be moved at every call.
    written = written._replace(constants=prepared.put(written.constants))
    return Compiled(recipe, written, start, chunk, evaluate, trials, len(points), traced - began, done - traced, memory)


#: How a Grid lies on the devices.
_GRID = Grid(sharding.TRIALS, sharding.TRIALS, sharding.WHOLE)


def _jit_start(recipe: Recipe, written: Program) -> Any:
    return sharding.jit(written.start, recipe.prepared.mesh, (sharding.WHOLE, sharding.WHOLE, _GRID), sharding.TRIALS)


def _jit_chunk(recipe: Recipe, written: Program) -> Any:
    whole, trials = sharding.WHOLE, sharding.TRIALS
    gives = (trials, Shown(sharding.MANY_TRIALS, trials, trials))
    return sharding.jit(
        written.chunk, recipe.prepared.mesh, (whole, whole, trials, whole, _GRID), gives, donate_argnums=2
    )


def sweep(compiled: Compiled, points: Points) -> Curves:
    """Run a compiled cell over its points, part by part. Call inside `devices.settings(...)`."""
    num = compiled.num_points
    parts = [_sweep_part(compiled, points.part(first, num)) for first in range(0, len(points), num)]
    curves = curves_of(compiled.recipe, beside([pieces for _, pieces in parts], len(points)))
    # What is measured at the end is of the first point, whichever part the others are in.
    carry = parts[0][0]
    return curves if compiled.ends is None or carry is None else with_ends(compiled.ends, curves, carry)


def _sweep_part(compiled: Compiled, points: Points) -> tuple[Carry | None, Pieces]:
    carry, pieces = advance(compiled, points, begin(compiled, points), 0, compiled.recipe.steps)
    # A grid's last parameters are let go of.
    return carry if compiled.ends else None, pieces


def measuring_ends(compiled: Compiled, points: Points) -> Compiled:
    """Add what measures the probes of the end, of the first point; leave a program as it is where none is asked for."""
    grid = _grid(points.part(0, compiled.num_points), compiled.trials)
    ends = compile_ends(compiled.recipe, compiled.program.start, grid, compiled.trials)
    if ends is None:
        return compiled
    seconds = (compiled.trace_seconds + ends.trace_seconds, compiled.compile_seconds + ends.compile_seconds)
    return compiled._replace(ends=ends, trace_seconds=seconds[0], compile_seconds=seconds[1])


def begin(compiled: Compiled, points: Points) -> Carry:
    """Start the trials of one part."""
    prepared, trials = compiled.recipe.prepared, compiled.trials
    return compiled.start(prepared.init(trials), prepared.init_state(trials), _grid(points, trials))


def advance(compiled: Compiled, points: Points, carry: Carry, first: int, stop: int) -> tuple[Carry, Pieces]:
    """Take the trials of one part from the record at step `first` to the one at `stop`; record 0 counts as seen at 0.

    What is carried may lie on the host; on the device it is used up.
    """
    recipe, trials = compiled.recipe, compiled.trials
    prepared, constants = recipe.prepared, compiled.program.constants
    grid, evaluate = _grid(points, trials), prepared.evaluation(compiled.evaluate, trials)
    records = [] if first else [evaluate(carry.params, carry.model_state)]
    shown: list[Shown] = []
    # Nothing in this loop waits for the device: chunks and evaluations queue up behind one another.
    for start in range(first, stop, recipe.record_every):
        fed = _chunk(recipe, points, trials, start)
        carry, out = compiled.chunk(constants, prepared.train, carry, fed, grid)
        records.append(evaluate(carry.params if out.params is None else out.params, carry.model_state))
        shown.append(out._replace(params=None))
    pieces = Pieces(
        measured=np.stack([np.asarray(record) for record in records]),
        losses=np.concatenate([np.asarray(out.losses) for out in shown]),
        gradient_evaluations=np.stack([np.asarray(out.gradient_evaluations) for out in shown]),
        # A copy: the memory may be donated to the next chunk.
        diverged_at=np.array(carry.diverged_at),
    )
    return carry, pieces


def _grid(points: Points, trials: Sequence[str]) -> Grid:
    dtype = jax.dtypes.canonicalize_dtype(np.float64)
    # What is beyond the dtype becomes infinite, and its trials diverge.
    shape = len(trials), len(points)
    with np.errstate(over="ignore"):
        hyperparameters = {
            name: np.broadcast_to(values, shape).astype(dtype) for name, values in points.hyperparameters.items()
        }
    seeds = key_data(trials, "optimizer")[0, :, 0].view(np.int32) & np.int32(2**31 - 1)
    return Grid(hyperparameters, np.broadcast_to(points.schedule, shape).astype(np.int32), seeds)


def _chunk(recipe: Recipe, points: Points, trials: Sequence[str], first: int) -> Chunk:
    """Feed the steps [first, first + record_every): past the last step they are fed too, and leave no trace."""
    stop = first + recipe.record_every
    dtype = jax.dtypes.canonicalize_dtype(np.float64)
    index = np.arange(first, stop, dtype=np.int32)
    return Chunk(
        batches=recipe.prepared.inputs(trials, recipe.batch_size, first, stop),
        keys=recipe.prepared.keys(trials, first, stop),
        step=index,
        multipliers=points.multipliers[np.minimum(index, recipe.steps - 1)].astype(dtype),
    )


def out_of_memory(error: BaseException) -> bool:
    """Say whether an error means that the device's memory was not enough."""
    return isinstance(error, MemoryError) or "RESOURCE_EXHAUSTED" in str(error)
