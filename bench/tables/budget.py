"""The cost of tuning: the expected best of k random configurations, and the k at which optimizers overtake others."""

from collections.abc import Iterable, Mapping, Sequence
from typing import Any

import numpy as np
from jaxtyping import Float

from optbench.analyse.measures import expected_best, expected_best_interval
from optbench.analyse.objective import initial_objective, objective
from optbench.analyse.outcomes import Slice, outcomes
from optbench.analyse.statistics import median
from optbench.store.parts import Part
from optbench.store.run import StoredRun
from optbench.store.status import Outcome
from optbench.tables.table_kind import TableKind, of_parts, select_notes

NOTES = [
    "best_of_k: final loss (gap where the optimum is known) to expect of the best of k random points, with 95 % "
    "bootstrap intervals over points; -: fewer than k were tried; a point that diverged counts with the initial loss",
    "on the selection seeds, where large k look better than they are; table convergence has results on fresh seeds",
    "overtakes: optimizers that are ahead with one random point, and from how many points on this one is ahead of them",
]
ENDS = ("", "_low", "_high")
#: The k of the printed table, beside the largest; files have every k up to a hundred too.
SHOWN = (1, 4, 16, 64, 256, 1024)
EVERY = 100
#: Overtaken optimizers that a row names; further ones are only counted.
MOST_NAMED = 3
#: The number of k that two optimizers are compared at: each up to some hundred, then less than 1 % apart.
COMPARED = 1000
#: The number of k computed at a time, since each takes memory for each configuration.
TOGETHER = 32


def budget(parts: Sequence[Part], view: Slice) -> tuple[list[str], list[dict[str, Any]]]:
    """Return the expected best of k configurations of each cell: (columns, rows), best first within a task.

    Raises ValueError if selection trials are not stored.
    """
    values = {_cell(part): configurations(part, view) for part in parts if part.outcome == Outcome.FINISHED}
    largest = max((len(medians) for medians in values.values()), default=0)
    choices = {*range(1, EVERY + 1), *SHOWN, largest}
    ks = sorted(k for k in choices if 0 < k <= largest)
    tasks: dict[tuple[Any, ...], dict[str, np.ndarray]] = {}
    for (problem, batch_size, optimizer), medians in values.items():
        tasks.setdefault((problem, batch_size), {})[optimizer] = medians
    rows = [row for task, medians in tasks.items() for row in _rows(task, medians, ks)]
    columns = [f"best_of_{k}{end}" for k in ks for end in ENDS]
    return ["problem", "optimizer", "batch_size", "num_points", *columns, "overtakes"], rows


def hidden_columns(columns: Sequence[str]) -> list[str]:
    """Return the columns that would fill a page: those of all k but a few, and the largest."""
    names = [name for name in columns if name.startswith("best_of_")]
    shown = {f"best_of_{k}{end}" for k in SHOWN for end in ENDS}
    return [name for name in names[: -len(ENDS)] if name not in shown]


def _cell(part: Part) -> tuple[Any, ...]:
    return part.record.problem, part.record.batch_size, part.record.optimizer


def configurations(part: Part, view: Slice) -> Float[np.ndarray, " point"]:
    """Return the median objective of each configuration of a cell, at most the initial one.

    Raises ValueError if the selection trials are not stored.
    """
    trials = outcomes(part, "select", view)
    medians = np.array([median(values) for values in objective(trials, part.results).T])
    return np.minimum(medians, initial_objective(trials, part.results))


def _rows(task: tuple[Any, ...], medians: Mapping[str, np.ndarray], ks: Sequence[int]) -> list[dict[str, Any]]:
    compared = _compared_ks(min(map(len, medians.values()))) if len(medians) > 1 else []
    curves = {name: _curve(values, compared) for name, values in medians.items()}
    rows = []
    for name, values in medians.items():
        possible = [k for k in ks if k <= len(values)]
        ends = zip(possible, expected_best(values, possible), *expected_best_interval(values, possible), strict=True)
        row = {"problem": task[0], "optimizer": name, "batch_size": task[1], "num_points": len(values)}
        for k, *numbers in ends:
            row |= {f"best_of_{k}{end}": float(number) for end, number in zip(ENDS, numbers, strict=True)}
        rows.append(row | {"overtakes": _overtakes(name, curves, compared)})
    return sorted(rows, key=lambda row: medians[row["optimizer"]].min())


def _compared_ks(num: int) -> list[int]:
    return sorted(set(np.geomspace(1, num, COMPARED).round().astype(int).tolist()))


def _curve(values: Float[np.ndarray, " point"], ks: Sequence[int]) -> Float[np.ndarray, " k"]:
    pieces = [expected_best(values, ks[first : first + TOGETHER]) for first in range(0, len(ks), TOGETHER)]
    return np.concatenate([[], *pieces])


def _overtakes(name: str, curves: Mapping[str, Float[np.ndarray, " k"]], ks: Sequence[int]) -> str:
    crossings = {other: overtaking(curves[name], curve) for other, curve in curves.items() if other != name}
    overtaken = sorted((index, other) for other, index in crossings.items() if index is not None)
    phrases = [f"{other} at {ks[index]}" for index, other in overtaken]
    return ", ".join(
        [*phrases[:MOST_NAMED], *([f"{len(phrases) - MOST_NAMED} more"] if len(phrases) > MOST_NAMED else [])]
    )


def overtaking(first: Float[np.ndarray, " k"], second: Float[np.ndarray, " k"]) -> int | None:
    """Return the index from which on the first curve is lower, if the second is at index 0; None if there is none.

    Values that differ by rounding count as equal.
    """
    ahead = second - first > 1e-9 * np.abs(second)
    if not second[0] < first[0] or not ahead[-1]:
        return None
    return int(np.flatnonzero(~ahead)[-1]) + 1


def notes(run: StoredRun, rows: Iterable[Mapping[str, Any]], view: Slice) -> list[str]:
    """Return the meaning of the columns."""
    return NOTES if any(row["overtakes"] for row in rows) else NOTES[:-1]


TABLE = TableKind(
    "the expected best of k configurations",
    of_parts(budget),
    notes,
    shared_notes=select_notes,
    section="Tuning",
    hidden_columns=hidden_columns,
)
