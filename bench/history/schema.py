"""The rows of a history: one per problem, optimizer, settings and measure. `results/README.md` explains the columns."""

from collections.abc import Mapping
from typing import Any, NamedTuple

import pyarrow as pa

#: Raised with every change that an older reader would misread.
VERSION = 1

#: What names a series: the same in every entry, so that its values over time can be compared.
SERIES = ("problem", "optimizer", "batch_size", "dtype", "settings", "measure")

#: What an entry says of itself, the same in each of its rows.
ENTRY = {
    "entry": pa.string(),
    "time": pa.string(),
    "label": pa.string(),
    "suite": pa.string(),
    "run": pa.string(),
    "commit": pa.string(),
    "versions": pa.map_(pa.string(), pa.string()),
    "machine": pa.string(),
    "device": pa.string(),
    "driver": pa.string(),
    "cpu": pa.string(),
    "cpu_count": pa.int32(),
    "memory_gib": pa.int32(),
}

#: What was measured. Lower is better in every measure.
MEASURED = {
    "key": pa.string(),
    "best": pa.string(),
    "value": pa.float64(),
    "low": pa.float64(),
    "high": pa.float64(),
    "n": pa.int32(),
    "start": pa.float64(),
    "least": pa.float64(),
    "message": pa.string(),
}

#: Read of the entries that are compared alone: most of a history's bytes.
DETAILS = ("best", "n", "start")
SAMPLES = {"seeds": pa.list_(pa.int32()), "samples": pa.list_(pa.float64())}

ROWS = dict.fromkeys(SERIES, pa.string()) | MEASURED
COLUMNS = ENTRY | ROWS | SAMPLES
#: Read of all entries: of what an entry says of itself no more than rows are told apart by.
LIGHT = {name: ENTRY[name] for name in ("entry", "commit", "machine")}
#: Read of the entries that are compared.
HEAVY = LIGHT | ROWS | SAMPLES
LIGHT |= {name: kind for name, kind in ROWS.items() if name not in DETAILS}

#: Kinds of measures that are compared on one machine alone.
OF_MACHINE = ("speed", "compile", "memory")


class Measure(NamedTuple):
    """How a measure is judged."""

    #: "quality" is paired by seed; "diverged" and "work" count; OF_MACHINE has the others.
    kind: str
    unit: str


#: Losses, and what further metrics a problem has, are in the units of its objective.
MEASURES = {
    "gap": Measure("quality", "loss"),
    "train_loss": Measure("quality", "loss"),
    "test_loss": Measure("quality", "loss"),
    "test_error": Measure("quality", "fraction"),
    "steps_to_target": Measure("quality", "steps"),
    "diverged_trials": Measure("diverged", "trials"),
    "step_seconds": Measure("speed", "s"),
    #: What a benchmark of another project took.
    "seconds": Measure("speed", "s"),
    "sgd_ratio": Measure("speed", "ratio"),
    #: Arithmetic as written: no machine, no noise.
    "flops_per_step": Measure("work", "operations"),
    "compile_seconds": Measure("compile", "s"),
    "peak_bytes": Measure("memory", "bytes"),
    "state_bytes": Measure("memory", "bytes"),
    #: A cell, or a whole version of a package, that gave nothing; its message says why.
    "failed": Measure("failed", ""),
}


def measure_of(name: str) -> Measure:
    """Say how a measure is judged; one that isn't known is a metric of a problem's own."""
    return MEASURES.get(name, Measure("quality", "loss"))


def entry_rows(about: Mapping[str, Any], rows: list[dict[str, Any]]) -> pa.Table:
    """Make an entry's table of what it says of itself and its rows, which may lack columns."""
    versions = list(about["versions"].items())
    whole = [dict.fromkeys(COLUMNS) | row | {**about, "versions": versions} for row in rows]
    return pa.table({name: pa.array([row[name] for row in whole], kind) for name, kind in COLUMNS.items()})
