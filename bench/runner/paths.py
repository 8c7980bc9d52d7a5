"""Train optimizers on a problem of two parameters, and keep where each step led."""

from collections.abc import Callable, Sequence
from math import inf, isfinite
from pathlib import Path
from typing import Any

import jax
import numpy as np
from jax.flatten_util import ravel_pytree
from jaxtyping import Float

from optbench.errors import RequestError
from optbench.figures.figure import COLUMN
from optbench.figures.paths import NUM_SAMPLES, Box, Landscape, Way, box_of, caption, plot_landscape
from optbench.planning.jobs import Job, pick_device, plan_jobs, resolve_suite
from optbench.problems.problem import Problem
from optbench.runner.program_spec import points_of, preparer, recipe_of, settings_of
from optbench.sweep.devices import Device, memory_limit_bytes, settings
from optbench.sweep.problem_data import Prepared
from optbench.sweep.streams import trial_name
from optbench.sweep.sweep import advance, begin, compile_sweep

#: Few enough to be told apart, and of unlike ways.
OPTIMIZERS = ("sgd", "sgd_momentum", "rmsprop", "adam", "lbfgs")
#: Three a decade, the same for all: of a picture of ways nobody wants to choose five learning rates by hand.
LEARNING_RATES = "1e-5:1:16"
STEPS = 200
PLANE = "test_function[name=beale], saddle and quadratic[dim=2] have two"


def plot_path(
    problem: Any,
    output: str | Path,
    optimizers: Any = OPTIMIZERS,
    *,
    steps: int = STEPS,
    learning_rate: str | float = LEARNING_RATES,
    seed: int = 0,
    width: float = COLUMN,
) -> str:
    """Draw the way of each optimizer over the level lines of a problem, and return the caption.

    `problem` and `optimizers` are words of a suite, or functions; each optimizer is drawn at the best of the learning
    rates. `width` is in points. Raises RequestError for a problem that hasn't two parameters, and what a run raises.
    """
    asked = resolve_suite(
        None,
        problems=[problem],
        optimizers=[optimizers] if isinstance(optimizers, str) else list(optimizers),
        learning_rate=str(learning_rate),
        steps=steps,
        seeds=1,
        report_seeds=0,
        record_every=1,
        seed=seed,
    )
    device = pick_device(None)
    jobs = plan_jobs(asked, device.device_kind)
    if len({job.cell.problem for job in jobs}) > 1 or len({job.cell.batch_size for job in jobs}) > 1:
        raise RequestError("path: several problems or batch sizes are not accepted; accepted: one")
    landscape = landscape_of(jobs, device)
    plot_landscape(landscape, Path(output), width)
    target = _target(jobs[0].problem)
    return caption(landscape, max(job.cell.num_points for job in jobs), jobs[0].steps, target)


def landscape_of(jobs: Sequence[Job], device: Device) -> Landscape:
    """Train jobs of one problem, each at all of its points, and keep the way of the best. Raises RequestError."""
    problem = jobs[0].problem
    if isinstance(problem, Exception):
        raise problem
    with settings(jobs[0].cell.dtype, device):
        prepared = preparer(device)(problem, jobs[0].cell.dtype)
        losses = _losses(prepared, _from_plane(jobs[0], prepared))
        ways = [_best_way(job, prepared, losses, device) for job in jobs]
        least = None if problem.minimiser is None else ravel_pytree(problem.minimiser())[0]
        minimiser = None if least is None else np.asarray(least, np.float64)
        box = box_of(ways, minimiser)
        values = losses(_grid(box)).reshape(NUM_SAMPLES, NUM_SAMPLES)
    return Landscape(jobs[0].cell.problem, ways, minimiser, problem.optimum(), box, values)


def _from_plane(job: Job, prepared: Prepared) -> Callable:
    """Return what makes a problem's parameters of two numbers. Raises RequestError where they are others."""
    zeros = jax.tree.map(lambda shape: np.zeros(shape.shape, shape.dtype), prepared.params)
    flat, restore = ravel_pytree(zeros)
    if flat.size != 2 or prepared.problem.state is not None:
        raise RequestError(f"path: {job.cell.problem} has {flat.size:,} parameters; accepted: two; {PLANE}")
    return restore


def _losses(prepared: Prepared, restore: Callable) -> Callable[[np.ndarray], Float[np.ndarray, " point"]]:
    """Return what evaluates the train loss at points [point, 2]."""
    problem = prepared.problem
    data = () if problem.train is None else problem.train
    evaluate = jax.jit(jax.vmap(lambda point: problem.metrics(restore(point), data)["loss"]))
    dtype = jax.dtypes.canonicalize_dtype(np.float64)
    return lambda points: np.asarray(evaluate(points.astype(dtype)), np.float64)


def _grid(box: Box) -> Float[np.ndarray, "point 2"]:
    x, y = (np.linspace(*ends, NUM_SAMPLES) for ends in box)
    return np.stack(np.meshgrid(x, y), axis=-1).reshape(-1, 2)


def _best_way(
    job: Job, prepared: Prepared, losses: Callable[[np.ndarray], Float[np.ndarray, " point"]], device: Device
) -> Way:
    """Train a job's points, and return the way of that which gets to the target first, or else ends lowest."""
    cell = job.cell
    points = _trained(job, prepared, device)
    values = losses(points.reshape(-1, 2)).reshape(points.shape[:2])
    target = _target(prepared.problem)
    best = min(range(points.shape[1]), key=lambda point: _rank(values[:, point], target))
    finite = np.isfinite(values[:, best]) & np.all(np.isfinite(points[:, best]), axis=1)
    stop = len(finite) if finite.all() else max(int(np.argmin(finite)), 1)
    is_own = ":" in cell.optimizer_name
    rate = cell.points[best]["learning_rate"]
    return Way(cell.optimizer, rate, points[:stop, best], values[:stop, best], is_own)


def _trained(job: Job, prepared: Prepared, device: Device) -> Float[np.ndarray, "step point 2"]:
    """Train a job's points, all at once, and return where they were after each step, the start first."""
    cell = job.cell
    recipe = recipe_of(job, prepared)
    points = points_of(cell, job.steps, settings_of(cell, cell.points))
    trials = [trial_name(cell.seed, "select", 0)]
    compiled = compile_sweep(recipe, points, trials, memory_limit_bytes(device))
    shown = recipe.optimizer.evaluation_params
    evaluated = jax.jit(jax.vmap(jax.vmap(shown))) if shown else lambda state, params: params
    carry = begin(compiled, points)
    places = [_places(carry.params)]
    for step in range(job.steps):
        carry, _ = advance(compiled, points, carry, step, step + 1)
        places.append(_places(evaluated(carry.state, carry.params)))
    return np.stack(places)


def _places(params: Any) -> Float[np.ndarray, "point 2"]:
    # A copy: the next step uses up what the parameters lie in.
    leaves = [np.array(leaf[0], np.float64) for leaf in jax.tree.leaves(params)]
    return np.concatenate([leaf.reshape(len(leaf), -1) for leaf in leaves], axis=1)


def _target(problem: Problem | Exception) -> float | None:
    return None if isinstance(problem, Exception) else problem.targets.get("train_loss")


def _rank(losses: Float[np.ndarray, " step"], target: float | None) -> tuple[float, float]:
    """Return what a way is chosen by: its steps to the target, then its last loss; what is not finite comes last."""
    met = [] if target is None else np.flatnonzero(losses <= target)
    last = float(losses[-1])
    return (float(met[0]) if len(met) else inf), last if isfinite(last) else inf
