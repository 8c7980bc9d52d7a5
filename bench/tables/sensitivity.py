"""Sensitivity to the learning rate: the width of the good range, and the progress of the best one elsewhere."""

from collections.abc import Iterable, Mapping, Sequence
from typing import Any, NamedTuple

import numpy as np
from jaxtyping import Float

from optbench.analyse.objective import initial_objective, objective, progress, rounding
from optbench.analyse.outcomes import Slice, outcomes
from optbench.analyse.statistics import median
from optbench.store.parts import Part
from optbench.store.run import StoredRun
from optbench.store.status import Outcome
from optbench.tables.table_kind import TableKind, of_parts, select_notes

COLUMNS = (
    "problem",
    "optimizer",
    "batch_size",
    "learning_rate",
    "octaves_within_10_percent",
    "octaves_keeping_90_percent",
    "diverged_fraction",
    "at_edge",
    "kept_at_other_batch_sizes",
    "kept_on_other_problems",
)
NOTES = [
    "final losses (gaps where the optimum is known) over the selection seeds, at each learning rate with the best "
    "other hyperparameters",
    "octaves: width in factors of two of the learning rates around the best one whose loss is at most 10 % above the "
    "best, or that make 90 % of its progress in the logarithm; interpolated; no wider than the grid (see at_edge)",
    "kept: progress that this learning rate makes at other batch sizes, or on other problems, as a share of the best "
    "learning rate's there; medians",
    "-: no trial ended below its initial loss, only one learning rate was tried, or there is nothing to compare with",
]


class Response(NamedTuple):
    """One cell's final objective as a function of its learning rate, ascending, in octaves."""

    names: dict[str, Any]
    rates: Float[np.ndarray, " rate"]
    octaves: Float[np.ndarray, " rate"]
    #: 1 less the share of the best's progress: 0 for the best, 1 at the start, infinity if it diverged.
    shortfalls: Float[np.ndarray, " rate"]
    #: The shortfall of a loss 10 % above the best.
    tenth: float
    #: Index of the best; None if none ended below the start.
    best: int | None
    diverged: float


def sensitivity(parts: Sequence[Part], view: Slice) -> tuple[list[str], list[dict[str, Any]]]:
    """Return how each cell responds to its learning rate: (columns, rows).

    Raises ValueError if selection trials are not stored.
    """
    responses = [response(part, view) for part in parts if part.outcome == Outcome.FINISHED]
    cells = [cell for cell in responses if len(cell.rates)]
    return [*COLUMNS], [_row(cell, cells) for cell in cells]


def response(part: Part, view: Slice) -> Response:
    """Return a cell's response to its learning rate, at the best of its other settings.

    Raises ValueError if the selection trials are not stored.
    """
    trials = outcomes(part, "select", view)
    medians = np.array([median(losses) for losses in objective(trials, part.results).T])
    all_rates = trials.settings["learning_rate"]
    rates = np.unique(all_rates[all_rates > 0])
    values = np.array([medians[all_rates == rate].min() for rate in rates])
    start, lowest = initial_objective(trials, part.results), float(values.min(initial=np.inf))
    shortfall = lambda value: 1 - progress(value, lowest, start, trials.dtype) if np.isfinite(value) else np.inf  # noqa: E731
    # Ten percent of less than rounding would be crossed by rounding alone.
    least = lowest if lowest < 0 else max(lowest, rounding(trials.dtype) * start)
    names = part.record.names
    chosen = all_rates[trials.points == part.results.best_point]
    return Response(
        names,
        rates,
        np.log2(rates),
        np.array([shortfall(value) for value in values.tolist()]),
        shortfall(least + abs(least) / 10),
        _best(rates, values, chosen) if lowest < start else None,
        float(np.mean(trials.diverged)),
    )


def _best(
    rates: Float[np.ndarray, " rate"], values: Float[np.ndarray, " rate"], chosen: Float[np.ndarray, " one"]
) -> int:
    """Return the index of the best rate; of several that reached the optimum, the one that the run chose."""
    lowest = values == values.min()
    ours = lowest & np.isin(rates, chosen)
    return int(np.argmax(ours if ours.any() else lowest))


def _row(own: Response, others: Sequence[Response]) -> dict[str, Any]:
    row = own.names | {"diverged_fraction": own.diverged, "at_edge": []}
    if own.best is None:
        return row
    same = [other for other in others if other is not own and other.names["optimizer"] == own.names["optimizer"]]
    here = [other for other in same if other.names["problem"] == own.names["problem"]]
    there = [other for other in same if other.names["problem"] != own.names["problem"]]
    row |= {"learning_rate": float(own.rates[own.best])}
    row |= {
        "kept_at_other_batch_sizes": _progress_elsewhere(own, here),
        "kept_on_other_problems": _progress_elsewhere(own, there),
    }
    if len(own.rates) == 1:
        return row
    return row | {
        "octaves_within_10_percent": width(own.octaves, own.shortfalls, own.best, own.tenth),
        "octaves_keeping_90_percent": width(own.octaves, own.shortfalls, own.best, 0.1),
        "at_edge": ["learning_rate"] if own.best in (0, len(own.rates) - 1) else [],
    }


def width(
    octaves: Float[np.ndarray, " rate"], shortfalls: Float[np.ndarray, " rate"], best: int, limit: float
) -> float:
    """Return the octaves around the best in which the shortfall stays within a limit, along straight lines."""
    below, above = slice(best, None, -1), slice(best, None)
    return float(_reach(octaves[above], shortfalls[above], limit) + _reach(-octaves[below], shortfalls[below], limit))


def _reach(x: Float[np.ndarray, " rate"], shortfalls: Float[np.ndarray, " rate"], limit: float) -> float:
    """Return the distance from the first value to the crossing of the limit."""
    crossed = np.flatnonzero(shortfalls > limit)
    if not len(crossed):
        return x[-1] - x[0]
    stop = crossed[0]
    # The range ends before a diverged trial, since the crossing in between is unknown.
    share = (
        0.0
        if np.isinf(shortfalls[stop])
        else (limit - shortfalls[stop - 1]) / (shortfalls[stop] - shortfalls[stop - 1])
    )
    return x[stop - 1] - x[0] + share * (x[stop] - x[stop - 1])


def _progress_elsewhere(own: Response, others: Sequence[Response]) -> float | None:
    """Return the median share of others' best progress at a learning rate within their grids; None without any."""
    rate = float(own.octaves[own.best])
    shares = [max(1 - shortfall, 0.0) for other in others if (shortfall := _shortfall_at(other, rate)) is not None]
    return float(np.median(shares)) if shares else None


def _shortfall_at(other: Response, rate: float) -> float | None:
    """Return the shortfall at a learning rate, in octaves; None outside the grid."""
    near = np.flatnonzero(np.abs(other.octaves - rate) < 1e-9)
    if other.best is None or not (len(near) or other.octaves[0] < rate < other.octaves[-1]):
        return None
    if len(near):
        return float(other.shortfalls[near[0]])
    after = int(np.searchsorted(other.octaves, rate))
    low, high = other.shortfalls[after - 1 : after + 1]
    share = (rate - other.octaves[after - 1]) / (other.octaves[after] - other.octaves[after - 1])
    return float(np.inf if np.isinf(low + high) else low + share * (high - low))


def notes(run: StoredRun, rows: Iterable[Mapping[str, Any]], view: Slice) -> list[str]:
    """Return the meaning of the columns."""
    return NOTES


TABLE = TableKind(
    "how much the learning rate matters",
    of_parts(sensitivity),
    notes,
    shared_notes=select_notes,
    section="Learning rates",
)
