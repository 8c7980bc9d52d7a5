"""Turn what a sweep measured into the rows that are kept: one per trial."""

from typing import Any

import jax.numpy as jnp
import numpy as np
import pyarrow as pa

from optbench.planning.jobs import Job
from optbench.problems.problem import Problem
from optbench.request import Cell
from optbench.runner.program_spec import Settings
from optbench.store.schema import trial_columns
from optbench.store.status import TrialStatus
from optbench.sweep.curves import Curves
from optbench.sweep.selection import diverged, worse_than_start


def examples_per_step(cell: Cell, problem: Problem) -> int:
    """Count the examples that one gradient sees; a deterministic problem counts as one."""
    return problem.num_rows if cell.batch_size == "full" else int(cell.batch_size or 1)


def curve_rows(job: Job, phase: str, curves: Curves, settings: Settings, plain: bool = True) -> pa.Table:
    """Turn curves [seed, point, record] of settings [seed][point] into one row per trial, seed by seed.

    `plain` says that parameters are evaluated where gradients are taken.
    """
    lost = diverged(curves)
    cell, problem = job.cell, job.problem
    assert isinstance(problem, Problem)
    # On full batches the loss before each update is the train loss itself, so a dense curve comes for free.
    exact = cell.batch_size == "full" and not problem.noisy_loss and plain
    ended = np.where(worse_than_start(curves), TrialStatus.WORSE, TrialStatus.OK)
    ended = np.where(curves.stopped_at >= 0, TrialStatus.STOPPED, ended)
    columns = {
        "status": np.where(lost, TrialStatus.DIVERGED, ended),
        "diverged_at": np.ma.masked_less(curves.diverged_at, 0),
        "step": np.broadcast_to(curves.step, (*lost.shape, len(curves.step))),
        "examples": np.broadcast_to(curves.step * examples_per_step(cell, problem), (*lost.shape, len(curves.step))),
        "gradient_evaluations": curves.gradient_evaluations,
        "batch_loss": curves.batch_loss,
        **({"step_loss": curves.step_loss} if exact else {}),
        # Null in the phase that doesn't measure them.
        **dict.fromkeys(cell.probes),
        **curves.metrics,
    }
    flat = {
        name: None if values is None else values.reshape(lost.size, *values.shape[2:])
        for name, values in columns.items()
    }
    return trial_columns(_names(cell, phase, settings) | flat, lost.size)


def _names(cell: Cell, phase: str, settings: Settings) -> dict[str, Any]:
    """Say which trials stand in the rows: all points of the first seed, then of the next one."""
    seeds, num_points = len(settings), len(settings[0])
    points = [point for of_seed in settings for point in of_seed]
    tuned = [name for name in points[0] if name != "schedule"]
    return {
        "phase": phase,
        "problem": cell.problem,
        "optimizer": cell.optimizer,
        "dtype": cell.dtype,
        # None where a plug-in failed to make the problem that would have said.
        "batch_size": None if cell.batch_size is None else str(cell.batch_size),
        "seed": np.repeat(np.arange(seeds), num_points),
        "point": np.tile(np.arange(num_points), seeds),
        "hyperparameters": {name: np.array([point[name] for point in points]) for name in tuned},
        "schedule": np.array([point["schedule"] for point in points]),
    }


def failed_rows(cell: Cell, status: TrialStatus, message: str) -> pa.Table:
    """Write one row per trial that a failed cell would have had."""
    settings = [cell.points] * cell.seeds * cell.select_studies
    names = _names(cell, "select", settings)
    return trial_columns(names | {"status": status, "message": message}, len(settings) * len(cell.points))


class BelowOptimumError(Exception):
    """A run ended below the known optimum by more than rounding: the suite itself is wrong."""


def check_optimum(rows: pa.Table, optimum: float | None, dtype: str) -> None:
    """Raise BelowOptimumError where a trial's last train loss lies below the optimum by more than rounding."""
    if optimum is None:
        return
    for curves in rows["train_loss"].chunks:
        offsets, losses = curves.offsets.to_numpy(), curves.values.to_numpy()
        first, last = losses[offsets[:-1]], losses[offsets[1:] - 1]
        # A mean over rows gathers rounding: a quarter of eps times the first loss is the most that was seen.
        rounding = 100 * float(jnp.finfo(dtype).eps) * np.fmax(abs(optimum), abs(first))
        if (below := last[last < optimum - rounding]).size:
            raise BelowOptimumError(f"a trial ended at {float(below[0])!r}, below the known optimum {optimum!r}")
