"""The tables of a run."""

from collections.abc import Sequence

from optbench.analyse.outcomes import Slice
from optbench.errors import check_name
from optbench.present.table import Table, select
from optbench.store.run import StoredRun
from optbench.tables.table_kind import KINDS


def table(
    run: StoredRun,
    kind: str = "convergence",
    *,
    at_step: int | None = None,
    target: float | None = None,
    seeds: int | None = None,
    problems: Sequence[str] = (),
    optimizers: Sequence[str] = (),
    columns: Sequence[str] | None = None,
    sort: str | None = None,
) -> Table:
    """Make a table of a kind, from all cells or those of some problems and optimizers.

    `Slice` and `StoredRun.only` say what the words mean. Raises ValueError for an unknown kind, name or column.
    """
    check_name(kind, tuple(KINDS), "table")
    chosen, view = run.only(problems, optimizers), Slice(at_step, target, seeds)
    entry = KINDS[kind]
    names, rows = entry.make(chosen, view)
    title = f"{run.folder.name}: {', '.join([entry.meaning, *(_slice_words(view) if entry.of_curves else [])])}"
    notes = tuple(entry.notes(chosen, rows, view))
    return select(Table(title, tuple(names), rows, notes, unshown=tuple(entry.unshown(names))), columns, sort)


def _slice_words(view: Slice) -> list[str]:
    """Say which part of the curves a table looks at."""
    words = [] if view.at_step is None else [f"at step {view.at_step}"]
    words += [] if view.target is None else [f"to train_loss <= {view.target:g}"]
    return words + ([] if view.seeds is None else [f"of {view.seeds} {'seed' if view.seeds == 1 else 'seeds'}"])
