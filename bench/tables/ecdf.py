"""The share of targets met by some work."""

from collections.abc import Iterable, Mapping, Sequence
from math import ceil, floor, log10
from typing import Any

import numpy as np
from jaxtyping import Float

from optbench.analyse.outcomes import Slice
from optbench.analyse.targets import LEVELS, most_work, work_met
from optbench.analyse.work import Seconds, singular, words_of, work_of
from optbench.store.parts import Part
from optbench.store.run import StoredRun
from optbench.tables.table_kind import REACHED, Rows, TableKind, of_timed, report_notes

NOTES = [
    f"share of all (problem, target, report seed) that the tuned optimizer reaches with so much work; each batch size "
    f"counts as a problem, with {LEVELS} targets between its initial loss and its own target (without one: the lowest "
    "final loss of any optimizer)",
    "an optimizer that failed or was not run on a problem reaches none of its targets",
    REACHED,
]
NO_LEVEL = "nothing to show: no problem has a target, and every trial diverged"


def ecdf(parts: Sequence[Part], view: Slice, seconds: Seconds | None = None) -> Rows:
    """Return the share of (problem, target, seed) met by some work: (columns, rows), the largest shares first.

    Raises ValueError if trials are not stored, or a timing is missing that the slice asks for.
    """
    work = work_of(parts, view, seconds)
    met, total = work_met(parts, view, work)
    grid = _grid(most_work(parts, view, work), met)
    columns = [f"by_{singular(work.unit)}_{amount:g}" for amount in grid]
    shares = {name: [_share(own, amount, total) for amount in grid] for name, own in met.items()} if total else {}
    best_first = sorted(shares, key=lambda name: shares[name][::-1], reverse=True)
    rows = [{"optimizer": name} | dict(zip(columns, shares[name], strict=True)) for name in best_first]
    return ["optimizer", *columns], rows


def _share(met: Float[np.ndarray, " case"], amount: float, total: int) -> float:
    return int(np.sum(met <= amount)) / total


def _grid(most: float, met: Mapping[str, Float[np.ndarray, " case"]]) -> list[float]:
    """Return the amounts 1, 3, 10, 30, ... up to the largest budget; of seconds from the least that met a target."""
    if most <= 0:
        return [most]
    least = min((float(own.min(initial=np.inf, where=own > 0)) for own in met.values()), default=1.0)
    powers = range(floor(log10(min(least, most, 1.0))), ceil(log10(most)) + 1)
    series = [factor * 10.0**power for power in powers for factor in (1, 3)]
    return [*(amount for amount in series if amount < most), most]


def notes(run: StoredRun, rows: Iterable[Mapping[str, Any]], view: Slice) -> list[str]:
    """Return the meaning of the shares, or why there are none."""
    unit = work_of(run.parts, view).unit
    return [*NOTES, f"work is counted in {words_of(unit)}"] if any(True for _ in rows) else [NO_LEVEL]


TABLE = TableKind(
    "the share of targets met",
    of_timed(ecdf),
    notes,
    shared_notes=report_notes,
    section="Targets",
    takes_by=True,
)
