"""The outcome of a check in words: for a terminal, and for a comment on a change."""

from collections.abc import Sequence

from optbench.glossary import HINT
from optbench.history.changes import Row
from optbench.history.check import RECENT, Checked
from optbench.history.entries import History
from optbench.history.tables import count_verdicts, name_entry, notes_of, torn_notes
from optbench.present.formats import format_table
from optbench.present.plain import wrapped
from optbench.present.table import Table

COLUMNS = ("problem", "optimizer", "batch_size", "measure", "before", "now", "ratio", "ratio_low", "ratio_high")
#: Verdict -> what such rows are called.
GROUPS = {
    "failed": "Failed",
    "worse": "Worse",
    "missing": "Missing: measured before, but not now",
    "undecided": "Undecided: beyond the margin, but it may be chance",
    "better": "Better",
    "new": "New",
    "not compared": "Not compared",
}
#: Of the rows of one verdict so many are shown; the others are counted.
MOST_SHOWN = 30


def sentence(checked: Checked) -> str:
    """Say in one line what a check found."""
    worse = len(checked.worse)
    outcome = f"{worse or 'none'} of {len(checked.rows)} measured values got worse"
    entry, more = checked.now[-1], len(checked.now) - 1
    several = f" and {more} before it" if more else ""
    return f"{name_entry(entry)} ({entry.id}{several}): {outcome} ({count_verdicts(checked.rows)})"


def verdict(history: History, checked: Checked, format: str, width: int | None = None) -> str:
    """Write what a check found: "plain" for a terminal of so many characters a line, "github" for a comment."""
    tables = [_group(name, title, checked.rows) for name, title in GROUPS.items()]
    shown = [table for table in (*tables, _shifts(checked)) if table.rows]
    head = [
        f"### optbench: {sentence(checked)}" if format == "github" else sentence(checked),
        _against(history, checked),
    ]
    body = [_section(table, format, width) for table in shown]
    notes = [*((*notes_of(checked.rows), HINT) if shown else ()), *torn_notes(history)]
    head, notes = ([wrapped(text, width) if format == "plain" else text for text in texts] for texts in (head, notes))
    return "\n\n".join([*head, *body, *notes])


def _section(table: Table, format: str, width: int | None) -> str:
    text = format_table(table, format, width)
    if format != "github" or table.title.startswith(("Failed", "Worse")):
        return text
    # What needs no action is there to open.
    title, _, rest = text.partition("\n")
    return f"<details><summary>{title.strip('# *')}</summary>\n\n{rest.strip()}\n\n</details>"


def _group(name: str, title: str, rows: Sequence[Row]) -> Table:
    """Tabulate the rows of one verdict, but not hundreds of them."""
    members = [row for row in rows if row["verdict"] == name]
    left = len(members) - MOST_SHOWN
    notes = (f"and {left} more: optbench history compare",) if left > 0 else ()
    why = () if name in ("worse", "better", "missing", "new") else ("why",)
    noise = ("noise",) if name in ("worse", "better", "undecided") else ()
    return Table(f"{title} ({len(members)})", (*COLUMNS, *noise, *why), members[:MOST_SHOWN], notes)


def _shifts(checked: Checked) -> Table:
    columns = ("problem", "optimizer", "batch_size", "measure", "ratio", "first_entry_after")
    rows = [
        trend.series | {"ratio": ratio, "first_entry_after": f"{name_entry(entry)} ({entry.id})"}
        for trend, entry, ratio in checked.shifts
    ]
    left = len(rows) - MOST_SHOWN
    notes = (f"and {left} more: optbench history show",) if left > 0 else ()
    return Table(f"Changes of level within the last {RECENT} entries ({len(rows)})", columns, rows[:MOST_SHOWN], notes)


def _against(history: History, checked: Checked) -> str:
    """Say what it was held against, on which machine."""
    entry = checked.now[-1]
    here = sum(other.machine == entry.machine for other in checked.baseline)
    entries = "entry" if len(checked.baseline) == 1 else "entries"
    text = f"compared with {len(checked.baseline)} {entries}, {name_entry(checked.baseline[0])}"
    text += f" to {name_entry(checked.baseline[-1])}" if len(checked.baseline) > 1 else ""
    return f"{text}; {here} on this machine ({entry.machine}: {entry.device})"
