"""What pytest-benchmark measured, of any project, as an entry of a history."""

import json
from collections.abc import Mapping
from datetime import UTC, datetime
from pathlib import Path
from typing import Any

import numpy as np

from optbench.analyse.statistics import median_rank_interval
from optbench.errors import StoreError
from optbench.history.record import machine_facts

#: Samples kept of a benchmark: those of a short one are 100,000, and their exact interval would take minutes.
MOST_SAMPLES = 500


def read_benchmarks(path: Path) -> tuple[dict[str, Any], list[dict[str, Any]]]:
    """Read a JSON file of pytest-benchmark: (what an entry says of itself, its rows). Raises StoreError."""
    try:
        document = json.loads(path.expanduser().read_text(encoding="utf-8"))
        about, rows = _about(document, path.stem), [_row(benchmark) for benchmark in document["benchmarks"]]
    except OSError as error:
        raise StoreError(f"can't read {path}: {error.strerror or error}") from error
    except (ValueError, KeyError, TypeError, AttributeError) as error:
        reason = " ".join(f"{type(error).__name__}: {error}".split())
        raise StoreError(
            f"{path} is no JSON of pytest-benchmark ({reason}); make one: --benchmark-json FILE"
        ) from error
    if not rows:
        raise StoreError(f"{path} holds no benchmark")
    return about, rows


def _about(document: Mapping[str, Any], name: str) -> dict[str, Any]:
    commit, machine = document["commit_info"], document["machine_info"]
    cpu = machine.get("cpu") or {}
    # Once it was called brand.
    brand = cpu.get("brand_raw") or cpu.get("brand") or machine.get("processor") or machine.get("machine")
    known = commit.get("id") not in (None, "unversioned", "unknown")
    versions = {"python": machine.get("python_version"), "pytest-benchmark": document.get("version")}
    return {
        "time": _time(document["datetime"]),
        "suite": commit.get("project"),
        "run": name,
        "commit": commit["id"] + ("-dirty" if commit.get("dirty") else "") if known else None,
        "versions": {package: number for package, number in versions.items() if number},
        **machine_facts({"device": brand, "cpu": brand, "cpu_count": cpu.get("count")}),
        "label": None,
    }


def _time(text: str) -> str:
    """Bring a time to UTC in seconds; one without a zone is in UTC."""
    time = datetime.fromisoformat(text)
    aware = time if time.tzinfo else time.replace(tzinfo=UTC)
    return aware.astimezone(UTC).strftime("%Y-%m-%dT%H:%M:%SZ")


def _row(benchmark: Mapping[str, Any]) -> dict[str, Any]:
    """Make a row of a benchmark, whose data a file may lack."""
    stats = benchmark["stats"]
    # Of what isn't JSON the file holds a repr, whose address differs from session to session.
    params = {k: v for k, v in (benchmark.get("params") or {}).items() if not str(v).startswith("UNSERIALIZABLE")}
    row = {"problem": benchmark["fullname"], "optimizer": "", "batch_size": "", "dtype": ""}
    row |= {"settings": " ".join(f"{name}={value}" for name, value in params.items()), "measure": "seconds"}
    value, low, high = (float(stats[name]) for name in ("median", "q1", "q3"))
    if not stats.get("data"):
        return row | {"value": value, "low": low, "high": high, "n": int(stats["rounds"])}
    samples = _thinned(np.array(stats["data"], dtype=np.float64))
    _, low, high = median_rank_interval(samples)
    return row | {"value": value, "low": low, "high": high, "n": len(samples), "samples": samples.tolist()}


def _thinned(samples: np.ndarray) -> np.ndarray:
    """Keep so many samples, evenly along the time in which they were taken."""
    indices = np.linspace(0, len(samples) - 1, min(len(samples), MOST_SAMPLES))
    return samples[np.round(indices).astype(int)]
