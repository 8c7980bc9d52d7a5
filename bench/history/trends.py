"""Series over time: one measure of a cell through the entries of a history."""

import fnmatch
from collections.abc import Mapping, Sequence
from itertools import pairwise
from typing import Any, NamedTuple

import numpy as np
from jaxtyping import Float

from bench.history import schema
from bench.history.change_points import change_points
from bench.history.entries import Entry, History
from bench.history.filters import distinct, where


class Trend(NamedTuple):
    """A series: its name, the entries that hold it, oldest first, and their values."""

    series: dict[str, Any]
    entries: tuple[Entry, ...]
    values: Float[np.ndarray, " entry"]
    low: Float[np.ndarray, " entry"]
    high: Float[np.ndarray, " entry"]

    def changes(self) -> list[tuple[Entry, float]]:
        """Find where the level changed: the first entry after each change, and the ratio of the levels."""
        places = change_points(self.values)
        edges = [0, *places, len(self.values)]
        levels = [float(np.median(self.values[a:b])) for a, b in pairwise(edges)]
        ratios = [after / before if before else np.inf for before, after in pairwise(levels)]
        return [(self.entries[place], ratio) for place, ratio in zip(places, ratios, strict=True)]


def trends(history: History, entries: Sequence[Entry], chosen: Mapping[str, Sequence[str]]) -> list[Trend]:
    """Take the series of some entries whose names fit: column -> patterns with * and ?, of which one has to fit.

    What depends on the machine is a series for each.
    """
    by_id = {entry.id: entry for entry in entries}
    rows = where(history.rows, "entry", by_id)
    for column, patterns in chosen.items():
        if patterns:
            rows = where(rows, column, [name for name in distinct(rows, column) if _fits(name or "", patterns)])
    found: dict[tuple[Any, ...], list[tuple[str, float, float, float]]] = {}
    names = [*schema.SERIES, "machine", "entry", "value", "low", "high"]
    for *series, machine, entry, value, low, high in zip(*(rows[name].to_pylist() for name in names), strict=True):
        kind = schema.measure_of(series[-1]).kind
        if kind != "failed":
            found.setdefault((*series, machine if kind in schema.OF_MACHINE else ""), []).append(
                (entry, value, low, high)
            )
    return [_trend(key, values, by_id) for key, values in found.items()]


def _trend(key: tuple[Any, ...], rows: Sequence[tuple[str, float, float, float]], by_id: Mapping[str, Entry]) -> Trend:
    series: dict[str, Any] = dict(zip((*schema.SERIES, "machine"), key, strict=True))
    columns = [np.array([row[place] for row in rows], dtype=float) for place in (1, 2, 3)]
    return Trend(series, tuple(by_id[row[0]] for row in rows), *columns)


def _fits(name: str, patterns: Sequence[str]) -> bool:
    """Fit a whole label, its family, or a pattern; brackets are not special in it."""
    escaped = (pattern.replace("[", "[[]") for pattern in patterns)
    return any(fnmatch.fnmatchcase(text, pattern) for pattern in escaped for text in (name, name.partition("[")[0]))
