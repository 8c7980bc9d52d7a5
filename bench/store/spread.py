"""Do one thing with each of many parts, on all cores: reading Parquet leaves Python's lock to other threads."""

import os
from collections.abc import Callable, Iterator, Sequence
from concurrent.futures import ThreadPoolExecutor
from typing import TypeVar

#: Parts that a thread takes at a time: handing one over costs 0.05 ms, reading it 0.6 ms.
TAKEN = 64

Given = TypeVar("Given")
Made = TypeVar("Made")


def spread(make: Callable[[Given], Made], given: Sequence[Given]) -> Iterator[Made]:
    """Make something of each of many things, in their order; what one of them raises is raised."""
    if len(given) <= TAKEN:
        yield from map(make, given)
        return
    taken = [given[first : first + TAKEN] for first in range(0, len(given), TAKEN)]
    with ThreadPoolExecutor(_num_cores(), thread_name_prefix="parts") as pool:
        for made in pool.map(lambda some: [make(one) for one in some], taken):
            yield from made


def _num_cores() -> int:
    return len(os.sched_getaffinity(0)) if hasattr(os, "sched_getaffinity") else os.cpu_count() or 1
