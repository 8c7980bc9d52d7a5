"""Steps at which the mean curve over seeds reaches a target: what is expected, and finer than the records."""

from typing import NamedTuple

import numpy as np
from jaxtyping import Float, Int

from optbench.analyse.outcomes import Slice, missing_trials, outcomes
from optbench.analyse.reached import every_step_curve, reached, running_median
from optbench.analyse.trials import first_seeds, list_column, numbers
from optbench.store.parts import Part
from optbench.store.status import TrialStatus
from optbench.store.trials import read_batches


class PointCurves(NamedTuple):
    """A metric of a cell's selection trials along training, with the settings of its points."""

    #: Updates until each record, or every step where the loss is known there.
    step: Int[np.ndarray, " record"]
    #: Infinite for a trial that diverged; of one that a search stopped, its last value goes on.
    values: Float[np.ndarray, "seed point record"]
    learning_rates: Float[np.ndarray, " point"]


def point_curves(part: Part, metric: str, view: Slice) -> PointCurves:
    """Return the curves of a cell's selection trials up to the end of the slice, as costs if more is better.

    Raises ValueError if the trials are not stored.
    """
    trials = outcomes(part, "select", view)
    columns = ["phase", "seed", "point", "status", "step", *dict.fromkeys(["train_loss", metric]), "step_loss"]
    step = np.zeros(1, int)
    pieces = []
    for whole in read_batches(part, columns, "select"):
        batch = first_seeds(whole, view.seeds)
        if not len(batch):
            continue
        steps, curve, dense = (list_column(batch, name) for name in ("step", metric, "step_loss"))
        if steps is None or curve is None:
            raise missing_trials(part, "select")
        step, status = steps[0].astype(int), np.array(batch["status"].to_pylist())
        if metric == "train_loss" and view.every_step and dense is not None and dense.shape[1] == step[-1]:
            step, curve = np.arange(step[-1] + 1), every_step_curve(step, curve, dense)
        curve = np.where((status == TrialStatus.STOPPED)[:, None], _carried_on(curve), curve)
        curve = np.where(np.isnan(curve) | (status == TrialStatus.DIVERGED)[:, None], np.inf, curve)
        pieces.append((numbers(batch["seed"]), numbers(batch["point"]), curve))
    seed, point, curves = (np.concatenate(arrays) for arrays in zip(*pieces, strict=True))
    values = np.full((len(trials.seeds), len(trials.points), len(step)), np.inf)
    values[np.searchsorted(trials.seeds, seed), np.searchsorted(trials.points, point)] = curves
    within = slice(None) if view.at_step is None else slice(int(np.searchsorted(step, view.at_step, "right")))
    return PointCurves(step[within], values[..., within], trials.settings["learning_rate"])


def _carried_on(curve: Float[np.ndarray, "trial record"]) -> Float[np.ndarray, "trial record"]:
    """Return curves in which the last finite value stands for later ones."""
    latest = np.maximum.accumulate(np.where(np.isfinite(curve), np.arange(curve.shape[1]), 0), axis=1)
    return np.take_along_axis(curve, latest, axis=1)


def steps_of_mean(
    step: Int[np.ndarray, " record"], values: Float[np.ndarray, "seed point record"], target: float, sign: float
) -> Float[np.ndarray, " point"]:
    """Return the steps after which the mean over seeds of each point has reached a target; infinite if it never does.

    The mean, since a loss is skewed: half of the seeds are below a target before the expected loss is (of
    `noisy_quadratic` 5 % too early). Between two records its running median is taken as even, in the logarithm where it
    is above zero. `sign` is -1 of metrics of which more is better.
    """
    mean = sign * values.mean(axis=0)
    first = reached(mean <= sign * target)
    return np.array([_crossing(step, curve, sign * target, index) for curve, index in zip(mean, first, strict=True)])


def _crossing(step: np.ndarray, curve: Float[np.ndarray, " record"], target: float, first: int) -> float:
    if first <= 0:
        return np.inf if first < 0 else float(step[0])
    ends = np.array([running_median(curve, first - 1), target, running_median(curve, first)])
    above, level, below = np.log(ends) if ends.min() > 0 else ends
    share = (above - level) / (above - below) if np.isfinite(above) and above > below else 1.0
    return float(step[first - 1] + share * (step[first] - step[first - 1]))
