"""Work to targets, as arrays: of each seed to many targets, and the median over seeds to the first one."""

from collections.abc import Sequence
from typing import Any

import numpy as np
from jaxtyping import Float

from optbench.analyse.objective import rounding
from optbench.analyse.outcomes import Slice, targets_of, tuned
from optbench.analyse.statistics import median
from optbench.analyse.work import Work, last_step
from optbench.store.parts import Part
from optbench.store.status import Outcome

#: Targets of each task that `work_met` counts work to.
LEVELS = 10


def work_met(parts: Sequence[Part], view: Slice, work: Work) -> tuple[dict[str, Float[np.ndarray, " case"]], int]:
    """Return each optimizer's work to every (problem, target, seed), infinite if missed, and the number of all cases.

    Raises ValueError if trials are not stored.
    """
    tasks: dict[tuple[Any, ...], list[Part]] = {}
    for part in parts:
        if part.outcome == Outcome.FINISHED:
            tasks.setdefault(_task(part), []).append(part)
    met: dict[str, list[np.ndarray]] = {part.record.optimizer: [] for part in parts}
    total = 0
    for members in tasks.values():
        levels = _levels(members, view)
        targets = {str(number): ("train_loss", level) for number, level in enumerate(levels)}
        outcomes = [work.trials(part, view, targets) for part in members]
        for part, trials in zip(members, outcomes, strict=True):
            met[part.record.optimizer].extend(work.to_target(part, trials, name)[:, 0] for name in targets)
        total += LEVELS * max(len(trials.seeds) for trials in outcomes) if levels else 0
    return {name: np.concatenate([[], *outcomes]) for name, outcomes in met.items()}, total


def most_work(parts: Sequence[Part], view: Slice, work: Work) -> float:
    """Return the largest budget of the tuned trials of the finished cells; 1 if none has finished."""
    finished = [part for part in parts if part.outcome == Outcome.FINISHED]
    return max(
        (float(work.spent(part, tuned(part, view), last_step(part, view)).max()) for part in finished), default=1.0
    )


def _task(part: Part) -> tuple[Any, ...]:
    return (part.record.problem, part.record.batch_size)


def _levels(parts: Sequence[Part], view: Slice) -> list[float]:
    """Return targets on the train loss, spaced from a task's initial to its final loss; none if that isn't known."""
    results, target = parts[0].results, targets_of(parts[0].results, view).get("train_loss")
    # With a known target only the initial loss is needed, which is the same for all.
    outcomes = [tuned(part, view, {}) for part in (parts if target is None else parts[:1])]
    start = median(outcomes[0].start[:, 0])
    last = min(median(trials.ends["train_loss"][:, 0]) for trials in outcomes) if target is None else target
    if not np.isfinite(last):
        return []
    if not last < start < np.inf:
        return [last] * LEVELS
    base = results.optimum if results.optimum is not None else min(0.0, last)
    least = rounding(outcomes[0].dtype) * max(abs(base), start - base)
    shares = np.arange(1, LEVELS) / LEVELS
    between = base + (start - base) ** (1 - shares) * max(last - base, least) ** shares
    return [*between.tolist(), max(last, base + least)]


def work_to_target(
    parts: Sequence[Part], view: Slice, work: Work
) -> tuple[list[str], Float[np.ndarray, "problem optimizer"]]:
    """Return the optimizers, and their median work to each problem's first target, infinite if missed.

    Raises ValueError if trials are not stored.
    """
    names, times = list(dict.fromkeys(part.record.optimizer for part in parts)), median_work(parts, view, work)
    return names, np.array([[own.get(name, np.inf) for name in names] for own in times.values()])


def median_work(parts: Sequence[Part], view: Slice, work: Work) -> dict[tuple[Any, ...], dict[str, float]]:
    """Return each optimizer's median work to the first target of each task that any finished, at least that of a step.

    Raises ValueError if trials are not stored.
    """
    times: dict[tuple[Any, ...], dict[str, float]] = {}
    for part in parts:
        targets = targets_of(part.results, view) if part.outcome == Outcome.FINISHED else {}
        if targets:
            own = median(work.to_target(part, work.trials(part, view), next(iter(targets)))[:, 0])
            # A problem solved before the first update takes no work, and has no ratios.
            times.setdefault(_task(part), {})[part.record.optimizer] = max(own, work.of_a_step(part))
    return times


def ratios(times: Float[np.ndarray, "problem optimizer"]) -> Float[np.ndarray, "problem optimizer"]:
    """Return the times on each problem over the fastest one's; infinite if the target was missed."""
    with np.errstate(invalid="ignore"):
        relative = times / times.min(axis=1, keepdims=True)
    return np.where(np.isfinite(relative), relative, np.inf)
