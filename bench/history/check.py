"""The check of a history: whether its newest entry got worse than those before it."""

from collections.abc import Sequence
from typing import NamedTuple

from optbench.errors import StoreError
from optbench.history.changes import Margins, Row, changes
from optbench.history.entries import Entry, History
from optbench.history.refs import find_entries
from optbench.history.trends import Trend, trends

#: A change of level is told for so many entries after it.
RECENT = 20


class Checked(NamedTuple):
    """The newest entries, those they are held against, all rows that compare them, and recent changes of level."""

    now: tuple[Entry, ...]
    baseline: tuple[Entry, ...]
    rows: list[Row]
    #: Series, first entry after the change, ratio of the levels; the largest first.
    shifts: list[tuple[Trend, Entry, float]]

    @property
    def worse(self) -> list[Row]:
        """Return the rows that got worse, or no longer run."""
        return [row for row in self.rows if row["verdict"] in ("worse", "failed")]


def check(history: History, baseline: str | None, window: int, margins: Margins, newest: int = 1) -> Checked:
    """Compare the newest entry, or the `newest` ones together, with those before it of its suite, `window` at most.

    With a `baseline`, with those that it names instead. Raises StoreError if there are none.
    """
    suite = history.entries[-1].suite
    alike = [entry for entry in history.entries if entry.suite == suite]
    now, past = alike[-newest:], alike[:-newest]
    before = _window(past if baseline is None else _baseline(history, now, baseline), now[-1], window)
    if not before:
        what = f"{now[-1].id} is the first entry" if newest == 1 else f"there are no more than {len(alike)} entries"
        raise StoreError(f"{history.place}: {what} of suite {suite}: there is nothing before it to compare with")
    return Checked(tuple(now), tuple(before), changes(history, before, now, margins), _shifts(history, alike))


def _baseline(history: History, now: Sequence[Entry], ref: str) -> list[Entry]:
    """Return the entries of the suite that a word names, but for those that are checked. Raises StoreError for none."""
    others = [entry for entry in find_entries(history, ref) if entry not in now]
    baseline = [entry for entry in others if entry.suite == now[-1].suite]
    if not baseline:
        what = "is the newest entry itself" if not others else f"has no entry of suite {now[-1].suite}"
        raise StoreError(f"baseline: {ref!r} {what}; accepted: an entry of that suite before {now[0].id}")
    return baseline


def _window(alike: Sequence[Entry], entry: Entry, window: int) -> list[Entry]:
    """Return the last entries before, and as many of the same machine: speed is compared with those alone."""
    here = [other for other in alike if other.machine == entry.machine][-window:]
    return [other for other in alike if other in here or other in alike[-window:]]


def _shifts(history: History, entries: Sequence[Entry]) -> list[tuple[Trend, Entry, float]]:
    recent = {entry.id for entry in entries[-RECENT:]}
    newest = entries[-1].id
    shifts = [
        (trend, entry, ratio)
        for trend in trends(history, entries, {})
        # What no longer is measured is named as missing.
        if trend.entries[-1].id == newest
        for entry, ratio in trend.changes()
        if entry.id in recent
    ]
    return sorted(shifts, key=lambda shift: -shift[2])
