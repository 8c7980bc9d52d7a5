"""How many trials run at once in a cell's program: all, or one after another, whichever is measured to be faster."""

import json
import os
import time
from collections.abc import Callable
from hashlib import sha256
from pathlib import Path
from typing import Any

import jax
import jax.numpy as jnp
from jaxtyping import PyTree

from optbench.sweep import devices
from optbench.sweep.problem_data import Prepared
from optbench.sweep.step import Recipe, lifted_loss, take_rows
from optbench.sweep.streams import key_data

#: Trials that are measured, and steps of each.
TRIALS, STEPS = 8, 2
#: Primitives that may take longer for many trials at once: a convolution with kernels of each trial's own is a grouped
#: one, and loops turn as often with operations that are no longer small.
MEASURED = frozenset({"conv_general_dilated", "scan", "while"})
#: How often both ways are taken, in turns; the fastest of each counts.
TURNS = 4
#: One after another only where it is clearly faster: all at once needs no second look at other optimizers.
CLEARLY = 0.95


def points_at_once(recipe: Recipe, num_trials: int) -> int:
    """Return how many points of a seed a cell's program trains at once, 0 for all. Call inside `devices.settings(...)`.

    Measured on gradient descent on a batch, once for a problem, batch size and kind of device, and kept beside the
    compilation cache. Not measured where there is little to win: small layers without convolutions and loops run best
    together.
    """
    prepared = recipe.prepared
    if num_trials < 2 or prepared.num_devices > 1:
        return 0
    loss = lifted_loss(prepared, prepared.batch(recipe.batch_size))
    is_small = loss.largest_bytes * num_trials <= prepared.cache_bytes
    if is_small and not loss.primitives & MEASURED:
        return 0
    params, state, batch, key = _example(prepared, recipe.batch_size)

    def steps(constants: Any, trial: tuple[PyTree, PyTree], batch: PyTree) -> PyTree:
        def step(trial: tuple[PyTree, PyTree], _: Any) -> tuple[tuple[PyTree, PyTree], None]:
            objective = lambda p: loss.call(constants, p, batch, jax.random.wrap_key_data(key), trial[1])  # noqa: E731
            gradient, state = jax.grad(objective, has_aux=True)(trial[0])
            return (jax.tree.map(lambda p, g: p - 1e-3 * g, trial[0], gradient), state), None

        # In a loop, as in a sweep: compilers treat the same operations otherwise outside of one.
        return jax.lax.scan(step, trial, None, STEPS)[0]

    at_once = jax.vmap(steps, (None, 0, None))
    in_turn = lambda constants, trials, batch: jax.lax.map(  # noqa: E731
        lambda trial: steps(constants, trial, batch), trials
    )
    trials = jax.tree.map(lambda a: jnp.stack([a] * TRIALS), (params, state))
    arguments = prepared.put((loss.constants, trials, batch))
    lowered = [jax.jit(one).lower(*arguments) for one in (at_once, in_turn)]
    kind = jax.tree.leaves(arguments)[0].devices().pop().device_kind
    name = sha256(f"{jax.__version__} {kind} {lowered[0].as_text()}".encode()).hexdigest()[:24]
    return _kept(name, lambda: _faster([one.compile(prepared.options) for one in lowered], arguments))


def _faster(programs: list[Any], arguments: tuple[Any, ...], now: Callable[[], float] = time.perf_counter) -> int:
    """Return 1 where the second of two programs is clearly the faster one, else 0."""
    seconds: list[list[float]] = [[] for _ in programs]
    for _ in range(1 + TURNS):
        for program, times in zip(programs, seconds, strict=True):
            began = now()
            jax.block_until_ready(program(*arguments))
            times.append(now() - began)
    at_once, in_turn = (min(times[1:]) for times in seconds)
    return 1 if in_turn < CLEARLY * at_once else 0


def _example(prepared: Prepared, batch_size: Any) -> tuple[PyTree, PyTree, PyTree, Any]:
    """Return one trial's parameters, its model's state, a batch, and the key of a loss."""
    trial, key = ["0/at_once/0"], key_data(["0/at_once/0"], "init")[0, 0]
    inputs = jax.tree.map(lambda a: jnp.asarray(a[0, 0]), prepared.inputs(trial, batch_size, 0, 1))
    if prepared.problem.sample is None:
        inputs = prepared.train if batch_size == "full" else take_rows(prepared.train, inputs)
    return prepared.init_one(key), prepared.state_one(key), inputs, prepared.keys(trial, 0, 1)[0, 0]


_remembered: dict[str, int] = {}


def _kept(name: str, measure: Callable[[], int]) -> int:
    """Return what was measured before: in this process or, with the compilation cache on, in any; else measure it."""
    if name not in _remembered:
        path = devices.cache_folder().parent / "at_once" / name
        uses_disk = _uses_disk()
        choice = _read(path) if uses_disk else None
        _remembered[name] = measure() if choice is None else choice
        if uses_disk and choice is None:
            _write(path, _remembered[name])
    return _remembered[name]


def _uses_disk() -> bool:
    return jax.config.values["jax_compilation_cache_dir"] is not None


def _read(path: Path) -> int | None:
    try:
        choice = json.loads(path.read_text())
    except (OSError, ValueError):
        return None
    return choice if choice in (0, 1) else None


def _write(path: Path, value: int) -> None:
    """Keep a choice; a folder that can't be written costs the next process a measurement."""
    try:
        path.parent.mkdir(parents=True, exist_ok=True)
        beside = path.with_name(f"{path.name}.{os.getpid()}")
        beside.write_text(json.dumps(value))
        beside.replace(path)
    except OSError:
        return
