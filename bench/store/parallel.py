"""Do one thing with each of many parts, on all cores: in threads, or for thousands in processes.

Reading Parquet leaves Python's lock to other threads, but half of what a part takes is Python's own.
"""

import multiprocessing
import os
import signal
import sys
from collections.abc import Callable, Iterator, Sequence
from concurrent.futures import Executor, ProcessPoolExecutor, ThreadPoolExecutor
from contextlib import contextmanager
from threading import Thread
from types import ModuleType
from typing import TypeVar

#: Parts that are taken at a time: handing one over costs 0.05 ms, reading it 0.6 ms.
TAKEN = 64
#: Parts that are worth processes, each of which takes 0.5 s and 100 MB to start; and how many each gets at the least.
MANY, LEAST = 3000, 1000

Given = TypeVar("Given")
Made = TypeVar("Made")


def spread(
    make: Callable[[Sequence[Given]], Sequence[Made]],
    given: Sequence[Given],
    processes: bool = False,
    at_a_time: int | None = None,
) -> Iterator[Made]:
    """Make something of each of many things, some at a time and in their order; what `make` raises is raised.

    With `processes`, thousands are made by other processes: all that is given and made is pickled.
    """
    num = at_a_time or TAKEN
    if len(given) <= num:
        yield from make(given)
        return
    taken = [given[first : first + num] for first in range(0, len(given), num)]
    with _pool(len(given) if processes else 0) as pool:
        with no_main():
            pieces = pool.map(make, taken)
        for results in pieces:
            yield from results


def _pool(num: int) -> Executor:
    """Start threads, or for so many things processes: not where there is one core, nor in a process that may not."""
    workers = min(_num_cores(), num // LEAST)
    if num < MANY or workers < 2 or multiprocessing.current_process().daemon:
        return ThreadPoolExecutor(_num_cores(), thread_name_prefix="parts")
    # Not forked: locks that other threads hold, such as those of jax and pyarrow, would stay locked.
    return ProcessPoolExecutor(workers, multiprocessing.get_context("spawn"), _begin)


def _begin() -> None:
    """Leave Ctrl-C to the process that asked, and end with it."""
    signal.signal(signal.SIGINT, signal.SIG_IGN)
    Thread(target=_end_with_parent, daemon=True).start()


def _end_with_parent() -> None:
    """Wait for the process that asked to end, which may be killed: this one would wait for work for ever."""
    if parent := multiprocessing.parent_process():
        parent.join()
        os.kill(os.getpid(), signal.SIGKILL)


@contextmanager
def no_main() -> Iterator[None]:
    """Hide the script that runs: new processes would import it, and what it asks for would be asked again."""
    main = sys.modules["__main__"]
    sys.modules["__main__"] = ModuleType("__main__")
    try:
        yield
    finally:
        sys.modules["__main__"] = main


def _num_cores() -> int:
    return len(os.sched_getaffinity(0)) if hasattr(os, "sched_getaffinity") else os.cpu_count() or 1
