"""Did the newest entry get worse than what was before it?"""

from collections.abc import Sequence
from typing import NamedTuple

from optbench.errors import StoreError
from optbench.history.changes import Margins, Row, changes
from optbench.history.entries import Entry, History
from optbench.history.refs import find_entries
from optbench.history.trends import Trend, trends

#: Entries before the newest one that it is held against.
WINDOW = 10
#: A change of level is told for so many entries after it.
RECENT = 20


class Checked(NamedTuple):
    """What a check found: the newest entries, what they are held against, all rows, and changes of level of late."""

    now: tuple[Entry, ...]
    baseline: tuple[Entry, ...]
    rows: list[Row]
    #: Series, first entry after the change, ratio of the levels; the largest first.
    shifts: list[tuple[Trend, Entry, float]]

    @property
    def worse(self) -> list[Row]:
        """What got worse, or no longer runs."""
        return [row for row in self.rows if row["verdict"] in ("worse", "failed")]


def check(history: History, baseline: str | None, window: int, margins: Margins, newest: int = 1) -> Checked:
    """Hold the newest entry, or several together, against so many of their suite before, or of what a baseline names.

    Raises StoreError where there is nothing to hold them against.
    """
    suite = history.entries[-1].suite
    alike = [one for one in history.entries if one.suite == suite]
    now, past = alike[-newest:], alike[:-newest]
    before = _window(past if baseline is None else _baseline(history, now, baseline), now[-1], window)
    if not before:
        what = f"{now[-1].id} is the first entry" if newest == 1 else f"there are no more than {len(alike)} entries"
        raise StoreError(f"{history.place}: {what} of suite {suite}: there is nothing before to hold against")
    return Checked(tuple(now), tuple(before), changes(history, before, now, margins), _shifts(history, alike))


def _baseline(history: History, now: Sequence[Entry], ref: str) -> list[Entry]:
    """Take the entries of the suite that a word names, but for those that are checked."""
    named = [one for one in find_entries(history, ref) if one not in now]
    found = [one for one in named if one.suite == now[-1].suite]
    if not found:
        what = "is the newest entry itself" if not named else f"has no entry of suite {now[-1].suite}"
        raise StoreError(f"baseline: {ref!r} {what}; accepted: an entry of that suite before {now[0].id}")
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
