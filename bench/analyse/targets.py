"""When targets were met, as arrays: of each seed over many targets, and of medians over seeds."""

from collections.abc import Sequence
from typing import Any

import numpy as np
from jaxtyping import Float

from optbench.analyse.objective import rounding
from optbench.analyse.outcomes import Slice, targets_of, tuned
from optbench.analyse.statistics import median
from optbench.store.parts import Part

#: Targets of each task that `steps_met` counts steps to.
LEVELS = 10


def steps_met(parts: Sequence[Part], view: Slice) -> tuple[dict[str, Float[np.ndarray, " case"]], int]:
    """Count each optimizer's steps to every (problem, target, seed): (steps, infinite where missed; all there are)."""
    tasks: dict[tuple[Any, ...], list[Part]] = {}
    for part in parts:
        if part.outcome == "finished":
            tasks.setdefault(_task(part), []).append(part)
    met: dict[str, list[np.ndarray]] = {part.record.optimizer: [] for part in parts}
    total = 0
    for some in tasks.values():
        levels = _levels(some, view)
        targets = {str(place): ("train_loss", level) for place, level in enumerate(levels)}
        found = [tuned(part, view, targets) for part in some]
        for part, one in zip(some, found, strict=True):
            met[part.record.optimizer].extend(values[:, 0] for values in one.steps_to.values())
        total += LEVELS * max(len(one.seeds) for one in found) if levels else 0
    return {name: np.concatenate([[], *found]) for name, found in met.items()}, total


def most_steps(parts: Sequence[Part], view: Slice) -> int:
    """Take the last step of any finished cell."""
    return max((last_step(part, view) for part in parts if part.outcome == "finished"), default=1)


def _task(part: Part) -> tuple[Any, ...]:
    return (part.record.problem, part.record.batch_size)


def last_step(part: Part, view: Slice) -> int:
    """Return the last step of a cell that is looked at."""
    return part.results.steps if view.at_step is None else min(view.at_step, part.results.steps)


def _levels(parts: Sequence[Part], view: Slice) -> list[float]:
    """Space targets on the train loss from a task's start to its end; none where no end is known."""
    results, target = parts[0].results, targets_of(parts[0].results, view).get("train_loss")
    # The start alone, where the target is known, is the same for all.
    found = [tuned(part, view, {}) for part in (parts if target is None else parts[:1])]
    start = median(found[0].start[:, 0])
    last = min(median(one.ends["train_loss"][:, 0]) for one in found) if target is None else target
    if not np.isfinite(last):
        return []
    if not last < start < np.inf:
        return [last] * LEVELS
    base = results.optimum if results.optimum is not None else min(0.0, last)
    least = rounding(found[0].dtype) * max(abs(base), start - base)
    shares = np.arange(1, LEVELS) / LEVELS
    between = base + (start - base) ** (1 - shares) * max(last - base, least) ** shares
    return [*between.tolist(), max(last, base + least)]


def steps_to_target(parts: Sequence[Part], view: Slice) -> tuple[list[str], Float[np.ndarray, "problem optimizer"]]:
    """Arrange what `profile` compares: optimizers, and their median steps to the first target, infinite if missed."""
    names, times = list(dict.fromkeys(part.record.optimizer for part in parts)), median_steps(parts, view)
    # A problem solved before the first update takes no steps, and has no ratios.
    return names, np.maximum(np.array([[found.get(name, np.inf) for name in names] for found in times.values()]), 1.0)


def median_steps(parts: Sequence[Part], view: Slice) -> dict[tuple[Any, ...], dict[str, float]]:
    """Count each optimizer's median steps to the first target of each task that any finished."""
    times: dict[tuple[Any, ...], dict[str, float]] = {}
    for part in parts:
        targets = targets_of(part.results, view) if part.outcome == "finished" else {}
        if targets:
            steps = tuned(part, view).steps_to[next(iter(targets))][:, 0]
            times.setdefault(_task(part), {})[part.record.optimizer] = median(steps)
    return times


def ratios(times: Float[np.ndarray, "problem optimizer"]) -> Float[np.ndarray, "problem optimizer"]:
    """Divide the times on each problem by the fastest one's; infinite where it was missed."""
    with np.errstate(invalid="ignore"):
        found = times / times.min(axis=1, keepdims=True)
    return np.where(np.isfinite(found), found, np.inf)
