"""Turn what a sweep measured into the rows that are kept: one per trial."""

from collections.abc import Mapping, Sequence
from typing import Any

import jax.numpy as jnp
import numpy as np

from bench.jobs import Job
from bench.measure.selection import diverged
from bench.measure.sweep import Curves
from bench.request import Cell
from problems.problem import Problem


def examples_per_step(cell: Cell, problem: Problem) -> int:
    """Count the examples that one gradient sees; a deterministic problem counts as one."""
    return problem.num_rows if cell.batch_size == "full" else int(cell.batch_size or 1)


def curve_rows(job: Job, phase: str, curves: Curves, points: Sequence[Mapping[str, Any]]) -> list[dict[str, Any]]:
    """Turn curves [seed, point, record] into one row per trial."""
    lost = diverged(curves)
    cell, problem = job.cell, job.problem
    assert isinstance(problem, Problem)
    # On full batches the loss before each update is the train loss itself, so a dense curve comes for free.
    plain = job.known.optimizers[cell.optimizer_name].evaluation_params is None
    exact = cell.batch_size == "full" and not problem.noisy_loss and plain
    rows = []
    for seed, point in np.ndindex(lost.shape):
        at = curves.diverged_at[seed, point]
        values = {name: value for name, value in points[point].items() if name != "schedule"}
        rows.append(
            _names(cell, phase, seed, point)
            | {
                "hyperparameters": values,
                "schedule": points[point]["schedule"],
                "status": "diverged" if lost[seed, point] else "ok",
                "diverged_at": int(at) if at >= 0 else None,
                "step": curves.step,
                "examples": curves.step * examples_per_step(cell, problem),
                "gradient_evaluations": curves.gradient_evaluations[seed, point],
                "batch_loss": curves.batch_loss[seed, point],
                "step_loss": curves.step_loss[seed, point] if exact else None,
            }
            | {name: curve[seed, point] for name, curve in curves.metrics.items()}
        )
    return rows


def _names(cell: Cell, phase: str, seed: int, point: int) -> dict[str, Any]:
    named = {"phase": phase, "problem": cell.problem, "optimizer": cell.optimizer, "dtype": cell.dtype}
    # None where a plug-in failed to make the problem that would have said.
    batch_size = None if cell.batch_size is None else str(cell.batch_size)
    return named | {"batch_size": batch_size, "seed": seed, "point": point}


def failed_rows(cell: Cell, status: str, message: str) -> list[dict[str, Any]]:
    """Write one row per trial that a failed cell would have had."""
    rows = []
    for seed, point in np.ndindex(cell.seeds, len(cell.points)):
        values = {name: value for name, value in cell.points[point].items() if name != "schedule"}
        fields = {"hyperparameters": values, "schedule": cell.points[point]["schedule"]}
        rows.append(_names(cell, "select", seed, point) | fields | {"status": status, "message": message})
    return rows


class BelowOptimumError(Exception):
    """A run ended below the known optimum by more than rounding: the suite itself is wrong."""


def check_optimum(rows: Sequence[Mapping[str, Any]], optimum: float | None, dtype: str) -> None:
    """Raise BelowOptimumError where a trial's last train loss lies below the optimum by more than rounding."""
    if optimum is None:
        return
    for row in rows:
        first, last = row["train_loss"][0], row["train_loss"][-1]
        # A mean over rows gathers rounding: a quarter of eps times the first loss is the most that was seen.
        rounding = 100 * float(jnp.finfo(dtype).eps) * max(abs(optimum), abs(first))
        if last < optimum - rounding:
            raise BelowOptimumError(f"a trial ended at {last!r}, below the known optimum {optimum!r}")
