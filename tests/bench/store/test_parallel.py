"""Many parts in processes of their own, which end with the one that asked."""

import multiprocessing
import os
import subprocess
import sys
from concurrent.futures import ProcessPoolExecutor, ThreadPoolExecutor
from types import SimpleNamespace

import psutil
import pytest

from optbench.store import parallel

#: Sorts by a key that takes a second to find.
WAITS = """
import time
from functools import partial
from optbench.store import parallel

parallel.MANY, parallel.LEAST, parallel.TAKEN = 2, 1, 1
list(parallel.spread(partial(sorted, key=time.sleep), [1.0] * 100, processes=True))
"""


@pytest.mark.skipif(len(os.sched_getaffinity(0)) < 2, reason="one core reads as fast in one process")
def test_processes_end_with_a_killed_parent():
    parent = subprocess.Popen([sys.executable, "-c", WAITS])
    children = []
    # One more keeps track of semaphores.
    while len(children) < 3:
        assert parent.poll() is None, "it ended without waiting"
        children = psutil.Process(parent.pid).children()
    parent.kill()
    parent.wait()
    assert psutil.wait_procs(children, timeout=60)[1] == []


@pytest.mark.parametrize(
    ("num", "cores", "workers"),
    [
        # Two thousand are worth two processes, but are not many; each of them gets a thousand at the least.
        *((2999, 8, 0), (3000, 8, 3), (4500, 8, 4), (3000, 2, 2), (100_000, 8, 8), (100_000, 1, 0), (0, 8, 0)),
    ],
)
def test_thousands_are_worth_processes_where_there_are_cores(monkeypatch, num, cores, workers):
    monkeypatch.setattr(parallel, "_num_cores", lambda: cores)
    with parallel._pool(num) as pool:
        assert isinstance(pool, ProcessPoolExecutor if workers else ThreadPoolExecutor)
        assert pool._max_workers == (workers or cores)


def test_a_process_that_may_start_none_takes_threads(monkeypatch):
    monkeypatch.setattr(parallel, "_num_cores", lambda: 8)
    monkeypatch.setattr(multiprocessing, "current_process", lambda: SimpleNamespace(daemon=True))
    with parallel._pool(100_000) as pool:
        assert isinstance(pool, ThreadPoolExecutor)


@pytest.mark.parametrize(
    ("num", "at_a_time", "pieces"),
    [(5, None, [2, 2, 1]), (4, None, [2, 2]), (5, 4, [4, 1]), (2, None, [2]), (3, 3, [3]), (1, None, [1])],
)
def test_some_are_taken_at_a_time_and_in_order(monkeypatch, num, at_a_time, pieces):
    monkeypatch.setattr(parallel, "TAKEN", 2)
    taken = []

    def double(some):
        taken.append(len(some))
        return [2 * one for one in some]

    assert [*parallel.spread(double, range(num), at_a_time=at_a_time)] == [2 * one for one in range(num)]
    assert sorted(taken, reverse=True) == pieces
