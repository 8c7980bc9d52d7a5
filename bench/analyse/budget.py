"""What tuning costs: the expected best of k random configurations, and where one optimizer overtakes another."""

from collections.abc import Mapping, Sequence
from typing import Any

import numpy as np
from jaxtyping import Float

from bench.analyse.outcomes import Slice, objective, outcomes, start_of
from bench.analyse.statistics import expected_best, expected_best_interval, median
from bench.store.run_folder import Part

NOTES = [
    "best_of_k: expected lowest of k configurations drawn at random from those that were tried, each by its median "
    "over the selection seeds; the gap where the optimum is known, else the train loss; with 95 % bootstrap intervals",
    "one that diverged counts as the start: the worst there is, since who tries it keeps what they had",
    "overtakes: what is better at one configuration, and from how many on it no longer is",
]
#: The k that have columns, beside the largest.
SHOWN = (1, 4, 16, 64, 256, 1024)
#: Overtaken ones that a row names; of more it tells the number.
MOST_NAMED = 3


def budget(parts: Sequence[Part], view: Slice) -> tuple[list[str], list[dict[str, Any]]]:
    """Tabulate the expected best of k configurations of each cell: (columns, rows), best first within a task."""
    values = {_cell(part): configurations(part, view) for part in parts if part.outcome == "finished"}
    largest = max((len(found) for found in values.values()), default=0)
    ks = [*dict.fromkeys([*(k for k in SHOWN if k < largest), largest])] if largest else []
    tasks: dict[tuple[Any, ...], dict[str, np.ndarray]] = {}
    for (problem, batch_size, optimizer), found in values.items():
        tasks.setdefault((problem, batch_size), {})[optimizer] = found
    rows = [row for task, found in tasks.items() for row in _rows(task, found, ks)]
    columns = [f"best_of_{k}{end}" for k in ks for end in ("", "_low", "_high")]
    return ["problem", "optimizer", "batch_size", "num_points", *columns, "overtakes"], rows


def _cell(part: Part) -> tuple[Any, ...]:
    return tuple(part.footer[name] for name in ("problem", "batch_size", "optimizer"))


def configurations(part: Part, view: Slice) -> Float[np.ndarray, " point"]:
    """Read what each configuration of a cell came to, no worse than where it began."""
    found = outcomes(part, "select", view)
    medians = np.array([median(trials) for trials in objective(found, part.footer).T])
    return np.minimum(medians, start_of(found, part.footer))


def _rows(task: tuple[Any, ...], found: Mapping[str, np.ndarray], ks: Sequence[int]) -> list[dict[str, Any]]:
    curves = {name: expected_best(values, range(1, len(values) + 1)) for name, values in found.items()}
    rows = []
    for name, values in found.items():
        some = [k for k in ks if k <= len(values)]
        lows, highs = expected_best_interval(values, some)
        row = {"problem": task[0], "optimizer": name, "batch_size": task[1], "num_points": len(values)}
        for k, low, high in zip(some, lows, highs, strict=True):
            row |= {f"best_of_{k}": float(curves[name][k - 1]), f"best_of_{k}_low": low, f"best_of_{k}_high": high}
        rows.append(row | {"overtakes": _overtakes(name, curves)})
    return sorted(rows, key=lambda row: curves[row["optimizer"]][-1])


def _overtakes(name: str, curves: Mapping[str, Float[np.ndarray, " k"]]) -> str:
    places = {other: overtaking(curves[name], curve) for other, curve in curves.items() if other != name}
    said = [f"{other} at {k}" for other, k in sorted(places.items(), key=lambda item: item[1] or 0) if k]
    return ", ".join([*said[:MOST_NAMED], *([f"{len(said) - MOST_NAMED} more"] if len(said) > MOST_NAMED else [])])


def overtaking(first: Float[np.ndarray, " k"], second: Float[np.ndarray, " k"]) -> int | None:
    """Find the k from which on the first is better, where the second is at k = 1; None where there is none."""
    num = min(len(first), len(second))
    behind = np.flatnonzero(first[:num] >= second[:num])
    if first[0] <= second[0] or behind[-1] == num - 1:
        return None
    return int(behind[-1]) + 2
