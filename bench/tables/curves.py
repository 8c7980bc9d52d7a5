"""Every record of every trial: read in batches, since learning curves can be many."""

from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass
from typing import Any

from optbench.analyse.outcomes import Slice
from optbench.store.parts import Part
from optbench.store.trials import measured_columns, read_batches
from optbench.tables._trial_rows import NAMES, SETTINGS, hyperparameters_of, names_of, num_records, of_first_seeds
from optbench.tables.table_kind import TableKind

#: Lists that every trial has.
COUNTED = ("step", "examples", "gradient_evaluations", "batch_loss")


def curves(parts: Sequence[Part], view: Slice) -> tuple[list[str], "CurveRows"]:
    """Return every record of every trial, with step, examples, evaluations and all metrics: (columns, rows)."""
    parts = tuple(part for part in parts if "step" in _lists(part))
    hyperparameters = hyperparameters_of(parts)
    lists = dict.fromkeys([*COUNTED, *(name for part in parts for name in _lists(part))])
    return [*NAMES, *hyperparameters, "schedule", *lists], CurveRows(parts, view, tuple(hyperparameters))


@dataclass(frozen=True)
class CurveRows:
    """A row per record of all trials, read anew by each iteration: they need not fit into memory."""

    parts: tuple[Part, ...]
    view: Slice
    hyperparameters: tuple[str, ...]

    def __iter__(self) -> Iterator[dict[str, Any]]:
        for part in self.parts:
            lists = _lists(part)
            for batch in read_batches(part, [*NAMES, *SETTINGS, *lists]):
                for trial in batch.to_pylist():
                    yield from self._records(trial, [name for name in lists if trial[name]])

    def _records(self, trial: Mapping[str, Any], lists: Sequence[str]) -> Iterator[dict[str, Any]]:
        names, last = names_of(trial, self.hyperparameters), self.view.at_step
        for record, step in enumerate(trial["step"] or ()):
            if last is None or step <= last:
                yield names | {name: trial[name][record] for name in lists}

    def __len__(self) -> int:
        batches = (batch for part in self.parts for batch in read_batches(part, ["step"]))
        return sum(int(num_records(batch["step"], self.view).sum()) for batch in batches)


def _lists(part: Part) -> list[str]:
    """Return the names of a part's curves, without those of every step, which would be another table."""
    return [name for name in measured_columns(part) if name != "step_loss"]


TABLE = TableKind("every record of every trial", of_first_seeds(curves))
