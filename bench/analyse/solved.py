"""What was solved, and when: expected running times, the share of targets met by a step, performance profiles."""

from collections.abc import Iterable, Mapping, Sequence
from typing import Any

import numpy as np
from jaxtyping import Float

from bench.analyse.outcomes import Slice, is_higher_better, rounding, targets_of, tuned
from bench.analyse.statistics import expected_running_time, median, performance_profile, profile_score
from bench.store.run_folder import Part

Rows = tuple[list[str], list[dict[str, Any]]]

ERT_NOTES = [
    "expected running time: all steps of all report seeds over the seeds that met the target, what repeating the tuned "
    "optimizer until it does would take; a seed that missed it spent its whole budget; inf: no seed met it",
]
#: Targets of each problem in `ecdf`.
LEVELS = 10
ECDF_NOTES = [
    f"share of all (problem, target, report seed) met by that step, tuned optimizers; {LEVELS} targets a problem, "
    "evenly in the logarithm from the train loss at its start to its own target, or where it has none to the lowest "
    "end of any optimizer; by the gap where the optimum is known",
]
FACTORS = (1.0, 1.5, 2.0, 4.0, 8.0, 16.0)
PROFILE_NOTES = [
    "share of problems (each batch size counts) whose target the tuned optimizer meets, by its median over the report "
    "seeds, within so many times the fewest steps of any; solved: at all; score: the area up to 4 times, as a share",
    "by steps; `optbench table RUN time-to-target` compares seconds",
]


def ert(parts: Sequence[Part], seconds: Mapping[tuple[Any, ...], float], view: Slice) -> Rows:
    """Tabulate the expected running time to each target: (columns, rows), quickest first.

    `seconds` holds the seconds of a step by (problem, optimizer, batch size), where they were measured.
    """
    rows = [row for part in parts if part.outcome == "finished" for row in _ert_rows(part, seconds, view)]
    order = {name: place for place, name in enumerate(dict.fromkeys((row["problem"], row["target"]) for row in rows))}
    rows.sort(key=lambda row: (order[row["problem"], row["target"]], row["ert_steps"]))
    names = ["problem", "optimizer", "batch_size", "target", "num_solved", "num_seeds", "ert_steps", "ert_examples"]
    return [*names, "ert_seconds"], rows


def _ert_rows(part: Part, seconds: Mapping[tuple[Any, ...], float], view: Slice) -> list[dict[str, Any]]:
    footer, found = part.footer, tuned(part, view)
    names = {name: footer[name] for name in ("problem", "optimizer", "batch_size")}
    spent = footer["steps"] if view.at_step is None else min(view.at_step, footer["steps"])
    step = seconds.get(tuple(names.values()))
    rows = []
    for metric, value in targets_of(footer, view).items():
        steps = found.steps_to[metric][:, 0]
        expected = expected_running_time(steps, np.full(len(steps), float(spent)))
        row = names | {"target": f"{metric} {'>=' if is_higher_better(metric, footer) else '<='} {value:.4g}"}
        row |= {"num_solved": int(np.isfinite(steps).sum()), "num_seeds": len(steps), "ert_steps": expected}
        row |= {"ert_examples": expected * footer["examples_per_step"]}
        rows.append(row | {"ert_seconds": None if step is None else expected * step})
    return rows


def unsolved(rows: Iterable[Mapping[str, Any]]) -> list[str]:
    """Name the targets that nobody reached."""
    best: dict[tuple[str, str], int] = {}
    for row in rows:
        key = (row["problem"], row["target"])
        best[key] = max(best.get(key, 0), row["num_solved"])
    return [f"nobody reached {target} on {problem}" for (problem, target), num in best.items() if not num]


