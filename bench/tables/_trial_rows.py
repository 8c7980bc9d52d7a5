"""Columns that identify a trial, and rows of the first seeds, for the tables of single trials."""

from collections.abc import Callable, Iterable, Iterator, Mapping, Sequence
from dataclasses import dataclass
from typing import Any

import numpy as np
import pyarrow as pa
from jaxtyping import Int

from optbench.analyse.outcomes import Slice
from optbench.store.parts import Part
from optbench.store.run import StoredRun
from optbench.store.trials import read_batches
from optbench.tables.table_kind import Rows

#: Columns that identify a trial; those of its hyperparameters and its schedule come after them.
NAMES = ("phase", "problem", "optimizer", "batch_size", "seed")
SETTINGS = ("hyperparameters", "schedule")


@dataclass(frozen=True)
class FirstSeeds:
    """The rows of the first seeds, read anew by each iteration: they need not fit into memory."""

    rows: Iterable[dict[str, Any]]
    num: int

    def __iter__(self) -> Iterator[dict[str, Any]]:
        return (row for row in self.rows if row["seed"] < self.num)

    def __len__(self) -> int:
        return sum(1 for _ in self)


def of_first_seeds(tabulate: Callable[[Sequence[Part], Slice], Rows]) -> Callable[[StoredRun, Slice], Rows]:
    """Return the `make` of a table of trials, which has the rows of the first seeds alone if the slice says so."""

    def make(run: StoredRun, view: Slice) -> Rows:
        columns, rows = tabulate(run.parts, view)
        return columns, rows if view.seeds is None else FirstSeeds(rows, view.seeds)

    return make


def num_records(steps: pa.ListArray, view: Slice) -> Int[np.ndarray, " trial"]:
    """Return the number of each trial's records up to the last step of the slice; steps ascend."""
    counts = np.cumsum(numbers(steps.values) <= (np.inf if view.at_step is None else view.at_step))
    return np.diff(np.concatenate([[0], counts])[numbers(steps.offsets)])


def numbers(values: pa.Array) -> np.ndarray:
    """Return an Arrow array as a numpy one, without a copy."""
    # Not `to_numpy`, which imports pandas where it is installed.
    return np.asarray(np.from_dlpack(values))


def hyperparameters_of(parts: Sequence[Part]) -> list[str]:
    """Return the names of the hyperparameters of some parts, each a column of its own."""
    batches = (batch for part in parts for batch in read_batches(part, ["hyperparameters"]))
    names = {name for batch in batches for name in batch["hyperparameters"].keys.to_pylist()}
    return ["learning_rate", "weight_decay", *sorted(names - {"learning_rate", "weight_decay"})]


def names_of(trial: Mapping[str, Any], hyperparameters: Sequence[str]) -> dict[str, Any]:
    """Return the columns that identify a trial, with one for each of the hyperparameters."""
    batch_size, values = trial["batch_size"], dict(trial["hyperparameters"] or ())
    batch_size = int(batch_size) if batch_size and batch_size.isdigit() else batch_size
    identity = {name: trial[name] for name in (*NAMES, "schedule")} | {"batch_size": batch_size}
    return identity | {name: values.get(name) for name in hyperparameters}
