"""Many parts in processes of their own, which end with the one that asked."""

import os
import subprocess
import sys

import psutil
import pytest

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
