"""Seconds of a step of the timed cells, and how near they come to the machine's limits."""

from collections.abc import Iterable, Mapping, Sequence
from typing import Any

import numpy as np

from optbench.analyse.statistics import median, median_rank_interval
from optbench.store.timings import StepTimes, Timing

#: The two limits of a step: of arithmetic, and of memory.
LIMITS = ("product", "copy")


def step_interval(times: StepTimes) -> tuple[float, float, float]:
    """Return the median seconds of a step with its exact 95 % interval: (median, low, high)."""
    return median_rank_interval(np.array(times.step_seconds))


def step_seconds(timings: Iterable[Timing]) -> dict[tuple[Any, ...], Any]:
    """Return the median seconds of a step by (problem, optimizer, batch size); None if its timing failed."""
    return {
        (timing.problem, timing.optimizer, timing.batch_size): timing.times and step_interval(timing.times)[0]
        for timing in timings
    }


def cell_names(row: Mapping[str, Any]) -> tuple[Any, ...]:
    """Return the key of a row's cell: (problem, optimizer, batch size)."""
    return (row["problem"], row["optimizer"], row["batch_size"])


def limit_shares(times: StepTimes) -> dict[str, float]:
    """Return the share of each limit, measured in the same run, that a step reaches."""
    step = median(np.array(times.step_seconds))
    return {
        "product": times.flops_per_step / step / times.product_flops_per_second,
        "copy": times.bytes_per_step / step / times.copy_bytes_per_second,
    }


def sort_within(rows: Sequence[dict[str, Any]], names: Sequence[str], by: str) -> list[dict[str, Any]]:
    """Return rows in groups, in the order of their first rows, and each group sorted by a number; missing ones last."""

    def group(row: Mapping[str, Any]) -> tuple[Any, ...]:
        return tuple(row[name] for name in names)

    order = {key: index for index, key in enumerate(dict.fromkeys(map(group, rows)))}
    return sorted(rows, key=lambda row: (order[group(row)], row[by] is None, row[by] or 0.0))
