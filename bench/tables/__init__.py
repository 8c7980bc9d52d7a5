"""The tables of a run: each kind is a file here, which defines `TABLE`, and has the file's name with - for _.

Files that begin with _ help others, as `table_kind` does. A kind is imported when it is first used.
"""

from collections.abc import Sequence
from importlib import import_module
from pathlib import Path
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from optbench.analyse.outcomes import Slice
    from optbench.present.table import Table
    from optbench.store.run import StoredRun
    from optbench.tables.table_kind import TableKind

#: The kinds that come first wherever kinds are listed; others follow by name, and need no line here.
FIRST = (
    *(
        "answer",
        "matrix",
        "convergence",
        "throughput",
        "time-to-target",
        "best",
        "trials",
        "curves",
        "sensitivity",
        "budget",
    ),
    *("batch-scaling", "ranks", "ert", "ecdf", "profile", "defaults"),
)


def names() -> tuple[str, ...]:
    """Return the names of all kinds of tables, in the order they are listed, without importing any."""
    files = {path.stem for folder in __path__ for path in Path(folder).glob("[!_]*.py")} - {"table_kind"}
    kinds = {stem.replace("_", "-") for stem in files}
    return (*(name for name in FIRST if name in kinds), *sorted(kinds - {*FIRST}))


def kind(name: str) -> "TableKind":
    """Return a kind of table, which is imported for it. Raises RequestError for an unknown name."""
    from optbench.errors import check_name

    check_name(name, names(), "table")
    return import_module(f"{__name__}.{name.replace('-', '_')}").TABLE


# `table` has a parameter of that name.
_kind = kind


def table(
    run: "StoredRun",
    kind: str = "convergence",
    *,
    at_step: int | None = None,
    target: float | None = None,
    seeds: int | None = None,
    by: str | None = None,
    problems: Sequence[str] = (),
    optimizers: Sequence[str] = (),
    columns: Sequence[str] | None = None,
    sort: str | None = None,
) -> "Table":
    """Return a table of a kind, from all cells or those of some problems and optimizers.

    `Slice` and `StoredRun.only` explain the parameters. Raises ValueError for an unknown kind, name, unit or column,
    and if the table needs trials that are not stored.
    """
    # Here, so that names alone load neither numpy nor pyarrow.
    from dataclasses import replace

    from optbench.analyse.outcomes import Slice, counted_alike
    from optbench.errors import RequestError
    from optbench.present.table import Table, select

    entry = _kind(kind)
    cells, view = run.only(problems, optimizers), Slice(at_step, target, seeds, by)
    if by is not None and not entry.takes_by:
        takers = ", ".join(name for name in names() if _kind(name).takes_by)
        raise RequestError(f"by: not accepted for {kind}; accepted for {takers}")
    view = replace(view, every_step=counted_alike(run.parts))
    columns_of_kind, rows = entry.make(cells, view)
    title = f"{run.folder.name}: {', '.join([entry.meaning, *(_slice_words(view) if entry.of_curves else [])])}"
    notes = (*entry.shared_notes(cells), *entry.notes(cells, rows, view))
    return select(
        Table(
            title,
            tuple(columns_of_kind),
            rows,
            notes,
            unshown=tuple(entry.hidden_columns(columns_of_kind)),
            important=entry.important,
        ),
        columns,
        sort,
    )


def _slice_words(view: "Slice") -> list[str]:
    """Return the words of a title for the part of the learning curves that a table is of."""
    words = [] if view.at_step is None else [f"at step {view.at_step}"]
    words += [] if view.by is None else [f"by {view.by}"]
    words += [] if view.target is None else [f"to train_loss <= {view.target:g}"]
    return words + ([] if view.seeds is None else [f"of {view.seeds} {'seed' if view.seeds == 1 else 'seeds'}"])
