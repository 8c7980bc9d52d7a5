"""What changed between entries of a history, row by row: an interval of the ratio, the noise, and a verdict."""

from collections.abc import Iterator, Mapping, Sequence
from math import exp, inf, isfinite, log, sqrt
from statistics import median
from typing import Any, NamedTuple

import numpy as np

from optbench.history import schema
from optbench.history.entries import Entry, History, read_samples
from optbench.history.filters import without
from optbench.history.noise import NEEDED, Noise, noises
from optbench.history.paired import paired_logs, t_interval

Row = dict[str, Any]
Series = tuple[Any, ...]
COLUMNS = (*("problem", "optimizer", "batch_size", "measure", "before", "now", "ratio", "ratio_low", "ratio_high"),)
COLUMNS += ("noise", "verdict", "why", "dtype", "settings")

#: Entries of one version and machine beyond the first that tell its noise: of fewer one can say nothing.
FEWEST_REPEATS = 3
#: The same seeds of the same problem start from the same loss, but for rounding.
SAME_START = 1e-3


class Margins(NamedTuple):
    """What share of the value before counts as no change, by kind of measure; of all trials, for diverged ones."""

    quality: float = 0.05
    speed: float = 0.05
    compile: float = 0.25
    memory: float = 0.05
    diverged: float = 0.05


def changes(history: History, before: Sequence[Entry], now: Sequence[Entry], margins: Margins) -> list[Row]:
    """Compare two sides of a history, each of one entry or several, row by row: the worst ratio first.

    `before` and `now` are medians, of the entries of a side. Verdicts are worse, better, same, undecided (it may have
    changed: `why` tells what is in doubt), failed, missing, new, and "not compared" with the reason.
    """
    sides = [_by_series(read_samples(history, side)) for side in (before, now)]
    shared = [series for series in sides[1] if series in sides[0]]
    pairs = {series: (sides[0][series], sides[1][series]) for series in shared}
    # What is judged says nothing of the noise that it has to exceed.
    rows = without(history.rows.select(NEEDED), "entry", [entry.id for entry in now])
    timed = noises(rows, ("speed", "compile"), by_machine=True)
    judged = [*_quality(pairs, noises(rows, ("quality",), by_machine=False), margins)]
    judged += [*_timed(pairs, timed, margins), *_counted(pairs, margins)]
    judged += [*_lacking(*sides)]
    return sorted(judged, key=lambda row: (ORDER.index(row["verdict"]), -_size(row["ratio"])))


ORDER = ("failed", "worse", "missing", "undecided", "better", "new", "not compared", "same")


def _size(ratio: float | None) -> float:
    return 1.0 if ratio is None or np.isnan(ratio) else ratio


def _by_series(rows: Sequence[Row]) -> dict[Series, list[Row]]:
    by_series: dict[Series, list[Row]] = {}
    for row in rows:
        by_series.setdefault(tuple(row[name] for name in schema.SERIES), []).append(row)
    return by_series


def _row(series: Series, before: float | None, now: float | None, verdict: str, why: str = "", **more: Any) -> Row:
    names = dict(zip(schema.SERIES, series, strict=True))
    return dict.fromkeys(COLUMNS) | names | {"before": before, "now": now, "verdict": verdict, "why": why} | more


def _quality(
    pairs: Mapping[Series, tuple[list[Row], list[Row]]], noise: Mapping[Any, Noise], margins: Margins
) -> Iterator[Row]:
    """Judge what training came to: paired by seed, all intervals together at 95 % over the rows that changed."""
    judged = {series: pair for series, pair in pairs.items() if _kind(series) == "quality"}
    logs = {series: paired_logs(*pair) for series, pair in judged.items()}
    changed = sum(len(ratios) > 0 and bool(np.any(ratios != 0)) for ratios in logs.values())
    for series, (before, now) in judged.items():
        values = (_median(before), _median(now))
        starts = [row["start"] for row in (before[-1], now[-1]) if row["start"] is not None]
        if len(starts) == 2 and abs(starts[1] - starts[0]) > SAME_START * abs(starts[0]):
            why = "the same seeds start from different losses: the problem or its data has changed"
            yield _row(series, *values, "not compared", why)
        elif not len(logs[series]):
            yield _row(series, *values, "not compared", "no seed in common")
        else:
            interval = t_interval(logs[series], changed)
            known = noise.get(("", *series))
            limit = known.threshold(len(before), len(now), changed) if known else 0.0
            yield _judged(series, values, interval, log(1 + margins.quality), limit)


