"""Final values of the tuned trials of many cells, read together: a hundred cells take numpy as long as one."""

from collections.abc import Mapping, Sequence
from itertools import accumulate
from typing import Any, NamedTuple

import numpy as np
import pyarrow as pa
from jaxtyping import Float

from optbench.analyse.outcomes import SHOWN, Slice, targets_of, tuned
from optbench.analyse.trials import first_seeds, read_ends
from optbench.store.packs import report_batch
from optbench.store.parts import Part
from optbench.store.schema import METRICS


class Ends(NamedTuple):
    """Final values, steps and gradients to targets of a cell's tuned trials, as in `Outcomes` but as arrays [seed]."""

    ends: Mapping[str, Float[np.ndarray, " seed"]]
    steps_to: Mapping[str, Float[np.ndarray, " seed"]]
    gradients_to: Mapping[str, Float[np.ndarray, " seed"]]
    #: Train loss before the first update.
    start: Float[np.ndarray, " seed"]


#: The fields of `Ends` that are mappings.
MAPPED = ("ends", "steps_to", "gradients_to")


def tuned_ends(parts: Sequence[Part], view: Slice) -> list[Ends]:
    """Return the final values of the tuned trials of each finished cell, as `tuned` does for one.

    Raises ValueError if they are not stored.
    """
    alike: dict[Any, list[tuple[int, pa.RecordBatch]]] = {}
    for index, part in enumerate(parts):
        batch = _report_seeds(part, view)
        alike.setdefault(index if batch is None else _shape(batch, part, view), []).append((index, batch))
    ends_of = {index: ends for members in alike.values() for index, ends in _read_alike(members, parts, view)}
    return [ends_of[index] for index in range(len(parts))]


def _report_seeds(part: Part, view: Slice) -> pa.RecordBatch | None:
    """Return the report seeds of a cell as one batch; None if they are not as they are written today."""
    others = {*METRICS} - {*SHOWN, *targets_of(part.results, view)}
    batch = report_batch(part, lambda name: name not in others)
    if not batch:
        return None
    if len(part.results.criteria) > 1:
        # The settings of the main criterion are the first point.
        batch = batch.filter(pa.array([point == 0 for point in batch["point"].to_pylist()]))
    if len({*batch["point"].to_pylist()}) != 1:
        return None
    # In the order of tables, whichever way they lie.
    names = batch.schema.names
    last = [name for name in names if name in METRICS and name not in SHOWN]
    rest = [name for name in names if name not in (*SHOWN, *last)]
    return first_seeds(batch.select([*(name for name in SHOWN if name in names), *rest, *last]), view.seeds) or None


def _shape(batch: pa.RecordBatch, part: Part, view: Slice) -> Any:
    """Return the key that trials must share to be read together: their steps, their curves, and their targets.

    Curves are of one length within a cell, and one that is missing is missing in all its trials.
    """
    lists = [(name, batch[name]) for name in batch.schema.names if pa.types.is_list(batch.schema.field(name).type)]
    curves = tuple((name, column.null_count > 0, len(column.flatten()) / len(batch)) for name, column in lists)
    aims = tuple(targets_of(part.results, view).items())
    return curves, tuple(batch["step"][0].as_py()), aims, part.results.higher_is_better, (*part.results.probes.items(),)


def _read_alike(members: Sequence[tuple[int, pa.RecordBatch]], parts: Sequence[Part], view: Slice) -> Any:
    """Return (index, ends) of each of some cells of one shape."""
    (first, batch), part = members[0], parts[members[0][0]]
    if batch is None:
        outcomes = tuned(part, view)
        mapped = {kind: {name: values[:, 0] for name, values in getattr(outcomes, kind).items()} for kind in MAPPED}
        return [(first, Ends(**mapped, start=outcomes.start[:, 0]))]
    table = pa.Table.from_batches([rows for _, rows in members]).combine_chunks()
    aims = {name: (name, value) for name, value in targets_of(part.results, view).items()}
    columns = read_ends(table.to_batches()[0], part.results, view.ending, aims)
    arrays = {
        kind: {name: np.broadcast_to(values, len(table)) for name, values in columns[kind].items()} for kind in MAPPED
    }
    stops = accumulate(len(rows) for _, rows in members)
    return [
        (index, _between(arrays, columns["start"], stop - len(rows), stop))
        for stop, (index, rows) in zip(stops, members, strict=True)
    ]


def _between(arrays: Mapping[str, Mapping[str, np.ndarray]], start: np.ndarray, first: int, stop: int) -> Ends:
    """Return the ends of the cell whose trials stand from `first` to before `stop` of those of several."""
    mapped = {kind: {name: values[first:stop] for name, values in some.items()} for kind, some in arrays.items()}
    return Ends(**mapped, start=start[first:stop])
