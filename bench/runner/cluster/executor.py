"""Hand a run's cells to the workers of a dask cluster: each trains its cells and writes their parts itself.

dask.distributed starts, watches and restarts workers, and carries what is asked and how it ended. What is measured
stays where it is measured, and is written from there.
"""

import os
import time
import uuid
from collections.abc import Iterator, Sequence
from contextlib import contextmanager, suppress
from functools import partial
from pathlib import Path
from typing import Any

import jax

from optbench.planning.jobs import Job
from optbench.planning.registry import plugins_of
from optbench.request import RequestError, Suite
from optbench.runner.cluster import worker
from optbench.runner.cluster.connect import open_cluster
from optbench.runner.cluster.dispatch import Dispatcher, KilledError, LateError, Task
from optbench.runner.cluster.order import Order
from optbench.runner.cluster.workers import WorkerPool
from optbench.runner.executor import Deadline, Executor, OnProgress, Progress, Say, Waiting
from optbench.runner.local import write_failure
from optbench.runner.time_cells import missing_groups, write_failures
from optbench.store.locations import write_file
from optbench.store.parts import Part, part_path, read_part
from optbench.store.record import CellRecord
from optbench.store.status import Outcome, TrialStatus


def keep_off_devices() -> None:
    """Leave this machine's accelerators to the workers, for good: a process that looks at a GPU takes its memory."""
    jax.config.update("jax_platforms", "cpu")


@contextmanager
def open_executor(
    text: str,
    asked: Suite,
    folder: Path,
    device: str | None = None,
    compile_cache: bool = True,
    must_match: bool = False,
    cell_timeout: float | None = None,
    force: bool = False,
    say: Say = lambda text: None,
) -> Iterator[Executor]:
    """Work on a cluster: `local:N` workers on this machine, those of a scheduler at tcp://host:port or tls://host:port,
    or those that SLURM starts for slurm:FILE.toml.

    `asked` is the suite whose cells it gets, `folder` the run's, which all workers see. Waits for the first worker.
    Raises RequestError where there is no such cluster, and for workers that don't fit: with `must_match` also those of
    other versions, which are left out else.
    """
    orders = worker.Orders(
        uuid.uuid4().hex[:12], _absolute(folder), os.getcwd(), *plugins_of(asked), device, compile_cache, force
    )
    probe = worker.probe(orders)
    with open_cluster(text, device) as new_client:
        write_file(probe, b"")
        pool = WorkerPool(new_client, new_client(), orders, must_match, say, device and device.upper())
        try:
            _wait(pool, text, say)
            facts = next(iter(pool.facts.values()))
            yield Executor(
                device=pool.summary() | {"cluster": text},
                cache_note=facts["cache_note"],
                train=partial(_train, pool, cell_timeout),
                time=partial(_time, pool),
            )
        finally:
            with suppress(Exception):
                probe.unlink(missing_ok=True)
            with suppress(Exception):
                pool.client.close(timeout=5)


def _absolute(folder: Path) -> str:
    return str(folder.resolve()) if isinstance(folder, Path) else str(folder)


def _wait(pool: WorkerPool, text: str, say: Say) -> None:
    """Wait for the first worker that fits, and some seconds for others that are there too.

    Raises RequestError where there are others alone.
    """
    began = time.monotonic()
    waits = False
    while not pool.facts or (pool.asked and time.monotonic() < began + 5):
        pool.look()
        for _ in pool.wait():
            pass
        if not waits and not pool.facts and time.monotonic() > began + 10:
            if pool.left_out:
                raise RequestError(
                    f"cluster: no worker of {text} fits; it has {len(pool.left_out)}, which were left out"
                )
            say(f"waiting for a worker of {text} that offers --resources {pool.resource or 'CPU'}=1")
            waits = True


def _train(
    pool: WorkerPool,
    cell_timeout: float | None,
    waiting: Sequence[Waiting],
    folder: Path,
    on_progress: OnProgress,
    deadline: Deadline,
) -> None:
    """Train jobs on the workers; the one that hands them out holds no curves."""
    order, jobs = Order(), {job.key: (job, note) for job, note in waiting}
    order.add(waiting)

    def take(slot: str) -> Task | None:
        taken = None if deadline.passed else order.take(slot)
        return taken and Task(taken[0].key, worker.train, (worker.CellRequest(taken[0].key, taken[0].cell),))

    def began(task: Task) -> None:
        on_progress(Progress(jobs[task.key][0], Outcome.STARTED, jobs[task.key][1]))

    def ended(task: Task, result: Any) -> None:
        job = jobs[task.key][0]
        outcome, message, record = result if isinstance(result, tuple) else _failed(job, folder, result, cell_timeout)
        if record is not None:
            order.learn(job, record)
        on_progress(Progress(job, outcome, message))

    Dispatcher(
        pool,
        take,
        put_back=lambda task: order.put_back(jobs[task.key]),
        waits=lambda: bool(order.waiting) and not deadline.passed,
        ended=ended,
        slots=lambda: {address: [address] for address in pool.facts},
        began=began,
        timeout=cell_timeout or float("inf"),
    ).run()


def _failed(
    job: Job, folder: Path, error: BaseException, cell_timeout: float | None
) -> tuple[Outcome, str, CellRecord | None]:
    """Keep a cell that came to nothing on its worker; what isn't the cell's doing is raised."""
    part = read_part(part_path(folder, job.key))
    if isinstance(part, Part) and part.outcome == Outcome.FINISHED and isinstance(error, KilledError | LateError):
        # It was written all the same, just before.
        return Outcome.FINISHED, "", part.record
    if isinstance(error, KilledError):
        status, message = TrialStatus.ERROR, str(error)
    elif isinstance(error, LateError):
        status, message = TrialStatus.TIMEOUT, f"took longer than {cell_timeout:g} s"
    else:
        raise error
    write_failure(folder, job, status, message)
    return Outcome.FAILED, message, None


def _time(pool: WorkerPool, jobs: Sequence[Job], folder: Path, say: Say) -> None:
    """Time what isn't timed yet: one problem at a time on a host, and all of a problem on machines of one kind."""
    problems: dict[str, list[Job]] = {}
    for job in jobs:
        problems.setdefault(job.cell.problem, []).append(job)
    machines = list({str(facts["device"]): facts["device"] for facts in pool.facts.values()}.values())
    waiting = [
        problem
        for problem, some in problems.items()
        if all(missing_groups(some, folder, machine) for machine in machines)
    ]
    taken: dict[str, tuple[str, dict[str, Any]]] = {}

    def take(host: str) -> Task | None:
        if not waiting:
            return None
        problem = waiting.pop(0)
        machine = next(facts["device"] for facts in pool.facts.values() if facts["host"] == host)
        taken[problem] = host, machine
        groups = missing_groups(problems[problem], folder, machine)
        return Task(
            problem, worker.time, ([[worker.CellRequest(job.key, job.cell) for job in group] for group in groups],)
        )

    def ended(task: Task, result: Any) -> None:
        if isinstance(result, KilledError):
            write_failures(problems[task.key], folder, taken[task.key][1], str(result))
        elif isinstance(result, BaseException):
            raise result

    def began(task: Task) -> None:
        say(f"timing {len(problems[task.key])} cells of {task.key} on {taken[task.key][0]}")

    Dispatcher(
        pool,
        take,
        put_back=lambda task: waiting.insert(0, task.key),
        waits=lambda: bool(waiting),
        ended=ended,
        slots=pool.hosts,
        movable=False,
        began=began,
    ).run()
