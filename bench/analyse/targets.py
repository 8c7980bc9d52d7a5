"""What was solved, and when: expected running times, the share of targets met by a step, performance profiles."""

from collections.abc import Iterable, Mapping, Sequence
from typing import Any

import numpy as np
from jaxtyping import Float

from optbench.analyse.objective import rounding
from optbench.analyse.outcomes import Slice, targets_of, tuned
from optbench.analyse.statistics import expected_running_time, median, performance_profile, profile_score
from optbench.analyse.trials import is_higher_better
from optbench.store.parts import Part

Rows = tuple[list[str], list[dict[str, Any]]]

#: What all tables of steps to a target share.
COUNTED = "steps are counted at records, on full batches at every step"
ERT_NOTES = [
    "expected running time: all steps of all report seeds over the seeds that met the target, what repeating the tuned "
    "optimizer until it does would take; a seed that missed it spent its whole budget; inf: no seed met it; " + COUNTED,
]
NO_TARGET = "no problem has a target; --target 0.1 sets one, in train loss"
#: Targets of each problem in `ecdf`.
LEVELS = 10
ECDF_NOTES = [
    f"share of all (problem, target, report seed) met by that step, tuned optimizers; each batch size counts as a "
    f"problem; {LEVELS} targets a problem, evenly in the logarithm from the train loss at its start to its own target, "
    "or where it has none to the lowest end of any optimizer; by the gap where the optimum is known",
    "what failed or was not run somewhere has met no target there; " + COUNTED,
]
FACTORS = (1.0, 1.5, 2.0, 4.0, 8.0, 16.0)
PROFILE_NOTES = [
    "share of problems (each batch size counts) whose first target the tuned optimizer meets, by its median over the "
    "report seeds, within so many times the fewest steps of any; solved: at all; score: the area up to 4 times, as a "
    "share; what failed or was not run somewhere has not met the target there",
    "by steps, which " + COUNTED.removeprefix("steps ") + "; `optbench table RUN time-to-target` compares seconds",
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
    spent = _last_step(part, view)
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
    """Name the targets that nobody reached, or say that there is none."""
    best: dict[tuple[str, str], int] = {}
    for row in rows:
        key = (row["problem"], row["target"])
        best[key] = max(best.get(key, 0), row["num_solved"])
    missed = [f"nobody reached {target} on {problem}" for (problem, target), num in best.items() if not num]
    return missed if best else [NO_TARGET]


def ecdf(parts: Sequence[Part], view: Slice) -> Rows:
    """Tabulate the share of (problem, target, seed) met against steps: (columns, rows), the most first."""
    met, total = steps_met(parts, view)
    grid = _steps_grid(most_steps(parts, view))
    columns = [f"by_step_{step}" for step in grid]
    shares = {name: [_share(found, step, total) for step in grid] for name, found in met.items()} if total else {}
    best_first = sorted(shares, key=lambda name: shares[name][::-1], reverse=True)
    rows = [{"optimizer": name} | dict(zip(columns, shares[name], strict=True)) for name in best_first]
    return ["optimizer", *columns], rows


def steps_met(parts: Sequence[Part], view: Slice) -> tuple[dict[str, Float[np.ndarray, " case"]], int]:
    """Count each optimizer's steps to every (problem, target, seed): (steps, infinite where missed; all there are)."""
    tasks: dict[tuple[Any, ...], list[Part]] = {}
    for part in parts:
        if part.outcome == "finished":
            tasks.setdefault(_task(part), []).append(part)
    met: dict[str, list[np.ndarray]] = {part.footer["optimizer"]: [] for part in parts}
    total = 0
    for some in tasks.values():
        levels = _levels(some, view)
        targets = {str(place): ("train_loss", level) for place, level in enumerate(levels)}
        found = [tuned(part, view, targets) for part in some]
        for part, one in zip(some, found, strict=True):
            met[part.footer["optimizer"]].extend(values[:, 0] for values in one.steps_to.values())
        total += LEVELS * max(len(one.seeds) for one in found) if levels else 0
    return {name: np.concatenate([[], *found]) for name, found in met.items()}, total


def most_steps(parts: Sequence[Part], view: Slice) -> int:
    """Take the last step of any finished cell."""
    return max((_last_step(part, view) for part in parts if part.outcome == "finished"), default=1)


def ecdf_notes(rows: Iterable[Mapping[str, Any]]) -> list[str]:
    """Say how to read the shares, or why there are none."""
    return ECDF_NOTES if any(True for _ in rows) else ["no problem has a target or a trial that didn't diverge"]


def _share(steps: Float[np.ndarray, " case"], step: int, total: int) -> float:
    return int(np.sum(steps <= step)) / total


def _task(part: Part) -> tuple[Any, ...]:
    return (part.footer["problem"], part.footer["batch_size"])


def _last_step(part: Part, view: Slice) -> int:
    return part.footer["steps"] if view.at_step is None else min(view.at_step, part.footer["steps"])


def _levels(parts: Sequence[Part], view: Slice) -> list[float]:
    """Space targets on the train loss from a task's start to its end; none where no end is known."""
    footer, target = parts[0].footer, targets_of(parts[0].footer, view).get("train_loss")
    # The start alone, where the target is known, is the same for all.
    found = [tuned(part, view, {}) for part in (parts if target is None else parts[:1])]
    start = median(found[0].start[:, 0])
    last = min(median(one.ends["train_loss"][:, 0]) for one in found) if target is None else target
    if not np.isfinite(last):
        return []
    if not last < start < np.inf:
        return [last] * LEVELS
    base = footer["optimum"] if footer["optimum"] is not None else min(0.0, last)
    least = rounding(found[0].dtype) * max(abs(base), start - base)
    shares = np.arange(1, LEVELS) / LEVELS
    between = base + (start - base) ** (1 - shares) * max(last - base, least) ** shares
    return [*between.tolist(), max(last, base + least)]


def _steps_grid(most: int) -> list[int]:
    """List 1, 3, 10, 30, ... up to the last step."""
    series = [factor * 10**power for power in range(len(str(most))) for factor in (1, 3)]
    return [*(step for step in series if step < most), most]


def profile(parts: Sequence[Part], view: Slice) -> Rows:
    """Tabulate performance profiles over steps to target: (columns, rows), the best score first."""
    columns = ["optimizer", *(f"within_{factor:g}" for factor in FACTORS), "solved", "score", "num_problems"]
    names, array = steps_to_target(parts, view)
    if not len(array):
        return columns, []
    shares = performance_profile(array, np.array(FACTORS))
    rows = []
    for place, name in enumerate(names):
        row = {"optimizer": name, "num_problems": len(array), "solved": float(np.mean(np.isfinite(array[:, place])))}
        row |= {f"within_{factor:g}": float(shares[at, place]) for at, factor in enumerate(FACTORS)}
        rows.append(row | {"score": profile_score(ratios(array)[:, place])})
    return columns, sorted(rows, key=lambda row: -row["score"])


def steps_to_target(parts: Sequence[Part], view: Slice) -> tuple[list[str], Float[np.ndarray, "problem optimizer"]]:
    """Arrange what `profile` compares: optimizers, and their median steps to the first target, infinite if missed."""
    names, times = list(dict.fromkeys(part.footer["optimizer"] for part in parts)), _times(parts, view)
    # A problem solved before the first update takes no steps, and has no ratios.
    return names, np.maximum(np.array([[found.get(name, np.inf) for name in names] for found in times.values()]), 1.0)


def _times(parts: Sequence[Part], view: Slice) -> dict[tuple[Any, ...], dict[str, float]]:
    """Count each optimizer's median steps to the first target of each task that any finished."""
    times: dict[tuple[Any, ...], dict[str, float]] = {}
    for part in parts:
        targets = targets_of(part.footer, view) if part.outcome == "finished" else {}
        if targets:
            steps = tuned(part, view).steps_to[next(iter(targets))][:, 0]
            times.setdefault(_task(part), {})[part.footer["optimizer"]] = median(steps)
    return times


def profile_notes(parts: Sequence[Part], view: Slice) -> list[str]:
    """Say how to read a profile, and on what nobody reached the target."""
    times = _times(parts, view)
    missed = [task for task, found in times.items() if np.isinf(min(found.values()))]
    said = [f"nobody reached the target on {problem} at batch size {size}" for problem, size in missed]
    return PROFILE_NOTES + said if times else [NO_TARGET]


def ratios(times: Float[np.ndarray, "problem optimizer"]) -> Float[np.ndarray, "problem optimizer"]:
    """Divide the times on each problem by the fastest one's; infinite where it was missed."""
    with np.errstate(invalid="ignore"):
        found = times / times.min(axis=1, keepdims=True)
    return np.where(np.isfinite(found), found, np.inf)
