"""What a worker does: say what it is, train a cell, time a group. Only these functions run there."""

import os
import signal
import socket
import sys
from collections.abc import Callable, Iterator, Sequence
from contextlib import contextmanager, redirect_stdout
from functools import cache, lru_cache
from hashlib import sha256
from importlib.metadata import version
from pathlib import Path
from typing import Any, NamedTuple

from distributed import get_worker

from optbench.planning.code_digest import roots
from optbench.planning.isolation import apart
from optbench.planning.jobs import Job, choose_compile_cache, pick_device, planner
from optbench.planning.registry import implementations_with
from optbench.request import Cell, RequestError
from optbench.runner.local import run_job
from optbench.runner.program_spec import preparer
from optbench.runner.time_cells import SHORT, time_group
from optbench.runner.train_cell import compile_job
from optbench.store.locations import locate
from optbench.store.manifest import PACKAGES
from optbench.store.parts import Part, part_path, read_part
from optbench.store.record import CellRecord
from optbench.store.status import Outcome
from optbench.sweep import devices


class Orders(NamedTuple):
    """What holds for all cells of a run."""

    #: Tells one run from another.
    run: str
    folder: str
    #: Where plug-ins and data files lie, as they were typed.
    current: str
    plugin_problems: tuple[str, ...]
    plugin_optimizers: tuple[str, ...]
    device: str | None
    compile_cache: bool
    force: bool


class CellRequest(NamedTuple):
    """A cell as it travels: its key says what it has to come to on the worker too."""

    key: str
    cell: Cell


def dask_setup(worker: Any) -> None:
    """Leave Ctrl-C to the run that started this worker: a terminal sends it to both. Called as a preload of dask's."""
    signal.signal(signal.SIGINT, signal.SIG_IGN)


@cache
def versions() -> dict[str, str]:
    """Return the versions that workers share with what hands out the cells, and a digest of optbench's own source."""
    digest = sha256()
    for package, folder in roots().items():
        for path in sorted(folder.rglob("*.py")):
            digest.update(f"{package}/{path.relative_to(folder)}".encode() + path.read_bytes())
    return {name: version(name) for name in PACKAGES} | {"source": digest.hexdigest()[:12]}


def describe(orders: Orders) -> dict[str, Any]:
    """Describe this worker: host, versions, device, and whether it sees the folder of the run."""
    note = choose_compile_cache(orders.compile_cache)
    return {
        "host": socket.gethostname(),
        "versions": versions(),
        "device": devices.describe(pick_device(orders.device)),
        "cache_note": note,
        "sees_folder": probe(orders).exists(),
    }


def probe(orders: Orders) -> Path:
    """Locate a file that is there while the run goes on, so that workers can tell whether they see its folder."""
    return locate(orders.folder) / f".{orders.run}.tmp"


def train(orders: Orders, request: CellRequest, topic: str) -> tuple[Outcome, str, CellRecord | None]:
    """Train a cell and write its part: outcome, message, and the record of its part."""
    _tell(topic, request.key)
    with _as_asked(orders):
        folder, device = locate(orders.folder), pick_device(orders.device)
        path = part_path(folder, request.key)
        part = None if orders.force else read_part(path)
        if isinstance(part, Part) and part.outcome == Outcome.FINISHED:
            # Another worker was given up too early, or another run was faster.
            return Outcome.FINISHED, "", part.record
        job = _job(orders, request)
        prepared, limit = _prepared(orders), _limit_bytes(device)
        outcome, message = run_job(job, lambda: compile_job(job, [device], prepared, limit), folder, [device], limit)
        part = read_part(path)
        return outcome, message, part.record if isinstance(part, Part) else None


def _limit_bytes(device: devices.Device) -> int:
    """Say how many bytes a cell may plan for: a CPU's are shared with other workers, and with more one is killed."""
    free, own = devices.memory_limit_bytes(device), get_worker().memory_manager.memory_limit
    return min(free, int(devices.USABLE * own)) if own and device.platform == "cpu" else free


def time(orders: Orders, groups: Sequence[Sequence[CellRequest]], topic: str) -> None:
    """Time a problem's cells, those that differ by their optimizer alone in turns, and write what was measured."""
    _tell(topic, groups[0][0].cell.problem)
    with _as_asked(orders):
        for group in groups:
            jobs = [_job(orders, request) for request in group]
            time_group(jobs, locate(orders.folder), pick_device(orders.device), _prepared(orders), SHORT)


def _tell(topic: str, key: str) -> None:
    worker = get_worker()
    worker.log_event(topic, [key, worker.address])


@contextmanager
def _as_asked(orders: Orders) -> Iterator[None]:
    """Look for files where they were asked for, and leave the worker as it was; what plug-ins print is no table."""
    choose_compile_cache(orders.compile_cache)
    with apart(), redirect_stdout(sys.stderr):
        if os.path.isdir(orders.current):
            os.chdir(orders.current)
        yield


class WrongWorkerError(RequestError):
    """A worker would compute something else than what was asked."""


def _job(orders: Orders, request: CellRequest) -> Job:
    job = _planner(orders)(request.cell)
    if job.key != request.key:
        names = f"{request.cell.problem} / {request.cell.optimizer}"
        raise WrongWorkerError(
            f"cluster: {names} is something else on worker {get_worker().address}: "
            "its plug-in, its data file, its XLA_FLAGS or its optbench is another one"
        )
    return job


@lru_cache(maxsize=1)
def _planner(orders: Orders) -> Callable[[Cell], Job]:
    """Keep the problems of one run: the next one's may have other files."""
    return planner(
        implementations_with(orders.plugin_problems, orders.plugin_optimizers), pick_device(orders.device).device_kind
    )


@lru_cache(maxsize=1)
def _prepared(orders: Orders) -> Callable[..., Any]:
    return preparer(pick_device(orders.device))
