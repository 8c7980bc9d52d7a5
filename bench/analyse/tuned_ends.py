"""How the trials ended that speak for many cells: those of a hundred take numpy as long as those of one."""

from collections.abc import Mapping, Sequence
from itertools import accumulate
from typing import Any, NamedTuple

import numpy as np
import pyarrow as pa
from jaxtyping import Float

from optbench.analyse.outcomes import SHOWN, Slice, targets_of, tuned
from optbench.analyse.trials import of_seeds, read_ends
from optbench.store.packs import report_batch
from optbench.store.parts import Part
from optbench.store.schema import METRICS


class Ends(NamedTuple):
    """How the tuned trials of a cell ended, as in `Outcomes`: arrays [seed]."""

    ends: Mapping[str, Float[np.ndarray, " seed"]]
    steps_to: Mapping[str, Float[np.ndarray, " seed"]]


def tuned_ends(parts: Sequence[Part], view: Slice) -> list[Ends]:
    """Read how the trials ended that speak for each of some finished cells: what `tuned` reads, of the point it takes.

    Raises ValueError where they are not stored.
    """
    alike: dict[Any, list[tuple[int, pa.RecordBatch]]] = {}
    for place, part in enumerate(parts):
        batch = _report_seeds(part, view)
        alike.setdefault(place if batch is None else _shape(batch, part, view), []).append((place, batch))
    found = {place: ends for members in alike.values() for place, ends in _read_alike(members, parts, view)}
    return [found[place] for place in range(len(parts))]


def _report_seeds(part: Part, view: Slice) -> pa.RecordBatch | None:
    """Read the report seeds of a cell as one batch; None where they are not as they are written today."""
    others = {*METRICS} - {*SHOWN, *targets_of(part.results, view)}
    batch = report_batch(part, lambda name: name not in others)
    if not batch or len({*batch["point"].to_pylist()}) != 1:
        return None
    # In the order of tables, whichever way they lie.
    names = batch.schema.names
    last = [name for name in names if name in METRICS and name not in SHOWN]
    rest = [name for name in names if name not in (*SHOWN, *last)]
    return of_seeds(batch.select([*(name for name in SHOWN if name in names), *rest, *last]), view.seeds) or None


def _shape(batch: pa.RecordBatch, part: Part, view: Slice) -> Any:
    """Tell what trials must share to be read together: their steps, which curves they have, and what is asked of them.

    Curves are of one length within a cell, and where one is lacking it is lacking in all trials.
    """
    lists = [(name, batch[name]) for name in batch.schema.names if pa.types.is_list(batch.schema.field(name).type)]
    curves = tuple((name, column.null_count > 0, len(column.flatten()) / len(batch)) for name, column in lists)
    aims = tuple(targets_of(part.results, view).items())
    return curves, tuple(batch["step"][0].as_py()), aims, part.results.higher_is_better


def _read_alike(members: Sequence[tuple[int, pa.RecordBatch]], parts: Sequence[Part], view: Slice) -> Any:
    """Read cells of one shape: (place, ends) of each."""
    (first, batch), part = members[0], parts[members[0][0]]
    if batch is None:
        found = tuned(part, view)
        ends, steps_to = (
            {name: values[:, 0] for name, values in some.items()} for some in (found.ends, found.steps_to)
        )
        return [(first, Ends(ends, steps_to))]
    table = pa.Table.from_batches([one for _, one in members]).combine_chunks()
    aims = {name: (name, value) for name, value in targets_of(part.results, view).items()}
    told = read_ends(table.to_batches()[0], part.results, view.at_step, aims)
    laid = [{name: np.broadcast_to(values, len(table)) for name, values in told[kind].items()} for kind in Ends._fields]
    stops = accumulate(len(one) for _, one in members)
    return [
        (place, Ends(*({name: values[stop - len(one) : stop] for name, values in some.items()} for some in laid)))
        for stop, (place, one) in zip(stops, members, strict=True)
    ]
