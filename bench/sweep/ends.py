"""Measure what is measured once: the parameters of all report seeds together, after the last step."""

import dataclasses
import time
from collections.abc import Sequence
from typing import Any, NamedTuple

import jax
import jax.numpy as jnp
import numpy as np
from jaxtyping import Array, Float, PyTree

from optbench.problems.problem import Params, State
from optbench.sweep import sharding
from optbench.sweep.curves import Curves
from optbench.sweep.devices import RUN_ONCE
from optbench.sweep.evaluation import metrics_of
from optbench.sweep.lifting import lift
from optbench.sweep.probes import Finals, probes_at
from optbench.sweep.step import Carry, Recipe


class Ends(NamedTuple):
    """Hold the compiled program that measures a cell's probes of the end."""

    recipe: Recipe
    trials: tuple[str, ...]
    names: tuple[str, ...]
    constants: Any
    #: (constants, splits, parameters, state, model's state, parameters at the start, finite), all but the first two
    #: [seed, ...], -> values [probe, seed]
    program: Any
    trace_seconds: float
    compile_seconds: float


def compile_ends(recipe: Recipe, start: Any, grid: Any, trials: Sequence[str]) -> Ends | None:
    """Compile what is measured at the end of the first point's trials; None where nothing is asked for.

    `start` and `grid` are those of the program that trains them. Call inside `devices.settings(...)`.
    """
    prepared, chosen = recipe.prepared, probes_at("end", recipe.prepared.probes)
    if not chosen:
        return None
    began, averaged = time.perf_counter(), recipe.optimizer.evaluation_params
    metrics = metrics_of(prepared.problem, prepared.dtype)

    def measure(
        splits: Any, params: Params, state: PyTree, model_state: State, start: Params, finite: Array
    ) -> Float[Array, "probe seed"]:
        evaluated = params if averaged is None else jax.vmap(averaged)(state, params)
        loss = lambda one, beside=(): metrics(one, {"train": splits["train"]}, beside)["train_loss"]  # noqa: E731
        values = [probe.measure(Finals(evaluated, start, finite, loss, model_state)) for probe in chosen.values()]
        return jnp.stack([jnp.broadcast_to(value, finite.shape) for value in values])

    begin = (prepared.params, prepared.model_state)
    seeds = jax.tree.map(lambda a: jax.ShapeDtypeStruct((len(trials), *a.shape), a.dtype), begin)
    carry = jax.eval_shape(first_point, jax.eval_shape(start, *seeds, grid))
    fed = (carry.params, carry.state, carry.model_state, seeds[0], jax.ShapeDtypeStruct((len(trials),), np.bool_))
    constants, lifted, *_ = lift(measure, prepared.evaluated[1], *fed)
    jitted = sharding.jit(lifted, prepared.mesh, (sharding.WHOLE,) * 7, sharding.WHOLE)
    lowered = jitted.lower(constants, prepared.evaluated[1], *fed)
    traced = time.perf_counter()
    program = lowered.compile(prepared.options | RUN_ONCE)
    seconds = (traced - began, time.perf_counter() - traced)
    return Ends(recipe, tuple(trials), tuple(chosen), prepared.put(constants), program, *seconds)


def first_point(carry: PyTree) -> PyTree:
    """Take the first point of what leads with [seed, point]."""
    return jax.tree.map(lambda leaf: leaf[:, 0], carry)


def with_ends(ends: Ends, curves: Curves, carry: Carry) -> Curves:
    """Add to curves [seed, point, record] what is measured of the first point's trials after the last step.

    A curve of such a thing is NaN before the last record.
    """
    prepared, finite = ends.recipe.prepared, curves.diverged_at[:, 0] < 0
    last = first_point(carry)
    fed = prepared.put((last.params, last.state, last.model_state, prepared.init(ends.trials), finite))
    values = np.asarray(ends.program(ends.constants, prepared.evaluated[1], *fed), dtype=np.float64)
    measured = np.full((len(values), *curves.gradient_evaluations.shape), np.nan)
    measured[..., 0, -1] = np.where(finite, values, np.nan)
    return dataclasses.replace(curves, metrics={**curves.metrics, **dict(zip(ends.names, measured, strict=True))})
