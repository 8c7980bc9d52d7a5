"""The work of trials in a unit that optimizers are compared in: steps, examples, gradient evaluations or seconds."""

from collections.abc import Mapping, Sequence
from typing import Any, NamedTuple

import numpy as np
from jaxtyping import Float

from optbench.analyse.outcomes import Outcomes, Slice, tuned
from optbench.errors import RequestError
from optbench.store.parts import Part
from optbench.store.status import Outcome

#: Seconds of a step by (problem, optimizer, batch size), None for those whose timing failed.
Seconds = Mapping[tuple[Any, ...], float | None]


class Work(NamedTuple):
    """A unit of work, and what it takes to count it."""

    unit: str
    seconds: Seconds

    def of_a_step(self, part: Part) -> float:
        """Return the work of a step that evaluates one gradient. Raises RequestError for seconds that aren't known."""
        if self.unit == "seconds":
            names = part.record.names
            seconds = self.seconds.get(tuple(names.values()))
            if seconds is None:
                cell = f"{names['optimizer']} on {names['problem']} at batch size {names['batch_size']}"
                raise RequestError(f"by seconds: {cell} is not timed; optbench throughput times it")
            return seconds
        return float(part.results.examples_per_step) if self.unit == "examples" else 1.0

    def trials(self, part: Part, view: Slice, targets: Mapping[str, tuple[str, float]] | None = None) -> Outcomes:
        """Return the tuned trials of a cell, with the settings chosen for that work where there are such.

        Raises ValueError if they are not stored.
        """
        metric = {"steps": "steps_to_target", "seconds": "time_to_target"}.get(self.unit, "gradients_to_target")
        return tuned(part, view, targets, metric)

    def to_target(self, part: Part, trials: Outcomes, name: str) -> Float[np.ndarray, "seed point"]:
        """Return the work of each trial until it has reached a target, infinite if it never does.

        Raises RequestError for seconds that aren't known.
        """
        per_step = self.unit in ("steps", "seconds")
        return (trials.steps_to if per_step else trials.gradients_to)[name] * self.of_a_step(part)

    def spent(self, part: Part, trials: Outcomes, steps: int) -> Float[np.ndarray, " seed"]:
        """Return the work of the tuned trials of a cell by a step, at which it ends: its budget.

        One that diverged evaluates nothing any more, but has had as large a budget as the others. Raises RequestError
        for seconds that aren't known.
        """
        gradients, lost = trials.gradients[:, 0], trials.diverged[:, 0]
        most = max(float(gradients.max()), float(steps))
        per_step = self.unit in ("steps", "seconds")
        return np.where(lost | per_step, float(steps) if per_step else most, gradients) * self.of_a_step(part)


def work_of(parts: Sequence[Part], view: Slice, seconds: Seconds | None = None) -> Work:
    """Return the unit that a slice asks for; else gradients if a step of some optimizer evaluates several, else steps.

    Raises ValueError if trials are not stored.
    """
    if view.by is not None:
        return Work(view.by, seconds or {})
    several = any(part.outcome == Outcome.FINISHED and _evaluates_several(part, view) for part in parts)
    return Work("gradients" if several else "steps", seconds or {})


def _evaluates_several(part: Part, view: Slice) -> bool:
    return bool(tuned(part, view).gradients.max(initial=0) > last_step(part, view))


def last_step(part: Part, view: Slice) -> int:
    """Return the last step of a cell within the slice."""
    return part.results.steps if view.at_step is None else min(view.at_step, part.results.steps)


def singular(unit: str) -> str:
    """Return one of a unit, as in the name of a column."""
    return unit.removesuffix("s")


def words_of(unit: str) -> str:
    """Return a unit as a sentence names it."""
    return {"gradients": "gradient evaluations", "seconds": "seconds (steps times the seconds of a step)"}.get(
        unit, unit
    )
