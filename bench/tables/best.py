"""The best settings of each optimizer, as words of the command line."""

from collections.abc import Iterable, Mapping, Sequence
from typing import Any

from optbench.analyse.outcomes import Slice
from optbench.request import format_value, labelled
from optbench.store.parts import Part
from optbench.store.run import StoredRun
from optbench.store.status import Outcome
from optbench.tables.convergence import AFTER, main_value, summarise_cells, worst_last
from optbench.tables.table_kind import TableKind


def best(parts: Sequence[Part], view: Slice, specs: Sequence[str] = ()) -> tuple[list[str], list[dict[str, Any]]]:
    """Return the best settings of each optimizer on each problem at each batch size: (columns, rows).

    `specs` are those that the optimizers were asked for by, which a name of their own stands for.
    Over batch sizes that saw as many examples, as in runs by epochs, there is one row.

    Raises ValueError if trials are not stored.
    """
    columns, rows, _ = summarise_cells(parts, view)
    settings = [name for name in columns if name not in (*AFTER, "problem", "optimizer", "batch_size")]
    budgets = equal_budgets(parts)
    tasks: dict[tuple[str, Any], list[dict[str, Any]]] = {}
    for row in rows:
        key = row["problem"], row["batch_size"]
        tasks.setdefault((row["problem"], budgets.get(key, key[1])), []).append(row)
    best_rows = []
    for members in tasks.values():
        if len({row["batch_size"] for row in members}) > 1:
            members.sort(key=lambda row: worst_last(main_value(row)))
        first = {row["optimizer"]: row for row in reversed(members)}
        best_rows += [row for row in members if first[row["optimizer"]] is row]
    for row in best_rows:
        row["settings"] = None if row["learning_rate"] is None else _settings(row, settings, specs)
    names = ["problem", "optimizer", "batch_size", "settings", "train_loss", "train_loss_low", "train_loss_high"]
    return [*names, "test_loss", "test_accuracy", "at_edge"], best_rows


def equal_budgets(parts: Sequence[Part]) -> dict[tuple[str, Any], str]:
    """Return the (problem, batch size) whose trials see as many examples as those of another batch size, up to 5 %."""
    examples: dict[str, dict[Any, int]] = {}
    for part in parts:
        if part.outcome == Outcome.FINISHED:
            total = part.results.steps * part.results.examples_per_step
            examples.setdefault(part.record.problem, {})[part.record.batch_size] = total
    alike = {name: totals for name, totals in examples.items() if max(totals.values()) <= 1.05 * min(totals.values())}
    return {(name, size): "equal examples" for name, totals in alike.items() for size in totals}


def notes(run: StoredRun, rows: Iterable[Mapping[str, Any]], view: Slice) -> list[str]:
    """Return a note on how several batch sizes are compared; none if there is one of each problem."""
    sizes: dict[str, set[Any]] = {}
    for part in run.parts:
        sizes.setdefault(part.record.problem, set()).add(part.record.batch_size)
    several, equal = (
        {name for name, own in sizes.items() if len(own) > 1},
        {name for name, _ in equal_budgets(run.parts)},
    )
    lines = (
        ["each batch size has its own row, because they saw different numbers of examples"] if several - equal else []
    )
    return lines + (
        ["one row an optimizer, at its best batch size: all of them saw the same number of examples"]
        if several & equal
        else []
    )


def _settings(row: Mapping[str, Any], names: Sequence[str], specs: Sequence[str]) -> str:
    words = [f"--batch-size {row['batch_size']}"]
    words += [f"--schedule '{row['schedule']}'"] if row.get("schedule") else []
    values = {name: row[name] for name in names if name != "schedule" and row.get(name) is not None}
    name, _, static = row["optimizer"].partition("[")
    named = labelled(name, specs)
    if named is not None:
        spec = named[1]
        # What has one value isn't part of what it is shown as.
        fixed = {key: one for key, (one, *more) in spec.parameters.items() if not more and key not in values}
        values = fixed | values
        name = f"{name}={spec.name}"
    assignments = ",".join(f"{name}={_text(value)}" for name, value in values.items())
    arguments = ",".join(text for text in (static.removesuffix("]"), assignments) if text)
    return f"-o '{name}[{arguments}]' {' '.join(words)}"


def _text(value: Any) -> str:
    return repr(value) if isinstance(value, int | float) and not isinstance(value, bool) else format_value(value)


def _best(run: StoredRun, view: Slice) -> tuple[list[str], list[dict[str, Any]]]:
    return best(run.parts, view, [entry["spec"] for entry in run.manifest["suite"]["optimizers"]])


TABLE = TableKind("the best settings of each optimizer", _best, notes, section="Results")
