"""How much the learning rate matters: how wide the good range is, and whether the best one serves elsewhere."""

from collections.abc import Sequence
from typing import Any, NamedTuple

import numpy as np
from jaxtyping import Float

from bench.analyse.outcomes import Slice, kept, objective, outcomes, start_of
from bench.analyse.statistics import median
from bench.store.run_folder import Part

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
    "octaves: factors of two around the best learning rate, between grid points along straight lines, where the loss "
    "(the gap, where the optimum is known) is at most 1.1 times the best; and where it keeps 90 % of the best's way "
    "from the start, in the logarithm; a range that reaches the grid's end (at_edge: the best does) is cut off there",
    "kept elsewhere: how much of the way that the best learning rate there goes this one goes too, in the logarithm; "
    "the median over the other batch sizes of this problem, and over the other problems",
]


class Response(NamedTuple):
    """How one cell's result depends on its learning rate, ascending, in octaves; infinite where it diverges."""

    names: dict[str, Any]
    octaves: Float[np.ndarray, " rate"]
    values: Float[np.ndarray, " rate"]
    start: float
    diverged: float
    dtype: str


def sensitivity(parts: Sequence[Part], view: Slice) -> tuple[list[str], list[dict[str, Any]]]:
    """Summarise how each cell responds to its learning rate: (columns, rows)."""
    responses = [response(part, view) for part in parts if part.outcome == "finished"]
    found = [one for one in responses if len(one.octaves)]
    return [*COLUMNS], [_row(one, found) for one in found]


def response(part: Part, view: Slice) -> Response:
    """Read how a cell's result depends on the learning rate, at the best of its other settings."""
    found = outcomes(part, "select", view)
    values = np.array([median(trials) for trials in objective(found, part.footer).T])
    rates = found.settings["learning_rate"]
    tried = np.unique(rates[rates > 0])
    best = np.array([values[rates == rate].min() for rate in tried])
    names = {name: part.footer[name] for name in ("problem", "optimizer", "batch_size")}
    return Response(
        names, np.log2(tried), best, start_of(found, part.footer), float(np.mean(found.diverged)), found.dtype
    )


def _row(one: Response, others: Sequence[Response]) -> dict[str, Any]:
    place = int(np.argmin(one.values))
    best, rate = one.values[place], one.octaves[place]
    same = [other for other in others if other is not one and other.names["optimizer"] == one.names["optimizer"]]
    here = [other for other in same if other.names["problem"] == one.names["problem"]]
    there = [other for other in same if other.names["problem"] != one.names["problem"]]
    solved = np.isfinite(best)
    return one.names | {
        "learning_rate": float(f"{2.0**rate:.6g}"),
        "octaves_within_10_percent": width(one.octaves, one.values, 1.1 * best) if solved else None,
        "octaves_keeping_90_percent": _wide(one) if solved else None,
        "diverged_fraction": one.diverged,
        "at_edge": len(one.octaves) > 1 and place in (0, len(one.octaves) - 1),
        "kept_at_other_batch_sizes": _kept(rate, here),
        "kept_on_other_problems": _kept(rate, there),
    }


def _wide(one: Response) -> float:
    """Measure the range that keeps 90 % of the best's way: what is lost of it stays at or below a tenth."""
    best = float(one.values.min())
    lost = [1 - kept(value, best, one.start, one.dtype) if np.isfinite(value) else np.inf for value in one.values]
    return width(one.octaves, np.array(lost), 0.1)


def width(octaves: Float[np.ndarray, " rate"], values: Float[np.ndarray, " rate"], limit: float) -> float:
    """Measure the range around the lowest value in which values stay at or below a limit, along straight lines."""
    place = int(np.argmin(values))
    return float(_reach(octaves[place:], values[place:], limit) + _reach(-octaves[place::-1], values[place::-1], limit))


def _reach(x: Float[np.ndarray, " rate"], values: Float[np.ndarray, " rate"], limit: float) -> float:
    """Go from the first value on until the limit is crossed."""
    above = np.flatnonzero(values > limit)
    if not len(above):
        return x[-1] - x[0]
    stop = above[0]
    # Towards a diverged trial the line is a wall: nothing is known of what lies before it.
    share = 0.0 if np.isinf(values[stop]) else (limit - values[stop - 1]) / (values[stop] - values[stop - 1])
    return x[stop - 1] - x[0] + share * (x[stop] - x[stop - 1])


def _kept(rate: float, others: Sequence[Response]) -> float | None:
    """Take the median of what a learning rate keeps of others' gains, where it lies within their grids."""
    found = [
        kept(_at(other, rate), float(other.values.min()), other.start, other.dtype)
        for other in others
        if _reaches(other, rate)
    ]
    return float(np.median(found)) if found else None


def _reaches(other: Response, rate: float) -> bool:
    return bool(other.octaves[0] - 1e-9 <= rate <= other.octaves[-1] + 1e-9 and np.isfinite(other.values.min()))


def _at(other: Response, rate: float) -> float:
    nearest = int(np.argmin(np.abs(other.octaves - rate)))
    if abs(other.octaves[nearest] - rate) < 1e-9:
        return float(other.values[nearest])
    after = int(np.searchsorted(other.octaves, rate))
    low, high = other.values[after - 1], other.values[after]
    share = (rate - other.octaves[after - 1]) / (other.octaves[after] - other.octaves[after - 1])
    return float(np.inf if np.isinf(low + high) else low + share * (high - low))