def ecdf(parts: Sequence[Part], view: Slice) -> Rows:
    """Tabulate the share of (problem, target, seed) met against steps: (columns, rows), the most first."""
    finished = [part for part in parts if part.outcome == "finished"]
    tasks = {_task(part): None for part in finished}
    levels = {task: _levels([part for part in finished if _task(part) == task], view) for task in tasks}
    met: dict[str, list[np.ndarray]] = {}
    for part in finished:
        steps = tuned(part, view, {str(value): ("train_loss", value) for value in levels[_task(part)]}).steps_to
        met.setdefault(part.footer["optimizer"], []).extend(values[:, 0] for values in steps.values())
    # What failed or wasn't run on some problem has met none of its targets.
    num = {task: max(len(tuned(part, view).seeds) for part in finished if _task(part) == task) for task in tasks}
    total = LEVELS * sum(num.values())
    grid = _steps_grid(max((part.footer["steps"] for part in finished), default=1))
    rows = []
    for name, found in met.items():
        steps = np.concatenate(found)
        shares = {f"by_step_{step}": float(np.sum(steps <= step) / total) for step in grid}
        rows.append({"optimizer": name} | shares)
    rows.sort(key=lambda row: tuple(-row[f"by_step_{step}"] for step in reversed(grid)))
    return ["optimizer", *(f"by_step_{step}" for step in grid)], rows


def _task(part: Part) -> tuple[Any, ...]:
    return (part.footer["problem"], part.footer["batch_size"])


def _levels(parts: Sequence[Part], view: Slice) -> list[float]:
    """Space targets on the train loss from a task's start to its end."""
    found = [tuned(part, view) for part in parts]
    footer = parts[0].footer
    ends = [median(one.ends["train_loss"][:, 0]) for one in found]
    start, last = median(found[0].start[:, 0]), targets_of(footer, view).get("train_loss", min(ends))
    base = footer["optimum"] if footer["optimum"] is not None else min(0.0, last)
    first, least = start - base, rounding(found[0].dtype) * max(abs(base), start - base)
    shares = np.arange(1, LEVELS + 1) / LEVELS
    return (base + first ** (1 - shares) * max(last - base, least) ** shares).tolist()


def _steps_grid(most: int) -> list[int]:
    """List 1, 3, 10, 30, ... up to the last step."""
    series = [factor * 10**power for power in range(len(str(most))) for factor in (1, 3)]
    return [*(step for step in series if step < most), most]


def profile(parts: Sequence[Part], view: Slice) -> Rows:
    """Tabulate performance profiles over steps to target: (columns, rows), the best score first."""
    times: dict[tuple[Any, ...], dict[str, float]] = {}
    for part in parts:
        targets = {} if part.outcome == "failed" else targets_of(part.footer, view)
        if targets:
            steps = tuned(part, view).steps_to[next(iter(targets))][:, 0]
            times.setdefault(_task(part), {})[part.footer["optimizer"]] = median(steps)
    names = list(dict.fromkeys(part.footer["optimizer"] for part in parts))
    columns = ["optimizer", *(f"within_{factor:g}" for factor in FACTORS), "solved", "score", "num_problems"]
    if not times:
        return columns, []
    # A problem solved before the first update takes no steps, and has no ratios.
    array = np.maximum(np.array([[found.get(name, np.inf) for name in names] for found in times.values()]), 1.0)
    shares = performance_profile(array, np.array(FACTORS))
    rows = []
    for place, name in enumerate(names):
        row = {"optimizer": name, "num_problems": len(array), "solved": float(np.mean(np.isfinite(array[:, place])))}
        row |= {f"within_{factor:g}": float(shares[at, place]) for at, factor in enumerate(FACTORS)}
        rows.append(row | {"score": profile_score(_ratios(array)[:, place])})
    return columns, sorted(rows, key=lambda row: -row["score"])


def _ratios(times: Float[np.ndarray, "problem optimizer"]) -> Float[np.ndarray, "problem optimizer"]:
    with np.errstate(invalid="ignore"):
        ratios = times / times.min(axis=1, keepdims=True)
    return np.where(np.isfinite(ratios), ratios, np.inf)
