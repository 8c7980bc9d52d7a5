"""The best settings of each optimizer, as one can type them again."""

from collections.abc import Mapping, Sequence
from typing import Any

from optbench.analyse.outcomes import Slice
from optbench.store.parts import Part
from optbench.tables.convergence import AFTER, summarise_cells
from optbench.tables.table_kind import TableKind, of_parts


def best(parts: Sequence[Part], view: Slice) -> tuple[list[str], list[dict[str, Any]]]:
    """Name the best settings of each optimizer on each problem over all batch sizes, as one can type them again."""
    columns, rows, _ = summarise_cells(parts, view)
    settings = [name for name in columns if name not in (*AFTER, "problem", "optimizer", "batch_size")]
    chosen = {(row["problem"], row["optimizer"]): row for row in reversed(rows)}
    kept = [row for row in rows if chosen[row["problem"], row["optimizer"]] is row]
    for row in kept:
        row["settings"] = None if row["learning_rate"] is None else _settings(row, settings)
    names = ["problem", "optimizer", "batch_size", "settings", "train_loss", "train_loss_low", "train_loss_high"]
    return [*names, "test_loss", "test_accuracy", "at_edge"], kept


def _settings(row: Mapping[str, Any], names: Sequence[str]) -> str:
    words = [f"--batch-size {row['batch_size']}"]
    words += [f"--schedule '{row['schedule']}'"] if row.get("schedule") else []
    given = {name: row[name] for name in names if name != "schedule" and row.get(name) is not None}
    inside = ",".join(f"{name}={value!r}" for name, value in given.items())
    name, _, static = row["optimizer"].partition("[")
    both = ",".join(text for text in (static.removesuffix("]"), inside) if text)
    return f"-o '{name}[{both}]' {' '.join(words)}"


TABLE = TableKind("the best settings of each optimizer", of_parts(best), section="Results")
