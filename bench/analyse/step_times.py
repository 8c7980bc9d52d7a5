"""What a step takes, of the cells that were timed."""

from collections.abc import Iterable, Mapping, Sequence
from typing import Any

import numpy as np

from optbench.analyse.statistics import median, median_rank_interval

Timing = Mapping[str, Any]

#: The two ceilings a step is held against: what of it, and the rate that was measured.
LIMITS = {
    "product": ("flops_per_step", "product_flops_per_second"),
    "copy": ("bytes_per_step", "copy_bytes_per_second"),
}


def step_interval(timing: Timing) -> tuple[float, float, float]:
    """Return the median seconds of a step with its exact 95 % interval: (median, low, high)."""
    return median_rank_interval(np.array(timing["step_seconds"]))


def step_seconds(timings: Iterable[Timing]) -> dict[tuple[Any, ...], Any]:
    """Return the median seconds of a step by (problem, optimizer, batch size); None where timing it failed."""
    return {
        cell_names(timing): None if timing["outcome"] == "failed" else step_interval(timing)[0] for timing in timings
    }


def cell_names(row: Mapping[str, Any]) -> tuple[Any, ...]:
    """Return what a cell is joined by: (problem, optimizer, batch size)."""
    return (row["problem"], row["optimizer"], row["batch_size"])


def limit_shares(timing: Timing) -> dict[str, float]:
    """Compare a timed cell with each limit that was measured in the same run."""
    step = median(np.array(timing["step_seconds"]))
    return {limit: timing[work] / step / timing[rate] for limit, (work, rate) in LIMITS.items()}


def sort_within(rows: Sequence[dict[str, Any]], names: Sequence[str], by: str) -> list[dict[str, Any]]:
    """Keep groups of rows in the order they first come in, and order each by a number; missing ones last."""

    def group(row: Mapping[str, Any]) -> tuple[Any, ...]:
        return tuple(row[name] for name in names)

    place = {key: index for index, key in enumerate(dict.fromkeys(map(group, rows)))}
    return sorted(rows, key=lambda row: (place[group(row)], row[by] is None, row[by] or 0.0))