def _timed(
    pairs: Mapping[Series, tuple[list[Row], list[Row]]], noise: Mapping[Any, Noise], margins: Margins
) -> Iterator[Row]:
    """Judge seconds, of one machine alone, against how much repeated entries of one version vary there."""
    judged = {series: pair for series, pair in pairs.items() if _kind(series) in ("speed", "compile")}
    for series, (before, now) in judged.items():
        machine = now[-1]["machine"]
        earlier = [row for row in before if row["machine"] == machine]
        here = [row for row in now if row["machine"] == machine]
        if not earlier:
            yield _row(series, _median(before), _median(now), "not compared", "measured on another machine")
            continue
        values = (_median(earlier), _median(here))
        if why := _no_ratio(values):
            yield _row(series, *values, "not compared", why)
            continue
        ratio, spread = log(values[1] / values[0]), sqrt(_within(earlier) + _within(here))
        interval = (ratio, ratio - spread, ratio + spread)
        margin = log(1 + getattr(margins, _kind(series)))
        known = noise.get((machine, *series), noise.get((machine, series[-1])))
        repeats = int(known.freedom) if known else 0
        limit = known.threshold(len(earlier), len(here), len(judged)) if known and repeats >= FEWEST_REPEATS else inf
        unknown = f"noise unknown: {repeats} of the {FEWEST_REPEATS} repeated entries it takes"
        yield _judged(series, values, interval, margin, limit, unknown)


def _within(rows: Sequence[Row]) -> float:
    """Take the square of half an interval's width in the logarithm: of a median of entries, each with its own."""
    halves = [log(row["high"] / row["low"]) / 2 if _has_interval(row) else 0.0 for row in rows]
    return float(np.mean(np.square(halves))) / len(rows)


def _has_interval(row: Row) -> bool:
    low, high = row["low"], row["high"]
    return low is not None and high is not None and 0 < low <= high < inf


def _no_ratio(values: tuple[float, float]) -> str:
    """Say why two values have no ratio; nothing if they have one."""
    named = list(zip(("before", "now"), values, strict=True))
    zero = [name for name, value in named if value <= 0]
    unknown = [name for name, value in named if not isfinite(value)]
    if unknown:
        return f"no finite number {' and '.join(unknown)}"
    return f"measured as zero {' and '.join(zero)}, which has no ratio" if zero else ""


def _counted(pairs: Mapping[Series, tuple[list[Row], list[Row]]], margins: Margins) -> Iterator[Row]:
    """Judge what has no noise: diverged trials, arithmetic, and bytes, of one machine."""
    for series, (before, now) in pairs.items():
        values = (_median(before), _median(now))
        if _kind(series) == "diverged":
            moved = (values[1] - values[0]) / max(now[-1]["n"], 1)
            verdict = "same" if abs(moved) <= margins.diverged else "worse" if moved > 0 else "better"
            yield _row(series, *values, verdict, f"of {now[-1]['n']} trials" if moved else "")
        elif _kind(series) == "memory" and before[-1]["machine"] != now[-1]["machine"]:
            yield _row(series, *values, "not compared", "measured on another machine")
        elif _kind(series) in ("memory", "work") and values[0] != values[1] and _no_ratio(values):
            yield _row(series, *values, "not compared", _no_ratio(values))
        elif _kind(series) in ("memory", "work"):
            ratio = 0.0 if values[0] == values[1] else log(values[1] / values[0])
            margin = margins.memory if _kind(series) == "memory" else margins.speed
            yield _judged(series, values, (ratio, ratio, ratio), log(1 + margin), 0.0)


def _judged(
    series: Series,
    values: tuple[float, float],
    interval: tuple[float, float, float],
    margin: float,
    limit: float,
    unknown: str = "",
) -> Row:
    """Call what exceeds the margin with its whole interval, and the noise besides."""
    ratio, low, high = interval
    away = max(low, -high)
    called = "worse" if ratio > 0 else "better"
    verdict, why = "undecided", ""
    if abs(ratio) <= margin:
        verdict = "same"
    elif not away > margin:
        why = "the interval reaches into the margin"
    elif abs(ratio) <= limit:
        why = "within the noise of repeated entries" if isfinite(limit) else unknown
    else:
        verdict = called
    shown = {"ratio": exp(ratio), "ratio_low": _exp(low), "ratio_high": _exp(high)}
    return _row(series, *values, verdict, why, **shown, noise=exp(limit) - 1 if isfinite(limit) else None)


def _lacking(before: Mapping[Series, list[Row]], now: Mapping[Series, list[Row]]) -> Iterator[Row]:
    """Name what failed, and what only one side has."""
    for series in now:
        if _kind(series) == "failed":
            # It ran before, or it is tried for the first time: either way there is no number.
            yield _row(series, None, None, "failed", now[series][-1]["message"])
        elif series not in before:
            yield _row(series, None, _median(now[series]), "new")
    # A failed cell doesn't know its steps, which belong to the settings.
    broken = {series[:4] for series in now if _kind(series) == "failed"}
    for series in before:
        if series not in now and _kind(series) != "failed" and series[:4] not in broken:
            yield _row(series, _median(before[series]), None, "missing")


def _kind(series: Series) -> str:
    return schema.measure_of(series[-1]).kind


def _median(rows: Sequence[Row]) -> float:
    return float(median(row["value"] for row in rows))


def _exp(value: float) -> float:
    return exp(value) if value < 700 else inf
