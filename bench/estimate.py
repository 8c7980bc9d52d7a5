"""What a cell will take, from what another of its kind took."""

from collections.abc import Mapping
from typing import Any, NamedTuple


class Cost(NamedTuple):
    """What one cell of a problem cost: the others are taken to cost the same per compile, trial and step."""

    compile_seconds: float
    seconds_per_trial_step: float


def cost_of_part(footer: Mapping[str, Any]) -> Cost | None:
    """Read a finished cell's cost from its part's footer; None where it doesn't tell."""
    if footer.get("outcome") != "finished":
        return None
    work = footer["trial_steps"] + footer["report_seeds"] * footer["steps"]
    return Cost(
        footer["trace_seconds"] + footer["compile_seconds"],
        (footer["select_seconds"] + footer["report_seconds"]) / work,
    )


def seconds(num_trials: int, steps: int, cost: Cost) -> float:
    """Estimate a cell."""
    return cost.compile_seconds + num_trials * steps * cost.seconds_per_trial_step
