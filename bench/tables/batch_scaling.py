"""Batch scaling: steps and examples to a target, tuned at each batch size, and the critical batch size."""

from collections.abc import Iterable, Mapping, Sequence
from math import sqrt
from statistics import NormalDist
from typing import Any, NamedTuple

import numpy as np
from jaxtyping import Float

from optbench.analyse.crossings import point_curves, steps_of_mean
from optbench.analyse.measures import batch_scaling as fit
from optbench.analyse.outcomes import Slice, targets_of
from optbench.analyse.trials import is_higher_better
from optbench.store.parts import Part
from optbench.store.run import StoredRun
from optbench.store.status import Outcome
from optbench.tables.table_kind import TableKind, of_parts, select_notes

COLUMNS = ("problem", "optimizer", "batch_size", "learning_rate", "steps_to_target", "examples_to_target")
FITTED = ("fewest_steps", "fewest_examples", "critical_batch_size")
NOTES = [
    "at each batch size the settings that reach the first target in the fewest steps: where the mean loss over the "
    "selection seeds crosses it, interpolated between records; settings of which a seed diverged are left out",
    "fit: steps = fewest_steps + fewest_examples / batch size (McCandlish et al., 2018), exact for two batch sizes; "
    "intervals resample the seeds and choose the settings again",
    "region: perfect where doubling the batch size nearly halves the steps, none where it saves next to nothing, "
    "diminishing between; -: fewer than two batch sizes reached the target",
]
NO_SIZES = "no problem with a target was run at several batch sizes: optbench run ... --batch-size 32,128"
#: Resamples of the seeds, and the fastest settings among which each chooses: slower ones come first in none.
RESAMPLES, RIVALS = 400, 6


def batch_scaling(parts: Sequence[Part], view: Slice) -> tuple[list[str], list[dict[str, Any]]]:
    """Return steps to target by batch size, of cells run at several: (columns, rows), smallest batch first.

    Raises ValueError if their selection trials are not stored.
    """
    groups: dict[tuple[str, str], list[Part]] = {}
    for part in parts:
        if part.outcome == Outcome.FINISHED and targets_of(part.results, view):
            groups.setdefault((part.record.problem, part.record.optimizer), []).append(part)
    several = [group for group in groups.values() if len({part.results.examples_per_step for part in group}) > 1]
    fitted = [f"{name}{end}" for name in FITTED for end in ("", "_low", "_high")]
    return [*COLUMNS, "region", *fitted], [row for group in several for row in _rows(group, view)]


def notes(run: StoredRun, rows: Iterable[Mapping[str, Any]], view: Slice) -> list[str]:
    """Return the meaning of the columns, and the problems whose target nobody reached, or why there is no row."""
    met: dict[str, bool] = {}
    for row in rows:
        met[row["problem"]] = met.get(row["problem"], False) or np.isfinite(row["steps_to_target"])
    if not met:
        return [NO_SIZES]
    return NOTES + [f"no optimizer reached the target on {problem}" for problem, reached in met.items() if not reached]


def _rows(group: Sequence[Part], view: Slice) -> list[dict[str, Any]]:
    group = sorted(group, key=lambda part: part.results.examples_per_step)
    tried = [fastest_points(part, view) for part in group]
    sizes = np.array([part.results.examples_per_step for part in group], dtype=float)
    scaling = fit_seeds(sizes, tried)
    rows = []
    for part, points, size in zip(group, tried, sizes, strict=True):
        steps, met = points.steps, np.isfinite(points.steps)
        row = part.record.names | {"learning_rate": points.learning_rate if met else None, "steps_to_target": steps}
        row |= {"examples_to_target": steps * size, "region": region(size, scaling) if met else None}
        rows.append(row | scaling)
    return rows


class FastestPoints(NamedTuple):
    """The settings of a cell that reach its target first, and the curves of the next ones that may be as fast."""

    learning_rate: float
    steps: float
    num_seeds: int
    #: The steps by resamples of the seeds, in each of which the fastest point is chosen again.
    resampled: Float[np.ndarray, " resample"]


