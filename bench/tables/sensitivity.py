"""How much the learning rate matters: how wide the good range is, and whether the best one serves elsewhere."""

from collections.abc import Iterable, Mapping, Sequence
from typing import Any, NamedTuple

import numpy as np
from jaxtyping import Float

from optbench.analyse.objective import initial_objective, objective, progress, rounding
from optbench.analyse.outcomes import Slice, outcomes
from optbench.analyse.statistics import median
from optbench.store.parts import Part
from optbench.store.run import StoredRun
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
    "of the selection trials; at each learning rate the best of the other settings counts, by its median over seeds",
    "octaves: factors of two around the best learning rate where the loss (the gap, where the optimum is known) is at "
    "most 10 % above the best, and where it keeps 90 % of the best's way from the start; ways are measured in the "
    "logarithm, down to where rounding begins, along straight lines between the learning rates that were tried; a "
    "range ends where the grid does (at_edge: the best lies there), and before what diverged",
    "kept elsewhere: the share that this learning rate goes of the way that the best one there goes, where it lies "
    "within the grid there; the median over the other batch sizes of this problem, and over the other problems",
    "-: nothing tried came below the start, only one learning rate was tried, or there is no other to look at",
]


class Response(NamedTuple):
    """How one cell's result depends on its learning rate, ascending, in octaves."""

    names: dict[str, Any]
    rates: Float[np.ndarray, " rate"]
    octaves: Float[np.ndarray, " rate"]
    #: Share of the best's way from the start that is lost: 0 for the best, 1 at the start, infinity where it diverged.
    lost: Float[np.ndarray, " rate"]
    #: What is lost where the loss lies 10 % above the best.
    tenth: float
    #: Position of the best; None where nothing came below the start.
    best: int | None
    diverged: float


def sensitivity(parts: Sequence[Part], view: Slice) -> tuple[list[str], list[dict[str, Any]]]:
    """Summarise how each cell responds to its learning rate: (columns, rows)."""
    responses = [response(part, view) for part in parts if part.outcome == "finished"]
    found = [one for one in responses if len(one.rates)]
    return [*COLUMNS], [_row(one, found) for one in found]


def response(part: Part, view: Slice) -> Response:
    """Read how a cell's result depends on the learning rate, at the best of its other settings."""
    found = outcomes(part, "select", view)
    medians = np.array([median(trials) for trials in objective(found, part.results).T])
    all_rates = found.settings["learning_rate"]
    rates = np.unique(all_rates[all_rates > 0])
    values = np.array([medians[all_rates == rate].min() for rate in rates])
    start, lowest = initial_objective(found, part.results), float(values.min(initial=np.inf))
    lose = lambda value: 1 - progress(value, lowest, start, found.dtype) if np.isfinite(value) else np.inf  # noqa: E731
    # Ten percent of less than rounding would be crossed by rounding alone.
    least = lowest if lowest < 0 else max(lowest, rounding(found.dtype) * start)
    names = part.record.names
    chosen = all_rates[found.points == part.results.best_point]
    return Response(
        names,
        rates,
        np.log2(rates),
        np.array([lose(value) for value in values.tolist()]),
        lose(least + abs(least) / 10),
        _best(rates, values, chosen) if lowest < start else None,
        float(np.mean(found.diverged)),
    )


def _best(
    rates: Float[np.ndarray, " rate"], values: Float[np.ndarray, " rate"], chosen: Float[np.ndarray, " one"]
) -> int:
    """Find the best; of several that reached the optimum, the one that the run chose."""
    lowest = values == values.min()
    ours = lowest & np.isin(rates, chosen)
    return int(np.argmax(ours if ours.any() else lowest))


def _row(one: Response, others: Sequence[Response]) -> dict[str, Any]:
    row = one.names | {"diverged_fraction": one.diverged, "at_edge": False}
    if one.best is None:
        return row
    same = [other for other in others if other is not one and other.names["optimizer"] == one.names["optimizer"]]
    here = [other for other in same if other.names["problem"] == one.names["problem"]]
    there = [other for other in same if other.names["problem"] != one.names["problem"]]
    row |= {"learning_rate": float(one.rates[one.best])}
    row |= {"kept_at_other_batch_sizes": _kept(one, here), "kept_on_other_problems": _kept(one, there)}
    if len(one.rates) == 1:
        return row
    return row | {
        "octaves_within_10_percent": width(one.octaves, one.lost, one.best, one.tenth),
        "octaves_keeping_90_percent": width(one.octaves, one.lost, one.best, 0.1),
        "at_edge": one.best in (0, len(one.rates) - 1),
    }


def width(octaves: Float[np.ndarray, " rate"], lost: Float[np.ndarray, " rate"], best: int, limit: float) -> float:
    """Measure the range around the best in which what is lost stays at or below a limit, along straight lines."""
    below, above = slice(best, None, -1), slice(best, None)
    return float(_reach(octaves[above], lost[above], limit) + _reach(-octaves[below], lost[below], limit))


def _reach(x: Float[np.ndarray, " rate"], lost: Float[np.ndarray, " rate"], limit: float) -> float:
    """Go from the first value on until the limit is crossed."""
    crossed = np.flatnonzero(lost > limit)
    if not len(crossed):
        return x[-1] - x[0]
    stop = crossed[0]
    # Towards a diverged trial the line is a wall: nothing is known of what lies before it.
    share = 0.0 if np.isinf(lost[stop]) else (limit - lost[stop - 1]) / (lost[stop] - lost[stop - 1])
    return x[stop - 1] - x[0] + share * (x[stop] - x[stop - 1])


def _kept(one: Response, others: Sequence[Response]) -> float | None:
    """Take the median of what a learning rate keeps of others' ways, where it lies within their grids."""
    rate = float(one.octaves[one.best])
    found = [max(1 - lost, 0.0) for other in others if (lost := _lost_at(other, rate)) is not None]
    return float(np.median(found)) if found else None


def _lost_at(other: Response, rate: float) -> float | None:
    """Read off what is lost at a learning rate, given in octaves."""
    near = np.flatnonzero(np.abs(other.octaves - rate) < 1e-9)
    if other.best is None or not (len(near) or other.octaves[0] < rate < other.octaves[-1]):
        return None
    if len(near):
        return float(other.lost[near[0]])
    after = int(np.searchsorted(other.octaves, rate))
    low, high = other.lost[after - 1 : after + 1]
    share = (rate - other.octaves[after - 1]) / (other.octaves[after] - other.octaves[after - 1])
    return float(np.inf if np.isinf(low + high) else low + share * (high - low))


def notes(run: StoredRun, rows: Iterable[Mapping[str, Any]], view: Slice) -> list[str]:
    """Say how to read the columns."""
    return NOTES


TABLE = TableKind(
    "how much the learning rate matters",
    of_parts(sensitivity),
    notes,
    shared_notes=select_notes,
    section="Learning rates",
)
