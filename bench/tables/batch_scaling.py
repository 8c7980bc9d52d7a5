"""What a larger batch buys: steps and examples to a target, tuned at each batch size, and the critical batch size."""

from collections.abc import Iterable, Mapping, Sequence
from typing import Any

import numpy as np
from jaxtyping import Float

from optbench.analyse.measures import batch_scaling as fit
from optbench.analyse.outcomes import Slice, outcomes, targets_of
from optbench.analyse.statistics import median
from optbench.store.parts import Part
from optbench.store.run import StoredRun
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
    """Tabulate steps to target against batch size, where there are several: (columns, rows), smallest batch first."""
    groups: dict[tuple[str, str], list[Part]] = {}
    for part in parts:
        if part.outcome == "finished" and targets_of(part.results, view):
            groups.setdefault((part.record.problem, part.record.optimizer), []).append(part)
    several = [group for group in groups.values() if len({part.results.examples_per_step for part in group}) > 1]
    fitted = [f"{name}{end}" for name in FITTED for end in ("", "_low", "_high")]
    return [*COLUMNS, "region", *fitted], [row for group in several for row in _rows(group, view)]


def notes(run: StoredRun, rows: Iterable[Mapping[str, Any]], view: Slice) -> list[str]:
    """Say how to read the rows, who never reached the target, or why there is nothing to read."""
    met: dict[str, bool] = {}
    for row in rows:
        met[row["problem"]] = met.get(row["problem"], False) or np.isfinite(row["steps_to_target"])
    if not met:
        return [NO_SIZES]
    return NOTES + [f"nobody reached the target on {problem}" for problem, reached in met.items() if not reached]


def _rows(group: Sequence[Part], view: Slice) -> list[dict[str, Any]]:
    group = sorted(group, key=lambda part: part.results.examples_per_step)
    found = [fastest(part, view) for part in group]
    sizes = np.array([part.results.examples_per_step for part in group], dtype=float)
    scaling = fit_seeds(sizes, [steps for _, steps in found])
    rows = []
    for part, (rate, steps), size in zip(group, found, sizes, strict=True):
        names = part.record.names
        middle = median(steps)
        met = np.isfinite(middle)
        row = names | {"learning_rate": rate if met else None, "steps_to_target": middle}
        row |= {"examples_to_target": middle * size, "region": region(size, scaling) if met else None}
        rows.append(row | scaling)
    return rows


def fastest(part: Part, view: Slice) -> tuple[float, Float[np.ndarray, " seed"]]:
    """Find the settings that reach the target first: (learning rate, steps of each seed)."""
    found = outcomes(part, "select", view)
    steps = found.steps_to[next(iter(targets_of(part.results, view)))]
    best = int(np.argmin([median(trials) for trials in steps.T]))
    return float(found.settings["learning_rate"][best]), steps[:, best]


def fit_seeds(sizes: Float[np.ndarray, " size"], steps: Sequence[Float[np.ndarray, " seed"]]) -> dict[str, float]:
    """Fit the medians over seeds, with intervals by resampling them; empty where fewer than two sizes reach it.

    A target that is met before the first update says nothing of steps, and is left out.
    """
    middle = np.array([median(trials) for trials in steps])
    used = np.flatnonzero(np.isfinite(middle) & (middle > 0))
    if len(np.unique(sizes[used])) < 2:
        return {}
    random = np.random.default_rng(0)
    drawn = [
        [median(random.choice(steps[place], len(steps[place]))) for place in used.tolist()] for _ in range(RESAMPLES)
    ]
    kept = np.array([row for row in drawn if np.all(np.isfinite(row)) and min(row) > 0])
    fitted = {"": _with_ratio(fit(sizes[used], middle[used]))}
    if len(kept):
        resampled, tail = np.sort(_with_ratio(fit(sizes[used], kept)), axis=0), int(0.025 * len(kept))
        fitted |= {"_low": resampled[tail], "_high": resampled[-1 - tail]}
    return {f"{name}{end}": float(values[place]) for end, values in fitted.items() for place, name in enumerate(FITTED)}


def _with_ratio(fitted: Float[np.ndarray, "*batch 2"]) -> Float[np.ndarray, "*batch 3"]:
    with np.errstate(divide="ignore"):
        return np.concatenate([fitted, fitted[..., 1:] / fitted[..., :1]], axis=-1)


def region(size: float, scaling: dict[str, float]) -> str | None:
    """Name the region a batch size lies in, from the slope of the fit there."""
    critical = scaling.get("critical_batch_size")
    if critical is None:
        return None
    slope = 1 / (1 + size / critical) if critical > 0 else 0.0
    return "perfect" if slope >= 0.8 else "none" if slope <= 0.2 else "diminishing"


TABLE = TableKind(
    "what a larger batch buys", of_parts(batch_scaling), notes, shared_notes=select_notes, section="Batch sizes"
)
