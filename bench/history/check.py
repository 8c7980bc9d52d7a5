"""Did the newest entry get worse than what was before it?"""

from collections.abc import Sequence
from typing import NamedTuple

from bench.history.changes import Margins, Row, changes
from bench.history.entries import Entry, History
from bench.history.refs import find_entries
from bench.history.trends import Trend, trends
from bench.store.run_folder import StoreError

#: Entries before the newest one that it is held against.
WINDOW = 10
#: A change of level is told for so many entries after it.
RECENT = 20


class Checked(NamedTuple):
    """What a check found: the newest entry, what it is held against, all rows, and changes of level of late."""

    entry: Entry
    baseline: tuple[Entry, ...]
    rows: list[Row]
    #: Series, first entry after the change, ratio of the levels; the largest first.
    shifts: list[tuple[Trend, Entry, float]]

    @property
    def worse(self) -> list[Row]:
        """What got worse, or no longer runs."""
        return [row for row in self.rows if row["verdict"] in ("worse", "failed")]


def check(history: History, baseline: str | None, window: int, margins: Margins) -> Checked:
    """Hold the newest entry against so many entries of its suite before it, or of those that a baseline names.

    Raises StoreError where there is nothing to hold it against.
    """
    entry = history.entries[-1]
    alike = [one for one in history.entries[:-1] if one.suite == entry.suite]
    before = _window(alike if baseline is None else _baseline(history, entry, baseline), entry, window)
    if not before:
        said = f"{history.place}: {entry.id} is the first entry of suite {entry.suite}"
        raise StoreError(f"{said}: there is nothing before it to hold it against")
    return Checked(entry, tuple(before), changes(history, before, [entry], margins), _shifts(history, [*alike, entry]))


def _baseline(history: History, entry: Entry, ref: str) -> list[Entry]:
    """Take the entries of the suite that a word names, but for the one that is checked."""
    named = [one for one in find_entries(history, ref) if one.id != entry.id]
    found = [one for one in named if one.suite == entry.suite]
    if not found:
        what = "is the newest entry itself" if not named else f"has no entry of suite {entry.suite}"
        raise StoreError(f"baseline: {ref!r} {what}; accepted: an entry of that suite before {entry.id}")
    return found


def _window(alike: Sequence[Entry], entry: Entry, window: int) -> list[Entry]:
    """Take the last entries before, and as many of the same machine: speed is compared with those alone."""
    here = [one for one in alike if one.machine == entry.machine][-window:]
    return [one for one in alike if one in here or one in alike[-window:]]


def _shifts(history: History, entries: Sequence[Entry]) -> list[tuple[Trend, Entry, float]]:
    recent = {entry.id for entry in entries[-RECENT:]}
    newest = entries[-1].id
    found = [
        (trend, entry, ratio)
        for trend in trends(history, entries, {})
        # What no longer is measured is named as missing.
        if trend.entries[-1].id == newest
        for entry, ratio in trend.changes()
        if entry.id in recent
    ]
    return sorted(found, key=lambda shift: -shift[2])
