"""What tests of several folders share: a cache of their own, and cells written by hand."""

from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest


@pytest.fixture(scope="session", autouse=True)
def _own_cache(tmp_path_factory):
    """Keep compiled programs out of the user's cache folder."""
    with pytest.MonkeyPatch.context() as patch:
        patch.setenv("XDG_CACHE_HOME", str(tmp_path_factory.mktemp("cache")))
        yield


def _trial(optimizer: str, seed: int, losses: list[float], steps: tuple[int, ...], **fields: Any) -> dict[str, Any]:
    named = {"phase": "report", "problem": "bowl", "optimizer": optimizer, "batch_size": "4", "dtype": "float32"}
    chosen = {"seed": seed, "point": 0, "schedule": "constant", "status": "ok"}
    counted = {"step": steps, "examples": [4 * step for step in steps], "gradient_evaluations": steps}
    tuned = {"hyperparameters": {"learning_rate": 0.1, "weight_decay": 0.0}}
    return named | chosen | tuned | counted | {"train_loss": losses, "batch_loss": losses} | fields


def _handmade(
    folder: Path,
    optimizer: str,
    losses: list[list[float]],
    *,
    step: tuple[int, ...] = (0, 10, 20),
    select: list[list[float]] | None = None,
    trial: dict[str, Any] | None = None,
    trials: dict[int, dict[str, Any]] | None = None,
    **footer: Any,
):
    from bench.store import run_folder
    from bench.store.schema import trial_rows

    both, each = trial or {}, trials or {}
    decoy = [[9.0] * len(step)] if select is None else select
    rows = [_trial(optimizer, seed, curve, step, phase="select") for seed, curve in enumerate(decoy)]
    rows += [_trial(optimizer, seed, curve, step, **both | each.get(seed, {})) for seed, curve in enumerate(losses)]
    said = {"problem": "bowl", "optimizer": optimizer, "batch_size": 4, "num_points": 1, "seeds": len(decoy)}
    said |= {"report_seeds": len(losses), "outcome": "finished", "best_point": 0, "at_edge": False, "optimum": None}
    said |= {"best": {"learning_rate": 0.1, "weight_decay": 0.0}, "targets": {"train_loss": 1.0}}
    said |= {"examples_per_step": 4} | footer
    key = f"{said['problem']}-{optimizer}-{said['batch_size']}"
    run_folder.write_part(folder, key, trial_rows(rows), said)
    cells = [{"key": path.stem, "problem": "bowl"} for path in sorted((folder / "parts").glob("*.parquet"))]
    suite = {"dtype": "float32", "report_seeds": 1}
    manifest = {"suite": suite, "device": {"device": "cpu"}, "cells": cells, "started": "2025", "ended": None}
    run_folder.write_manifest(folder, manifest)
    return run_folder.read_part(run_folder.part_path(folder, key))


@pytest.fixture
def handmade(tmp_path) -> Callable[..., Any]:
    """Write a cell and return its part: handmade(optimizer, [[train loss per record] per report seed], ...).

    Records are at steps 0, 10 and 20, a batch has 4 examples, the target is 1; `trial` sets fields of every report
    trial, `trials` of one seed's, anything else of the footer. The run is `results/handmade`.
    """
    return lambda *given, **fields: _handmade(tmp_path / "results" / "handmade", *given, **fields)
