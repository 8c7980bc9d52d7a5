"""`optbench history`: what runs came to over time, and whether the newest got worse."""

import sys
from dataclasses import asdict, dataclass
from typing import TYPE_CHECKING, Annotated

from cyclopts import App, Parameter

from optbench.cli.options import Count, Text, Whole
from optbench.cli.output import show, width
from optbench.present.formats import Format

if TYPE_CHECKING:
    from optbench.history.changes import Margins

Flag = Annotated[bool, Parameter(negative=())]
Many = list[str] | None
#: A folder, or a URL of object storage.
PLACE = "results/history"
history_app = App(name="history", help="Track convergence and speed over time, and fail when either gets worse.")
history_app.command("optbench.cli.history_show:show", name="show", help="Show series over time.")
history_app.command("optbench.cli.history_show:plot", name="plot", help="Draw series over time as SVG or PNG.")
history_app.command("optbench.cli.history_show:report", name="report", help="Write an offline page of all series.")
history_app.command("optbench.cli.history_exchange:export", name="export", help="Write an entry for another tracker.")
history_app.command("optbench.cli.history_exchange:import_", name="import", help="Add a pytest-benchmark JSON.")
history_app.command(
    "optbench.cli.history_exchange:backfill", name="backfill", help="Add runs of other versions of a package."
)


@history_app.command
def add(*runs: str, label: Text = None, history: str = PLACE, results: str = "results") -> None:
    """Add what runs came to; adding one twice changes nothing.

    Parameters
    ----------
    runs
        Names or paths; the latest where not given.
    label
        A name for these entries, such as a release.
    history
        Folder of the history, or a URL such as s3://bucket/history.
    results
        Folder of all runs, or a URL such as s3://bucket/results.
    """
    from optbench.history.entries import write_entry
    from optbench.history.record import summarise
    from optbench.store.run import load_stored

    for name in dict.fromkeys(runs or ("latest",)):
        run = load_stored(name, results)
        about, rows, missing = summarise(run, label)
        entry, new = write_entry(history, about, rows)
        for note in missing:
            print(f"{run.folder.name}: {note}", file=sys.stderr)
        print(f"{run.folder.name}: entry {entry}, {len(rows)} rows" + ("" if new else "; it was there already"))


@history_app.command(name="list")
def list_(*, history: str = PLACE, format: Format = "plain") -> None:
    """List the entries, oldest first.

    Parameters
    ----------
    history
        Folder of the history, or a URL.
    format
        How to render the table.
    """
    from optbench.cli.explain import with_hint
    from optbench.history.entries import read_history
    from optbench.history.tables import list_entries

    show(with_hint(list_entries(read_history(history))), format)


def check_least(name: str, value: float | None, least: float) -> None:
    """Raise RequestError for a number below the least that is accepted, and for infinity and NaN."""
    from optbench.request import RequestError

    if value is not None and not least <= value < float("inf"):
        raise RequestError(f"{name}: {value} is not accepted; accepted: >= {least}")


@Parameter(name="*")
@dataclass(frozen=True, kw_only=True)
class Limits:
    """Shares of the value before that count as no change, by kind of measure."""

    quality: float = 0.05
    """Relative change of a loss or of steps to the target that counts as none."""
    speed: float = 0.05
    """Relative change of the seconds of a step that counts as none."""
    compile: float = 0.25
    """Relative change of the seconds of compilation that counts as none."""
    memory: float = 0.05
    """Relative change of the bytes that counts as none."""
    diverged: float = 0.05
    """Share of all trials that may diverge beyond those that did before."""

    def margins(self) -> "Margins":
        """Return the shares as margins. Raises RequestError for one below 0."""
        from optbench.history.changes import Margins

        for name, value in asdict(self).items():
            check_least(name, value, 0)
        return Margins(**asdict(self))


@history_app.command
def compare(
    before: str,
    now: str = "latest",
    *,
    only_worse: Flag = False,
    only_changed: Flag = False,
    limits: Limits = Limits(),
    history: str = PLACE,
    format: Format = "plain",
) -> None:
    """Put two entries side by side, the worst ratio first; entries of one label or version are taken together.

    Parameters
    ----------
    before
        latest, latest~N, an entry's id, label or commit, or PACKAGE==VERSION.
    now
        Another of these.
    only_worse
        Show what got worse or failed alone.
    only_changed
        Show what got worse or better, failed, is missing or new.
    limits
        Margins.
    history
        Folder of the history, or a URL.
    format
        How to render the table.
    """
    from optbench.cli.explain import with_hint
    from optbench.history import tables
    from optbench.history.entries import read_history
    from optbench.history.refs import find_entries

    margins = limits.margins()
    entries = read_history(history)
    old, new = (find_entries(entries, ref) for ref in (before, now))
    worse = ("failed", "worse")
    only = worse if only_worse else (*worse, "better", "missing", "new") if only_changed else None
    show(with_hint(tables.compare(entries, old, new, margins, only)), format)


@history_app.command
def check(
    *,
    baseline: Text = None,
    window: Whole = 10,
    newest: Whole = 1,
    limits: Limits = Limits(),
    markdown: Flag = False,
    history: str = PLACE,
) -> int:
    """Exit with 1 where the newest entry is worse than those before it, and say in what.

    Parameters
    ----------
    baseline
        Compare with these entries of its suite: latest~N, an id, a label, a commit, or PACKAGE==VERSION; with all
        before it where not given.
    window
        Compare with so many of them at most, the newest.
    newest
        Take so many of the newest entries together, such as a version that was timed several times: less noise.
    limits
        Margins.
    markdown
        Write a comment for a change.
    history
        Folder of the history, or a URL.
    """
    from optbench.history import check as checks
    from optbench.history.entries import read_history
    from optbench.history.verdict import verdict

    margins = limits.margins()
    check_least("window", window, 1)
    check_least("newest", newest, 1)
    entries = read_history(history)
    checked = checks.check(entries, baseline, window, margins, newest)
    print(verdict(entries, checked, "github" if markdown else "plain", width()))
    return 1 if checked.worse else 0


@history_app.command
def prune(
    *,
    keep: Many = None,
    last: Count = None,
    dry_run: Flag = False,
    history: str = PLACE,
) -> None:
    """Delete all entries but those that are named.

    Parameters
    ----------
    keep
        An entry's id, label, commit or version to keep; repeat for several.
    last
        Keep so many of the newest as well.
    dry_run
        Say what would go, and delete nothing.
    history
        Folder of the history, or a URL.
    """
    from optbench.history.entries import read_history, remove
    from optbench.history.refs import find_entries
    from optbench.history.tables import name_entry
    from optbench.request import RequestError

    check_least("last", last, 1)
    if not keep and last is None:
        raise RequestError("prune needs what to keep: --keep ENTRY, --last N, or both")
    entries = read_history(history)
    keys = {entry.id for ref in keep or () for entry in find_entries(entries, ref)}
    keys |= {entry.id for entry in entries.entries[-last:]} if last else set()
    others = [entry for entry in entries.entries if entry.id not in keys]
    if not dry_run:
        remove(entries, others)
    for entry in others:
        print(f"{'would delete' if dry_run else 'deleted'} {name_entry(entry)} ({entry.id})")
    print(f"{len(others)} of {len(entries.entries)} entries " + ("would go" if dry_run else "deleted"))
