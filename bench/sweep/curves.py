"""What a sweep measured: gathered record by record, and put together as arrays [seed, point, record]."""

from __future__ import annotations

from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass
from typing import Any, NamedTuple

import numpy as np
from jaxtyping import Float, Int

from optbench.sweep.step import Recipe


@dataclass(frozen=True)
class Curves:
    """Hold what a sweep measured; record r is taken after `step[r]` updates, record 0 before the first."""

    step: Int[np.ndarray, " record"]
    metrics: Mapping[str, Float[np.ndarray, "seed point record"]]
    #: Mean batch loss over the steps since the previous record; NaN at record 0.
    batch_loss: Float[np.ndarray, "seed point record"]
    #: Batch loss before each update.
    step_loss: Float[np.ndarray, "seed point step"]
    gradient_evaluations: Int[np.ndarray, "seed point record"]
    #: Updates made when the loss was first found not finite; -1 where it never was.
    diverged_at: Int[np.ndarray, "seed point"]
    #: Updates made when the point was dropped, after which its curves are NaN; -1 where it never was.
    stopped_at: Int[np.ndarray, " point"]

    @property
    def trial_steps(self) -> int:
        """Count the updates of all trials, those of frozen ones too."""
        steps_made = np.where(self.stopped_at < 0, self.step[-1], self.stopped_at)
        return int(steps_made.sum()) * len(self.diverged_at)

    def take(self, seed: Int[np.ndarray, "new_seed new_point"], point: Int[np.ndarray, "new_seed new_point"]) -> Curves:
        """Gather trials by the positions of their seeds and points."""
        return Curves(
            step=self.step,
            metrics={name: values[seed, point] for name, values in self.metrics.items()},
            batch_loss=self.batch_loss[seed, point],
            step_loss=self.step_loss[seed, point],
            gradient_evaluations=self.gradient_evaluations[seed, point],
            diverged_at=self.diverged_at[seed, point],
            stopped_at=self.stopped_at[point].max(axis=0),
        )

    def repeat(self, copies: int) -> Curves:
        """Put so many copies of each seed's trials one after another."""
        num_seeds, num_points = self.diverged_at.shape
        seeds = np.repeat(np.arange(num_seeds), copies)
        return self if copies == 1 else self.take(*np.ix_(seeds, np.arange(num_points)))


class Pieces(NamedTuple):
    """Hold some consecutive records of some points, on the host, as the device gave them."""

    measured: Float[np.ndarray, "record metric seed point"]
    losses: Float[np.ndarray, "step seed point"]
    #: Of the records but for record 0.
    gradient_evaluations: Int[np.ndarray, "record seed point"]
    diverged_at: Int[np.ndarray, "seed point"]


def beside(pieces: Sequence[Pieces], num_points: int) -> Pieces:
    """Put pieces of the same records beside one another, and leave out what comes after `num_points` points."""
    return Pieces(*(np.concatenate(arrays, axis=-1)[..., :num_points] for arrays in zip(*pieces, strict=True)))


def steps_at_records(recipe: Recipe) -> Int[np.ndarray, " record"]:
    """Say after how many updates each record is taken."""
    return np.append(np.arange(0, recipe.steps, recipe.record_every), recipe.steps)


def curves_of(recipe: Recipe, pieces: Pieces, stopped_at: Int[np.ndarray, " point"] | None = None) -> Curves:
    """Make curves of all records of all points."""
    steps, step = recipe.steps, steps_at_records(recipe)
    diverged_at = pieces.diverged_at
    last = np.where(diverged_at < 0, np.inf, diverged_at)[..., None]
    measured = np.moveaxis(pieces.measured, 0, -1).astype(np.float64)
    # A frozen trial keeps the parameters that gave a loss which is not finite: what they score means nothing.
    measured = np.where(step >= last, np.nan, measured)
    losses = np.moveaxis(pieces.losses[:steps], 0, -1).astype(np.float64)
    losses = np.where(np.arange(steps) >= last, np.nan, losses)
    evaluations = np.moveaxis(pieces.gradient_evaluations, 0, -1)
    sums = np.add.reduceat(losses, step[:-1], axis=-1) / np.diff(step)
    return Curves(
        step=step,
        metrics=dict(zip(recipe.prepared.metric_names, measured, strict=True)),
        batch_loss=np.concatenate([np.full((*sums.shape[:-1], 1), np.nan), sums], axis=-1),
        step_loss=losses,
        gradient_evaluations=np.concatenate([np.zeros_like(evaluations[..., :1]), evaluations], axis=-1),
        diverged_at=diverged_at,
        stopped_at=np.full(diverged_at.shape[1], -1) if stopped_at is None else stopped_at,
    )


def join(several: Iterable[Curves]) -> Curves:
    """Put the curves of several sweeps that differ by their points alone beside one another."""
    every = list(several)

    def over_points(name: str, axis: int = 1) -> Any:
        return np.concatenate([getattr(curves, name) for curves in every], axis=axis)

    return Curves(
        step=every[0].step,
        metrics={name: np.concatenate([c.metrics[name] for c in every], axis=1) for name in every[0].metrics},
        batch_loss=over_points("batch_loss"),
        step_loss=over_points("step_loss"),
        gradient_evaluations=over_points("gradient_evaluations"),
        diverged_at=over_points("diverged_at"),
        stopped_at=over_points("stopped_at", axis=0),
    )
