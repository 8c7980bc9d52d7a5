"""The tables of a history: its entries, its series over time, and what changed between entries."""

from collections.abc import Mapping, Sequence

import numpy as np

from optbench.history.changes import COLUMNS, ORDER, Margins, Row, changes
from optbench.history.entries import Entry, History
from optbench.history.filters import where
from optbench.history.sparkline import sparkline
from optbench.history.trends import Trend, fitting_trends
from optbench.present.table import Table

TREND_NOTE = (
    "lower is better; ratio: the latest value over the median of those before; trend: the last 30 values; changed: the "
    "first entry at a new level, and the new level over the old"
)


def list_entries(history: History) -> Table:
    """Tabulate the entries, oldest first."""
    machines = {entry.machine: entry.device for entry in history.entries}
    failed = {
        row["entry"]: row["message"]
        for row in where(history.rows, "measure", ["failed"]).to_pylist()
        if not row["problem"]
    }
    rows = [
        {
            "number": number,
            "entry": entry.id,
            "time": entry.time,
            "label": entry.label,
            "suite": entry.suite,
            "commit": name_commit(entry.commit),
            **{package: entry.versions.get(package) for package in ("optbench", "jax", "optax")},
            "machine": entry.machine,
            "rows": entry.num_rows,
            "failed": failed.get(entry.id),
        }
        for number, entry in enumerate(history.entries, 1)
    ]
    notes = tuple(f"{name}: {words}" for name, words in machines.items()) + torn_notes(history)
    return Table(f"entries of {history.place}", tuple(rows[0]), rows, notes)


def torn_notes(history: History) -> tuple[str, ...]:
    """Name the parts that are no whole ones."""
    return tuple(f"{path} is damaged and left out" for path in history.torn)


def name_commit(commit: str | None) -> str | None:
    """Shorten a commit, and keep that it was edited."""
    return commit and commit[:10] + ("-dirty" if commit.endswith("-dirty") else "")


def name_entry(entry: Entry) -> str:
    """Name an entry as people know it."""
    return f"{entry.time[:10]} {entry.label or name_commit(entry.commit) or entry.id}"


def show(history: History, chosen: Mapping[str, Sequence[str]], last: int | None) -> list[Table]:
    """Tabulate the series that fit, over the `last` entries or all; where it is one alone, its values as well.

    Raises RequestError if none fits.
    """
    series = fitting_trends(history, history.entries[-last:] if last else history.entries, chosen)
    several = len({trend.series["machine"] for trend in series} - {""}) > 1
    columns = ("problem", "optimizer", "batch_size", "measure", *(("machine",) if several else ()))
    columns += ("entries", "lowest", "highest", "latest", "ratio", "trend", "changed", "dtype", "settings")
    rows = [trend_row(trend) for trend in series]
    notes = (TREND_NOTE, *torn_notes(history))
    unshown = ("dtype", "settings") if len({_settings(trend) for trend in series}) == 1 else ()
    table = Table(f"{history.place}: {len(series)} series over time", columns, rows, notes, unshown=unshown)
    return [table, _values(series[0])] if len(series) == 1 else [table]


def _settings(trend: Trend) -> tuple[str, str]:
    return trend.series["dtype"], trend.series["settings"]


def trend_row(trend: Trend) -> Row:
    """Summarise a series in one row."""
    values = trend.values
    earlier = float(np.median(values[:-1])) if len(values) > 1 else np.nan
    return trend.series | {
        "entries": len(values),
        "lowest": float(values.min()),
        "highest": float(values.max()),
        "latest": float(values[-1]),
        "ratio": float(values[-1]) / earlier if earlier and np.isfinite(earlier) else None,
        "trend": sparkline(values),
        "changed": "; ".join(f"{name_entry(entry)} x{ratio:.3g}" for entry, ratio in trend.changes()),
    }


def _values(trend: Trend) -> Table:
    """Tabulate the values of one series, an entry a row."""
    columns = ("entry", "time", "label", "commit", "optax", "jax", "machine", "value", "value_low", "value_high")
    rows = [
        {"entry": entry.id, "time": entry.time, "label": entry.label, "commit": name_commit(entry.commit)}
        | {name: entry.versions.get(name) for name in ("optax", "jax")}
        | {"machine": entry.machine, "value": value, "value_low": low, "value_high": high}
        for entry, value, low, high in zip(trend.entries, trend.values, trend.low, trend.high, strict=True)
    ]
    names = trend.series
    return Table(f"{names['measure']} of {names['optimizer']} on {names['problem']}", columns, rows)


def compare(
    history: History, before: Sequence[Entry], now: Sequence[Entry], margins: Margins, only: Sequence[str] | None = None
) -> Table:
    """Tabulate two sides of a history side by side, those of some verdicts or all."""
    rows = changes(history, before, now, margins)
    shown = [row for row in rows if only is None or row["verdict"] in only]
    title = f"{_side(before)} against {_side(now)}: {count_verdicts(rows)}"
    return Table(title, COLUMNS, shown, (*notes_of(rows), *torn_notes(history)), unshown=("dtype", "settings"))


def _side(entries: Sequence[Entry]) -> str:
    return name_entry(entries[-1]) + (f" and {len(entries) - 1} more" if len(entries) > 1 else "")


def count_verdicts(rows: Sequence[Row]) -> str:
    """Say how many rows have each verdict."""
    counts = {verdict: sum(row["verdict"] == verdict for row in rows) for verdict in ORDER}
    return ", ".join(f"{count} {verdict}" for verdict, count in counts.items() if count) or "no rows"


def notes_of(rows: Sequence[Row]) -> tuple[str, ...]:
    """Say how rows were judged."""
    notes = (
        "ratio: now over before, above 1 is worse; of losses and steps paired by seed, with 95 % intervals over all "
        "changed rows together; of seconds that of the medians",
        "worse, better: the whole interval lies beyond the margin, and the ratio beyond the noise, which is how far "
        "repeated entries of unchanged code lie apart on this machine (known from four entries of one version)",
    )
    return notes if rows else ()
