"""An entry of a history in the formats that other tools read."""

import json
import re
from collections import Counter
from collections.abc import Callable, Mapping, Sequence
from math import isfinite
from typing import Any

import numpy as np
from jaxtyping import Float

from optbench.errors import RequestError, nearest
from optbench.history.entries import Entry, History, read_samples
from optbench.history.schema import COLUMNS, measure_of

Row = Mapping[str, Any]

#: The release of pytest-benchmark whose format is written.
PYTEST_BENCHMARK = "5.3.1"


def export(history: History, entry: Entry, format: str) -> tuple[str, list[str]]:
    """Write an entry as JSON of a format: (the text, what is left out and why). Raises RequestError for no format."""
    if format not in FORMATS:
        raise RequestError(f"format {format!r} is not accepted{nearest(format, FORMATS)}")
    rows = read_samples(history, [entry], COLUMNS)
    finite = [row for row in rows if _is_finite(row)]
    left_out = Counter(row["measure"] for row in rows if not _is_finite(row))
    counts = ", ".join(f"{count} {measure}" for measure, count in left_out.items())
    notes = [f"{left_out.total()} of {len(rows)} rows are left out, for JSON holds finite numbers alone: {counts}"]
    return f"{json.dumps(FORMATS[format](entry, finite), indent=2, allow_nan=False)}\n", notes if left_out else []


def _is_finite(row: Row) -> bool:
    return row["value"] is not None and isfinite(row["value"])


def _name(row: Row, *more: str) -> str:
    """Name a row by what it has of problem, optimizer and batch size."""
    batch = f"batch {row['batch_size']}" if row["batch_size"] else ""
    return " / ".join(filter(None, [row["problem"], row["optimizer"], batch, *more]))


def _interval(row: Row) -> tuple[float, float] | None:
    """Return a row's interval; few samples have none, or an infinite one."""
    ends = row["low"], row["high"]
    return None if None in ends or not all(map(isfinite, ends)) else ends


def _pytest_benchmark(entry: Entry, rows: Sequence[Row]) -> dict[str, Any]:
    """Make the document that `pytest-benchmark compare` reads: a benchmark per row that is a time."""
    timed = [row for row in rows if measure_of(row["measure"]).unit == "s"]
    first = rows[0] if rows else dict.fromkeys(("cpu", "cpu_count", "driver", "memory_gib", "device"))
    python = entry.versions.get("python")
    commit, _, dirty = (entry.commit or "unversioned").partition("-")
    return {
        "machine_info": {
            # Not a host's name: what speed depends on.
            "node": entry.machine,
            "processor": first["cpu"] or "",
            "python_implementation": "CPython",
            "python_implementation_version": python,
            "python_version": python,
            "cpu": {"brand_raw": first["cpu"], "count": first["cpu_count"]},
            **{name: first[name] for name in ("device", "driver", "memory_gib")},
        },
        "commit_info": {
            "id": commit,
            "time": None,
            "author_time": None,
            "dirty": dirty == "dirty",
            "project": "optbench",
            "branch": "(unknown)",
        },
        "benchmarks": [_benchmark(row, rows) for row in timed],
        "datetime": entry.time.replace("Z", "+00:00"),
        "version": PYTEST_BENCHMARK,
    }


def _benchmark(row: Row, rows: Sequence[Row]) -> dict[str, Any]:
    cell = ("problem", "optimizer", "batch_size", "dtype", "settings")
    others = [other for other in rows if other is not row and all(other[name] == row[name] for name in cell)]
    return {
        "group": f"{_name({**row, 'optimizer': ''})}: {row['measure']}",
        "name": row["optimizer"] or row["problem"],
        "fullname": _name(row, row["measure"]),
        "params": {name: row[name] for name in ("batch_size", "dtype", "settings")},
        "param": row["settings"],
        "extra_info": {other["measure"]: other["value"] for other in others}
        | ({"best": row["best"]} if row["best"] else {}),
        "options": {},
        "stats": benchmark_stats(np.array(row["samples"] or [row["value"]], dtype=np.float64)),
    }


def benchmark_stats(data: Float[np.ndarray, " round"]) -> dict[str, Any]:
    """Compute what pytest-benchmark says of rounds that took so many seconds, by its own definitions."""
    # Its quartiles are the ones of Hazen.
    q1, median, q3 = np.quantile(data, [0.25, 0.5, 0.75], method="hazen")
    mean, stddev = np.mean(data), np.std(data, ddof=1) if len(data) > 1 else 0.0
    low, high = q1 - 1.5 * (q3 - q1), q3 + 1.5 * (q3 - q1)
    outside = int(np.sum((data < low) | (data > high)))
    far = int(np.sum((data < mean - stddev) | (data > mean + stddev)))
    stats = {"min": data.min(), "max": data.max(), "mean": mean, "stddev": stddev, "median": median}
    stats |= {"iqr": q3 - q1, "q1": q1, "q3": q3, "total": data.sum(), "ops": 1 / mean if mean else 0.0}
    stats |= {"ld15iqr": data[data >= low].min(), "hd15iqr": data[data <= high].max()}
    counts = {"iqr_outliers": outside, "stddev_outliers": far, "outliers": f"{far};{outside}"}
    numbers = {name: float(value) for name, value in stats.items()} | counts
    return numbers | {"rounds": len(data), "data": data.tolist(), "iterations": 1}


def _github_action(entry: Entry, rows: Sequence[Row]) -> list[dict[str, Any]]:
    """Make the array that github-action-benchmark reads with the tool `customSmallerIsBetter`."""
    return [
        {"name": _name(row, row["measure"]), "unit": measure_of(row["measure"]).unit, "value": row["value"]}
        | ({"range": f"[{ends[0]:.4g}, {ends[1]:.4g}]"} if (ends := _interval(row)) else {})
        | {"extra": "\n".join(_details(entry, row))}
        for row in rows
    ]


def _details(entry: Entry, row: Row) -> list[str]:
    versions = ", ".join(f"{name} {version}" for name, version in entry.versions.items())
    details = {"settings": row["settings"], "dtype": row["dtype"], "best": row["best"], "samples": row["n"]}
    details |= {"machine": entry.device, "versions": versions}
    return [f"{name}: {value}" for name, value in details.items() if value]


def _bencher(entry: Entry, rows: Sequence[Row]) -> dict[str, Any]:
    """Make Bencher Metric Format: benchmark -> slug of a measure -> value and its bounds."""
    benchmarks: dict[str, Any] = {}
    for row in rows:
        bounds = dict(zip(("lower_value", "upper_value"), _interval(row) or (), strict=False))
        benchmarks.setdefault(_name(row), {})[_slug(row["measure"])] = {"value": row["value"], **bounds}
    return benchmarks


def _slug(text: str) -> str:
    return re.sub(r"[^a-z0-9]+", "-", text.lower()).strip("-")


FORMATS: dict[str, Callable[[Entry, Sequence[Row]], Any]] = {
    "pytest-benchmark": _pytest_benchmark,
    "github-action-benchmark": _github_action,
    "bencher": _bencher,
}
