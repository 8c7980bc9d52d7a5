"""The share of targets met by a step."""

from collections.abc import Iterable, Mapping, Sequence
from typing import Any

import numpy as np
from jaxtyping import Float

from optbench.analyse.outcomes import Slice
from optbench.analyse.targets import LEVELS, most_steps, steps_met
from optbench.store.parts import Part
from optbench.store.run import StoredRun
from optbench.tables.table_kind import REACHED, Rows, TableKind, of_parts, report_notes

NOTES = [
    f"share of all (problem, target, report seed) met by that step, tuned optimizers; each batch size counts as a "
    f"problem; {LEVELS} targets a problem, evenly in the logarithm from the train loss at its start to its own target, "
    "or where it has none to the lowest end of any optimizer; by the gap where the optimum is known",
    "what failed or was not run somewhere has met no target there; " + REACHED,
]
NO_LEVEL = "no problem has a target or a trial that didn't diverge"


def ecdf(parts: Sequence[Part], view: Slice) -> Rows:
    """Return the share of (problem, target, seed) met by some steps: (columns, rows), the largest shares first.

    Raises ValueError if trials are not stored.
    """
    met, total = steps_met(parts, view)
    grid = _steps_grid(most_steps(parts, view))
    columns = [f"by_step_{step}" for step in grid]
    shares = {name: [_share(steps, step, total) for step in grid] for name, steps in met.items()} if total else {}
    best_first = sorted(shares, key=lambda name: shares[name][::-1], reverse=True)
    rows = [{"optimizer": name} | dict(zip(columns, shares[name], strict=True)) for name in best_first]
    return ["optimizer", *columns], rows


def _share(steps: Float[np.ndarray, " case"], step: int, total: int) -> float:
    return int(np.sum(steps <= step)) / total


def _steps_grid(most: int) -> list[int]:
    """Return the steps 1, 3, 10, 30, ... up to the last one."""
    series = [factor * 10**power for power in range(len(str(most))) for factor in (1, 3)]
    return [*(step for step in series if step < most), most]


def notes(run: StoredRun, rows: Iterable[Mapping[str, Any]], view: Slice) -> list[str]:
    """Return the meaning of the shares, or why there are none."""
    return NOTES if any(True for _ in rows) else [NO_LEVEL]


TABLE = TableKind("the share of targets met", of_parts(ecdf), notes, shared_notes=report_notes, section="Targets")
