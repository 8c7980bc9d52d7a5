"""What a history keeps of a run: each cell's measures, with their samples, as costs of which lower is better."""

import hashlib
import json
from collections.abc import Iterator, Mapping
from typing import Any

import numpy as np

from optbench.analyse.costs import costs_of, has_metric
from optbench.analyse.outcomes import Slice, outcomes, own_metrics, tuned
from optbench.analyse.statistics import median_interval, median_rank_interval
from optbench.analyse.trials import direction
from optbench.errors import StoreError
from optbench.store.parts import Part
from optbench.store.record import CellRecord
from optbench.store.run import StoredRun
from optbench.store.status import Outcome
from optbench.store.timings import StepTimes, Timing

WHOLE = Slice()


def summarise(run: StoredRun, label: str | None = None) -> tuple[dict[str, Any], list[dict[str, Any]], list[str]]:
    """Summarise a run for a history: (what the entry says of itself, its rows, what is left out and why).

    Raises StoreError where no cell has finished nor failed.
    """
    timings = {timing.key: timing for timing in run.timings if timing.times is not None}
    where = max(timings.values(), key=lambda timing: timing.measured).device if timings else run.manifest["device"]
    here = {key: timing for key, timing in timings.items() if timing.device == where}
    rows = [row for part in run.parts for row in _cell_rows(part, run.manifest["suite"], here.get(part.path.stem))]
    if not rows:
        raise StoreError(f"{run.folder} has no finished cell to add to a history")
    left = [f"{part.path} {part.message}: left out" for part in run.torn]
    left += [f"{run.missing} of {len(run.manifest['cells'])} cells are not finished"] if run.missing else []
    left += [f"{len(timings) - len(here)} cells were timed on another machine"] if len(here) < len(timings) else []
    left += [] if here else ["no cell is timed, so this entry holds no speed"]
    return _about(run, where, [timing.measured for timing in here.values()]) | {"label": label}, rows, left


def _about(run: StoredRun, where: Mapping[str, Any], measured: list[str]) -> dict[str, Any]:
    manifest = run.manifest
    return {
        "time": max(filter(None, [manifest["started"], manifest.get("ended"), *measured])),
        "suite": manifest["suite"].get("name"),
        "run": run.folder.name,
        "commit": manifest.get("git_commit"),
        "versions": manifest.get("versions", {}),
        **machine_facts(where),
    }


def machine_facts(device: Mapping[str, Any]) -> dict[str, Any]:
    """Take what speed depends on of a machine, and a fingerprint of it."""
    memory = device.get("host_memory_bytes")
    facts = {name: device.get(name) for name in ("device", "driver", "cpu", "cpu_count")}
    # In whole GiB: what a kernel keeps for itself differs from start to start.
    facts["memory_gib"] = None if memory is None else round(memory / 2**30)
    text = json.dumps([facts, device.get("devices", 1)], sort_keys=True)
    return facts | {"machine": hashlib.sha256(text.encode()).hexdigest()[:8]}


def _cell_rows(part: Part, suite: Mapping[str, Any], timing: Timing | None) -> Iterator[dict[str, Any]]:
    """Make a cell's rows: how far its tuned optimizer came, by seed, and what a step cost."""
    names = {name: str(value) for name, value in part.record.names.items()}
    names |= {"dtype": suite.get("dtype"), "settings": _settings(part.record, suite), "key": part.path.stem}
    if part.outcome == Outcome.FAILED:
        yield names | {"measure": "failed", "message": part.record.message}
        return
    names["best"] = " ".join(f"{name}={_short(value)}" for name, value in part.results.best.items())
    for row in (
        *_quality_rows(part),
        *(_timing_rows(timing.optimizer, timing.times) if timing and timing.times else ()),
    ):
        yield names | row


def _settings(record: CellRecord, suite: Mapping[str, Any]) -> str:
    """Say what was asked of a cell, as far as its numbers depend on it."""
    settings = {"steps": record.results and record.results.steps, "points": record.num_points}
    of_studies = f" in {record.studies} studies" if record.studies > 1 else ""
    settings |= {"seeds": f"{record.seeds}+{record.report_seeds}{of_studies}"}
    settings |= {"seed": suite.get("seed") or 0, "decay": suite.get("decay")}
    return " ".join(f"{name}={value}" for name, value in settings.items() if value is not None)


def _short(value: Any) -> str:
    return f"{value:.6g}" if isinstance(value, float) else str(value)


def _quality_rows(part: Part) -> Iterator[dict[str, Any]]:
    objective = "train_loss" if part.results.optimum is None else "gap"
    names = {objective: objective, "test_loss": "test_loss", "test_error": "test_accuracy"}
    for measure, metric in (names | {"steps_to_target": "steps_to_target"}).items():
        if has_metric(part, metric, WHOLE, None):
            costs = costs_of(part, metric, WHOLE, None, None)
            yield _row(measure, costs.cost, costs.seeds) | {"start": costs.start, "least": costs.least}
    trials = tuned(part, WHOLE)
    for metric in own_metrics(part):
        # What has no bound that it could be taken from is no cost, nor what has no better side.
        if metric in trials.ends and direction(metric, part.results) is False:
            yield _row(metric, trials.ends[metric][:, 0], trials.seeds)
    try:
        tried = outcomes(part, "select", WHOLE).diverged
    except ValueError:
        # A reference run keeps none.
        return
    yield {"measure": "diverged_trials", "value": float(tried.sum()), "n": tried.size}


def _row(measure: str, cost: np.ndarray, seeds: np.ndarray) -> dict[str, Any]:
    value, low, high = median_interval(cost)
    samples = {"seeds": seeds.tolist(), "samples": cost.tolist()}
    return {"measure": measure, "value": value, "low": low, "high": high, "n": len(cost), **samples}


def _timing_rows(optimizer: str, times: StepTimes) -> Iterator[dict[str, Any]]:
    step = np.array(times.step_seconds)
    yield _timed("step_seconds", step)
    # Plain sgd took the same turns, so that what slowed down the machine slowed down both.
    if optimizer != "sgd":
        yield _timed("sgd_ratio", step / np.array(times.sgd_seconds))
    once = {
        "flops_per_step": times.flops_per_step,
        "compile_seconds": times.compile_seconds,
        "peak_bytes": times.peak_bytes,
        "state_bytes": times.state_bytes,
    }
    for measure, value in once.items():
        if value is not None:
            yield {"measure": measure, "value": float(value), "n": 1}


def _timed(measure: str, samples: np.ndarray) -> dict[str, Any]:
    value, low, high = median_rank_interval(samples)
    row = {"measure": measure, "value": value, "low": low, "high": high}
    return row | {"n": len(samples), "samples": samples.tolist()}
