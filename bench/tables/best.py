"""The best settings of each optimizer, as words of the command line."""

from collections.abc import Mapping, Sequence
from typing import Any

from optbench.analyse.outcomes import Slice
from optbench.store.parts import Part
from optbench.tables.convergence import AFTER, summarise_cells
from optbench.tables.table_kind import TableKind, of_parts


def best(parts: Sequence[Part], view: Slice) -> tuple[list[str], list[dict[str, Any]]]:
    """Return the best settings of each optimizer on each problem over all batch sizes: (columns, rows).

    Raises ValueError if trials are not stored.
    """
    columns, rows, _ = summarise_cells(parts, view)
    settings = [name for name in columns if name not in (*AFTER, "problem", "optimizer", "batch_size")]
    chosen = {(row["problem"], row["optimizer"]): row for row in reversed(rows)}
    best_rows = [row for row in rows if chosen[row["problem"], row["optimizer"]] is row]
    for row in best_rows:
        row["settings"] = None if row["learning_rate"] is None else _settings(row, settings)
    names = ["problem", "optimizer", "batch_size", "settings", "train_loss", "train_loss_low", "train_loss_high"]
    return [*names, "test_loss", "test_accuracy", "at_edge"], best_rows


def _settings(row: Mapping[str, Any], names: Sequence[str]) -> str:
    words = [f"--batch-size {row['batch_size']}"]
    words += [f"--schedule '{row['schedule']}'"] if row.get("schedule") else []
    values = {name: row[name] for name in names if name != "schedule" and row.get(name) is not None}
    assignments = ",".join(f"{name}={value!r}" for name, value in values.items())
    name, _, static = row["optimizer"].partition("[")
    arguments = ",".join(text for text in (static.removesuffix("]"), assignments) if text)
    return f"-o '{name}[{arguments}]' {' '.join(words)}"


TABLE = TableKind("the best settings of each optimizer", of_parts(best), section="Results")
