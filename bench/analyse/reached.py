"""The work of trials until they have reached a target."""

from typing import NamedTuple

import numpy as np
from jaxtyping import Bool, Float, Int

from optbench.sweep.reached import half_span, reached


def running_median(curve: Float[np.ndarray, "*any record"], record: int) -> Float[np.ndarray, "*any"]:
    """Return the running median of curves at a record, over the span that `reached` looks at."""
    num = curve.shape[-1]
    reach = min(half_span(num), record, num - 1 - record)
    return np.median(curve[..., record - reach : record + reach + 1], axis=-1)


class Counts(NamedTuple):
    """The work of a cell's trials by the time of each record, and where it is known the loss at every step."""

    step: Int[np.ndarray, " record"]
    gradients: Float[np.ndarray, "trial record"]
    #: Train loss before each update; None where only records hold it.
    step_loss: Float[np.ndarray, "trial step"] | None


class Ending(NamedTuple):
    """Where curves end, and how finely steps are counted on them."""

    #: At the last record at or before this step, and so many gradient evaluations.
    at_step: int | None = None
    at_gradients: int | None = None
    #: Count at every step where the loss is known there; otherwise at records.
    every_step: bool = True


def last_records(
    counts: Counts, ending: Ending, measured: Bool[np.ndarray, "trial record"]
) -> Int[np.ndarray, " trial"]:
    """Return the last record of each trial that is looked at, of those measured; record 0 if there is none."""
    within = measured & (counts.step <= (np.inf if ending.at_step is None else ending.at_step))
    within &= counts.gradients <= (np.inf if ending.at_gradients is None else ending.at_gradients)
    return np.where(within.any(axis=1), within.shape[1] - 1 - np.argmax(within[:, ::-1], axis=1), 0)


def work_to(
    curve: Float[np.ndarray, "trial record"] | None,
    target: float,
    higher_is_better: bool,
    counts: Counts,
    lasts: Int[np.ndarray, " trial"],
    lost: Bool[np.ndarray, " trial"],
    every_step: bool,
) -> tuple[Float[np.ndarray, " trial"], Float[np.ndarray, " trial"]]:
    """Return the updates and the gradient evaluations of each trial until it has reached a target.

    Both are infinite for a trial that doesn't reach it, or diverged (`lost`). Counted at records, or at every step,
    which is known of the train loss on full batches; between records evaluations are taken as even.
    """
    never = np.full(len(lasts), np.inf)
    if curve is None:
        return never, never
    step, met = counts.step, curve >= target if higher_is_better else curve <= target
    if every_step and counts.step_loss is not None and counts.step_loss.shape[1] == step[-1]:
        met = every_step_curve(step, met, counts.step_loss <= target)
        lasts, step = step[lasts], np.arange(step[-1] + 1)
    first = reached(met, lasts + 1)
    steps = np.where((first < 0) | lost, np.inf, step[first])
    return steps, _gradients_by(counts, steps)


def every_step_curve(
    step: Int[np.ndarray, " record"],
    curve: Float[np.ndarray, "trial record"],
    step_loss: Float[np.ndarray, "trial step"],
) -> Float[np.ndarray, "trial step+1"]:
    """Return the train loss at every step, of its records and the losses before each update."""
    dense = np.concatenate([step_loss, curve[:, -1:]], axis=1)
    dense[:, step] = curve
    return dense


def _gradients_by(counts: Counts, steps: Float[np.ndarray, " trial"]) -> Float[np.ndarray, " trial"]:
    """Return the gradient evaluations of each trial by a step, evenly between two records; infinite if it is."""
    known = np.where(np.isfinite(steps), steps, 0)
    later = np.searchsorted(counts.step, known)
    earlier, trials = np.maximum(later - 1, 0), np.arange(len(steps))
    before, after = counts.gradients[trials, earlier], counts.gradients[trials, later]
    share = (known - counts.step[earlier]) / np.maximum(counts.step[later] - counts.step[earlier], 1)
    # A rounded sum of thirds is no further evaluation.
    evaluations = np.ceil(before + (after - before) * share - 1e-9)
    return np.where(np.isfinite(steps), evaluations, np.inf)
