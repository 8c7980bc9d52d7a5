"""Series over time: one measure of a cell through the entries of a history."""

import fnmatch
from collections.abc import Mapping, Sequence
from itertools import pairwise
from typing import Any, NamedTuple

import numpy as np
import pyarrow as pa
import pyarrow.compute as pc
from jaxtyping import Float

from bench.history import schema
from bench.history.change_points import change_points
from bench.history.entries import Entry, History


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
    rows = history.rows.filter(pc.is_in(history.rows["entry"], pa.array([*by_id], pa.string())))
    for column, patterns in chosen.items():
        if patterns:
            names = [name for name in pc.unique(rows[column]).to_pylist() if _fits(name or "", patterns)]
            rows = rows.filter(pc.is_in(rows[column], pa.array(names, pa.string())))
    found: dict[tuple[Any, ...], list[tuple[str, float, float, float]]] = {}
    names = [*schema.SERIES, "machine", "entry", "value", "low", "high"]
    for *series, machine, entry, value, low, high in zip(*(rows[name].to_pylist() for name in names), strict=True):
        kind = schema.measure_of(series[-1]).kind
        if kind != "failed":
            where = machine if kind in schema.OF_MACHINE else ""
            found.setdefault((*series, where), []).append((entry, value, low, high))
    return [_trend(key, values, by_id) for key, values in found.items()]


def _trend(key: tuple[Any, ...], rows: Sequence[tuple[str, float, float, float]], by_id: Mapping[str, Entry]) -> Trend:
    series = dict(zip((*schema.SERIES, "machine"), key, strict=True))
    columns = [np.array([row[place] for row in rows], dtype=float) for place in (1, 2, 3)]
    return Trend(series, tuple(by_id[row[0]] for row in rows), *columns)


def _fits(name: str, patterns: Sequence[str]) -> bool:
    """Fit a whole label, its family, or a pattern; brackets are not special in it."""
    escaped = (pattern.replace("[", "[[]") for pattern in patterns)
    return any(fnmatch.fnmatchcase(text, pattern) for pattern in escaped for text in (name, name.partition("[")[0]))
