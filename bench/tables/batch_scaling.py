"""Batch scaling: steps and examples to a target, tuned at each batch size, and the critical batch size."""

from collections.abc import Iterable, Mapping, Sequence
from typing import Any

import numpy as np
from jaxtyping import Float

from optbench.analyse.measures import batch_scaling as fit
from optbench.analyse.outcomes import Slice, outcomes, targets_of
from optbench.analyse.statistics import median
from optbench.store.parts import Part
from optbench.store.run import StoredRun
from optbench.store.status import Outcome
from optbench.tables.table_kind import TableKind, of_parts, select_notes

COLUMNS = ("problem", "optimizer", "batch_size", "learning_rate", "steps_to_target", "examples_to_target")
FITTED = ("fewest_steps", "fewest_examples", "critical_batch_size")
NOTES = [
    "problems that were run at several batch sizes, at each with the settings that need the fewest steps to the "
    "(first) target, by their median over the selection seeds; steps are counted at records, on full batches at every "
    "step, so that far apart records make the fit coarse",
    "fitted: steps = fewest_steps + fewest_examples / batch size (McCandlish et al., 2018); at the critical batch "
    "size, the ratio of the two, both are twice their fewest; two batch sizes are fitted exactly; intervals by "
    "resampling the seeds",
    "region: perfect where doubling the batch saves at least 80 % of a half of the steps by that fit, none where at "
    "most 20 %, diminishing between; -: fewer than two batch sizes reached the target",
]
NO_SIZES = "no problem with a target was run at several batch sizes: optbench run ... --batch-size 32,128"
RESAMPLES = 1000


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
    return NOTES + [f"nobody reached the target on {problem}" for problem, reached in met.items() if not reached]


def _rows(group: Sequence[Part], view: Slice) -> list[dict[str, Any]]:
    group = sorted(group, key=lambda part: part.results.examples_per_step)
    fastest_points = [fastest(part, view) for part in group]
    sizes = np.array([part.results.examples_per_step for part in group], dtype=float)
    scaling = fit_seeds(sizes, [steps for _, steps in fastest_points])
    rows = []
    for part, (rate, steps), size in zip(group, fastest_points, sizes, strict=True):
        names = part.record.names
        steps_to_target = median(steps)
        met = np.isfinite(steps_to_target)
        row = names | {"learning_rate": rate if met else None, "steps_to_target": steps_to_target}
        row |= {"examples_to_target": steps_to_target * size, "region": region(size, scaling) if met else None}
        rows.append(row | scaling)
    return rows


def fastest(part: Part, view: Slice) -> tuple[float, Float[np.ndarray, " seed"]]:
    """Return the settings with the fewest median steps to the target: (learning rate, steps of each seed).

    Raises ValueError if the selection trials are not stored.
    """
    trials = outcomes(part, "select", view)
    steps = trials.steps_to[next(iter(targets_of(part.results, view)))]
    best = int(np.argmin([median(values) for values in steps.T]))
    return float(trials.settings["learning_rate"][best]), steps[:, best]


def fit_seeds(sizes: Float[np.ndarray, " size"], steps: Sequence[Float[np.ndarray, " seed"]]) -> dict[str, float]:
    """Return the fit to the medians over seeds, and its intervals by resampling; empty if under two sizes reach it.

    Sizes at which the target is met before the first update are left out.
    """
    median_steps = np.array([median(trials) for trials in steps])
    reached = np.flatnonzero(np.isfinite(median_steps) & (median_steps > 0))
    if len(np.unique(sizes[reached])) < 2:
        return {}
    random = np.random.default_rng(0)
    draws = [
        [median(random.choice(steps[index], len(steps[index]))) for index in reached.tolist()] for _ in range(RESAMPLES)
    ]
    resamples = np.array([row for row in draws if np.all(np.isfinite(row)) and min(row) > 0])
    fitted = {"": _with_ratio(fit(sizes[reached], median_steps[reached]))}
    if len(resamples):
        resampled, tail = np.sort(_with_ratio(fit(sizes[reached], resamples)), axis=0), int(0.025 * len(resamples))
        fitted |= {"_low": resampled[tail], "_high": resampled[-1 - tail]}
    return {f"{name}{end}": float(values[index]) for end, values in fitted.items() for index, name in enumerate(FITTED)}


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
