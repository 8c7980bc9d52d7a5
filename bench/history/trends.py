"""Series over time: one measure of a cell through the entries of a history."""

import fnmatch
from collections.abc import Mapping, Sequence
from itertools import pairwise
from typing import Any, NamedTuple

import numpy as np
import pyarrow as pa
from jaxtyping import Float

from optbench.errors import RequestError
from optbench.history import schema
from optbench.history.change_points import change_points
from optbench.history.entries import Entry, History
from optbench.history.filters import distinct, grouped, numbers, where, without

NEEDED = ("entry", "machine", *schema.SERIES, "value", "low", "high")


class Trend(NamedTuple):
    """A series: its name, the entries that hold it, oldest first, and their values."""

    series: dict[str, Any]
    entries: tuple[Entry, ...]
    values: Float[np.ndarray, " entry"]
    low: Float[np.ndarray, " entry"]
    high: Float[np.ndarray, " entry"]

    def changes(self) -> list[tuple[Entry, float]]:
        """Return where the level changed: the first entry after each change, and the ratio of the levels."""
        changes = change_points(self.values)
        edges = [0, *changes, len(self.values)]
        levels = [float(np.median(self.values[a:b])) for a, b in pairwise(edges)]
        ratios = [after / before if before else np.inf for before, after in pairwise(levels)]
        return [(self.entries[index], ratio) for index, ratio in zip(changes, ratios, strict=True)]


def trends(history: History, entries: Sequence[Entry], chosen: Mapping[str, Sequence[str]]) -> list[Trend]:
    """Take the series of some entries whose names fit: column -> patterns with * and ?, of which one has to fit.

    What depends on the machine is a series for each.
    """
    by_id = {entry.id: entry for entry in entries}
    rows = where(history.rows.select(NEEDED), "entry", by_id)
    for column, patterns in chosen.items():
        if patterns:
            rows = where(rows, column, [name for name in distinct(rows, column) if _fits(name or "", patterns)])
    rows = without(rows, "measure", ["failed"])
    shared = [name for name in distinct(rows, "measure") if schema.measure_of(name).kind not in schema.OF_MACHINE]
    parts = [(where(rows, "measure", shared), ()), (without(rows, "measure", shared), ("machine",))]
    return [trend for part, names in parts for trend in _trends(part, (*schema.SERIES, *names), by_id)]


def fitting_trends(history: History, entries: Sequence[Entry], chosen: Mapping[str, Sequence[str]]) -> list[Trend]:
    """Return the series of some entries whose names fit, as `trends` does. Raises RequestError if there are none."""
    series = trends(history, entries, chosen)
    if not series:
        wanted = ", ".join(f"{name} {' or '.join(words)}" for name, words in chosen.items() if words)
        raise RequestError(f"nothing in {history.place} fits {wanted}")
    return series


def _trends(rows: pa.Table, names: Sequence[str], by_id: Mapping[str, Entry]) -> list[Trend]:
    groups = grouped(rows, names)
    first = rows.select([*names]).take(pa.array([indices[0] for indices in groups], pa.int64())).to_pylist()
    columns, ids = [numbers(rows, name) for name in ("value", "low", "high")], rows["entry"].to_pylist()
    return [
        Trend(
            {"machine": ""} | name,
            tuple(by_id[ids[index]] for index in indices),
            *(column[indices] for column in columns),
        )
        for name, indices in zip(first, groups, strict=True)
    ]


def _fits(name: str, patterns: Sequence[str]) -> bool:
    """Return whether a label, its family or a pattern of those given fits; brackets are not special in a pattern."""
    escaped = (pattern.replace("[", "[[]") for pattern in patterns)
    return any(fnmatch.fnmatchcase(text, pattern) for pattern in escaped for text in (name, name.partition("[")[0]))
