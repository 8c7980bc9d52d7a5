"""What handing cells out costs: a suite on two workers, each held to a core of its own, and what they did when.

Run it as `python tests/benchmarks/cluster.py [SUITE [WORKERS ...]]`, with nothing else running. Prints what each worker
did, and the share by which the time between its first and last cell exceeds what the cells themselves took by their
footers. Where there are GPUs, a worker has one of those.
"""

import os
import signal
import subprocess
import sys
import tempfile
import time
from collections.abc import Iterator
from contextlib import contextmanager
from itertools import pairwise
from pathlib import Path

from distributed import Client

from optbench import load, run
from optbench.present.formats import format_table
from optbench.present.table import Table
from optbench.runner.cluster.connect import gpu_ids
from optbench.store.record import CellResults
from optbench.store.trials import read_rows

ADDRESS = "tcp://127.0.0.1:18786"
COLUMNS = (
    "worker",
    "cells",
    "problems",
    "changes",
    "begun",
    "busy",
    "of_it_cells",
    "between",
    "overhead",
    "idle_at_end",
)


@contextmanager
def workers(num: int) -> Iterator[None]:
    """Start a scheduler and workers, each on a core of its own, or with a GPU of its own."""
    dask = [sys.executable, "-m", "distributed.cli.dask_scheduler", "--host", ADDRESS.rpartition(":")[0][6:]]
    quiet = {"stdout": subprocess.DEVNULL, "stderr": subprocess.DEVNULL, "start_new_session": True}
    started = [subprocess.Popen([*dask, "--port", ADDRESS.rpartition(":")[2], "--no-dashboard"], **quiet)]
    worker = [sys.executable, "-m", "distributed.cli.dask_worker", ADDRESS, "--nthreads", "1", "--no-dashboard"]
    for gpu in gpu_ids()[:num]:
        seen = os.environ | {"CUDA_VISIBLE_DEVICES": gpu}
        started.append(subprocess.Popen([*worker, "--resources", "GPU=1"], env=seen, **quiet))
    for core in [] if gpu_ids() else sorted(os.sched_getaffinity(0))[:num]:
        started.append(subprocess.Popen(["taskset", "-c", str(core), *worker, "--resources", "CPU=1"], **quiet))
    try:
        yield
    finally:
        for process in started:
            os.killpg(process.pid, signal.SIGKILL)


def measure(suite: str, num_workers: int, results: Path) -> tuple[list[dict[str, object]], list[str]]:
    """Run a suite on workers: a row for each, and notes."""
    with workers(num_workers), Client(ADDRESS, timeout=60, set_as_default=False) as client:
        client.wait_for_workers(num_workers)
        client.get_task_stream()
        before = time.time()
        done = run(suite, results=results, name="many", cluster=ADDRESS, throughput=False)
        wall = time.time() - before
        stream = client.get_task_stream(start=before)
    cost = {part.path.stem: _cell_seconds(part.results) for part in done.parts}
    label = {part.path.stem: part.record.problem for part in done.parts}
    tasks = [
        (task["worker"], task["key"].partition("-")[0], step["start"], step["stop"])
        for task in stream
        for step in task["startstops"]
        if step["action"] == "compute"
    ]
    begin, end = min(task[2] for task in tasks), max(task[3] for task in tasks)
    rows: list[dict[str, object]] = []
    for number, worker in enumerate(sorted({task[0] for task in tasks})):
        own = sorted((task for task in tasks if task[0] == worker), key=lambda task: task[2])
        problems = [label[key] for _, key, *_ in own]
        span, busy = own[-1][3] - own[0][2], sum(stop - start for *_, start, stop in own)
        cells = sum(cost[key] for _, key, *_ in own)
        changes = sum(one != other for one, other in pairwise(problems))
        rows.append(
            dict(zip(COLUMNS, (str(number), len(own), len(set(problems)), changes, own[0][2] - begin), strict=False))
            | {"busy": busy, "of_it_cells": cells, "between": span - busy}
            | {"overhead": span / cells - 1, "idle_at_end": end - own[-1][3]}
        )
    cells, spans = sum(cost.values()), sum(row["busy"] + row["between"] for row in rows)
    return rows, [
        f"{len(tasks)} cells, {cells:.1f} s of cells in {end - begin:.1f} s; {wall - (end - begin):.1f} s before the "
        f"first and after the last; overhead of all: {100 * (spans / cells - 1):.1f} %"
    ]


def _cell_seconds(results: CellResults) -> float:
    return results.trace_seconds + results.compile_seconds + results.select_seconds + results.report_seconds


#: In a process of its own, which lets go of its GPU.
ALONE = "import sys, optbench; optbench.run(sys.argv[1], results=sys.argv[2], name='one', throughput=False)"


def main(suite: str = "quick", *nums: str) -> None:
    with tempfile.TemporaryDirectory() as folder:
        results = Path(folder)
        # Without compiled programs of an earlier run, on both sides.
        os.environ["XDG_CACHE_HOME"] = f"{folder}/one"
        began = time.time()
        subprocess.run([sys.executable, "-c", ALONE, suite, folder], check=True)
        one = load(results / "one")
        print(f"one process, whose second thread compiles ahead: {time.time() - began:.1f} s\n", flush=True)
        for num in map(int, nums or ("1", "2")):
            os.environ["XDG_CACHE_HOME"] = f"{folder}/{num}"
            rows, notes = measure(suite, num, results / str(num))
            device = load(results / str(num) / "many").manifest["device"]["device"]
            title = f"{suite}, workers with {'a core' if device == 'cpu' else device} each: {num}; seconds"
            print(format_table(Table(title, COLUMNS, tuple(rows), tuple(notes))))
            many = load(results / str(num) / "many")
            equal = [_rows(one, part.path.stem) == _rows(many, part.path.stem) for part in one.parts]
            print(f"equal to one process, bit for bit: {sum(equal)} of {len(equal)} cells\n", flush=True)


def _rows(run: object, key: str) -> str:
    return repr(read_rows([part for part in run.parts if part.path.stem == key]).to_pylist())


if __name__ == "__main__":
    main(*sys.argv[1:])
