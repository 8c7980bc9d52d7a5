"""The fields of a kind of table, and the notes that several kinds share."""

from collections.abc import Callable, Iterable, Sequence
from typing import Any, NamedTuple

from optbench.analyse.outcomes import Slice
from optbench.analyse.step_times import step_seconds
from optbench.analyse.work import Seconds
from optbench.store.parts import Part
from optbench.store.run import StoredRun
from optbench.store.status import Outcome

Row = dict[str, Any]
#: (columns, rows)
Rows = tuple[list[str], Iterable[Row]]

#: When a target counts as reached, for all tables that count to one.
REACHED = (
    "a target is reached once the running median of the loss meets it to the end of training; a diverged trial reaches "
    "none (optbench explain reached)"
)
NO_TARGET = "no problem here has a target; --target 0.1 sets one for the train loss"


def cell_notes(run: StoredRun) -> list[str]:
    """Return a note for each cell that failed or is torn, and the number of missing ones."""
    notes = [f"{part.record.problem} / {part.record.optimizer}: {part.record.message}" for part in run.failed]
    notes += [f"{part.path} {part.message}: left out; `optbench run` computes it again" for part in run.torn]
    if run.missing:
        notes.append(f"{run.missing} of {len(run.manifest['cells'])} cells are not finished")
    if not any(part.outcome == Outcome.FINISHED for part in run.parts):
        notes.append("no cell has finished")
    return notes


def select_notes(run: StoredRun) -> list[str]:
    """Return `cell_notes`, and the number of cells in which a search stopped selection trials early."""
    finished = [(part.record, part.results) for part in run.parts if part.outcome == Outcome.FINISHED]
    stopped = sum(results.trial_steps < record.select_trials * results.steps for record, results in finished)
    count = f"{stopped} of {len(run.manifest['cells'])}"
    note = f"in {count} cells the search stopped some trials early: they count with the loss they had by then"
    return cell_notes(run) + ([note] if stopped else [])


def report_notes(run: StoredRun) -> list[str]:
    """Return `cell_notes`, and a note if selection seeds stand in for report seeds."""
    without = any(part.outcome == Outcome.FINISHED and not part.record.report_seeds for part in run.parts)
    note = "no report seeds: these results are of the seeds that settings were chosen by, and look better than they are"
    return cell_notes(run) + ([note] if without else [])


def no_notes(run: StoredRun, rows: Iterable[Row], view: Slice) -> list[str]:
    """Return no note, for a table that needs none of its own."""
    return []


def no_columns(columns: Sequence[str]) -> list[str]:
    """Return no column, for a table that shows people all of its columns."""
    return []


class TableKind(NamedTuple):
    """The meaning of a kind of table, its rows, its notes, and its section of the report."""

    #: For titles and help texts: "what a larger batch buys".
    meaning: str
    make: Callable[[StoredRun, Slice], Rows]
    #: Its own notes, below the shared ones.
    notes: Callable[[StoredRun, Iterable[Row], Slice], list[str]] = no_notes
    #: The notes that stand first: `cell_notes`, or with the phase whose trials count `select_notes`, `report_notes`.
    shared_notes: Callable[[StoredRun], list[str]] = cell_notes
    #: The title of the report's section that shows it; None if no report does.
    section: str | None = None
    #: Whether a report shows it at once, and not only on demand.
    open_in_report: bool = False
    #: Returns, of all columns, those that are written to files but not printed.
    hidden_columns: Callable[[Sequence[str]], list[str]] = no_columns
    #: Columns by importance, for a terminal that has no room for all of them.
    important: tuple[str, ...] = ()
    #: Whether it depends on the slice of the learning curves.
    of_curves: bool = True
    #: Whether it ranks by work, in the unit that `Slice.by` names.
    takes_by: bool = False


def of_parts(tabulate: Callable[[Sequence[Part], Slice], Rows]) -> Callable[[StoredRun, Slice], Rows]:
    """Return the `make` of a table that is computed from a run's parts alone."""
    return lambda run, view: tabulate(run.parts, view)


def of_timed(tabulate: Callable[[Sequence[Part], Slice, Seconds], Rows]) -> Callable[[StoredRun, Slice], Rows]:
    """Return the `make` of a table that is computed from a run's parts, and the seconds of their steps."""
    return lambda run, view: tabulate(run.parts, view, step_seconds(run.timings))