def fastest_points(part: Part, view: Slice) -> FastestPoints:
    """Return the settings with the fewest steps to the target, by the mean over the selection seeds.

    Raises ValueError if the selection trials are not stored.
    """
    metric, target = next(iter(targets_of(part.results, view).items()))
    curves = point_curves(part, metric, view)
    sign = -1.0 if is_higher_better(metric, part.results) else 1.0
    steps = steps_of_mean(curves.step, curves.values, target, sign)
    order = np.argsort(steps, kind="stable")
    rivals = curves.values[:, order[:RIVALS]]
    random = np.random.default_rng(0)
    draws = random.integers(len(rivals), size=(RESAMPLES, len(rivals)))
    # Resamples of few seeds come again and again.
    distinct, places = np.unique(np.sort(draws, axis=1), axis=0, return_inverse=True)
    resampled = np.array([steps_of_mean(curves.step, rivals[draw], target, sign).min() for draw in distinct])
    rate, fewest = float(curves.learning_rates[order[0]]), float(steps[order[0]])
    return FastestPoints(rate, fewest, len(rivals), resampled[places.ravel()])


def fit_seeds(sizes: Float[np.ndarray, " size"], tried: Sequence[FastestPoints]) -> dict[str, float]:
    """Return the fit to the steps at each size, and its intervals by resampling; empty if under two sizes reach it.

    Sizes at which the target is met before the first update are left out.
    """
    steps = np.array([points.steps for points in tried])
    met = np.flatnonzero(np.isfinite(steps) & (steps > 0))
    if len(np.unique(sizes[met])) < 2:
        return {}
    draws = np.stack([tried[index].resampled for index in met.tolist()], axis=1)
    resamples = draws[np.all(np.isfinite(draws) & (draws > 0), axis=1)]
    fitted = {"": _with_ratio(fit(sizes[met], steps[met]))}
    if len(resamples):
        tail = int(_tail(min(tried[index].num_seeds for index in met.tolist())) * len(resamples))
        resampled = np.sort(_with_ratio(fit(sizes[met], resamples)), axis=0)
        fitted |= {"_low": resampled[tail], "_high": resampled[-1 - tail]}
    return {f"{name}{end}": float(values[index]) for end, values in fitted.items() for index, name in enumerate(FITTED)}


def _tail(num_seeds: int) -> float:
    """Return the share of resamples beyond each end of a 95 % interval, smaller where they are of few seeds.

    Source: Hesterberg, What teachers should know about the bootstrap, 2015, section 4.2: the expanded percentile.
    """
    if num_seeds < 2:
        return 0.0
    # Student's quantile by its expansion (Abramowitz, Stegun, 26.7.5), since a figure is drawn without scipy.
    freedom, z = num_seeds - 1, NormalDist().inv_cdf(0.975)
    terms = ((z**3 + z) / 4, (5 * z**5 + 16 * z**3 + 3 * z) / 96, (3 * z**7 + 19 * z**5 + 17 * z**3 - 15 * z) / 384)
    quantile = z + sum(term / freedom**power for power, term in enumerate(terms, 1))
    return NormalDist().cdf(-quantile * sqrt(num_seeds / freedom))


def _with_ratio(fitted: Float[np.ndarray, "*batch 2"]) -> Float[np.ndarray, "*batch 3"]:
    with np.errstate(divide="ignore"):
        return np.concatenate([fitted, fitted[..., 1:] / fitted[..., :1]], axis=-1)


def region(size: float, scaling: dict[str, float]) -> str | None:
    """Return the name of the region of a batch size, from the slope of the fit there; None without a fit."""
    critical = scaling.get("critical_batch_size")
    if critical is None:
        return None
    slope = 1 / (1 + size / critical) if critical > 0 else 0.0
    return "perfect" if slope >= 0.8 else "none" if slope <= 0.2 else "diminishing"


TABLE = TableKind(
    "what a larger batch buys", of_parts(batch_scaling), notes, shared_notes=select_notes, section="Batch sizes"
)
