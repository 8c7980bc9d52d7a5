"""A cluster as a user has it: a scheduler and two workers, each a process, on this machine."""

import os
import subprocess
import sys
import time
from collections.abc import Callable, Iterator, Sequence
from typing import Any, NamedTuple

import psutil
import pytest
from distributed import Client


class Cluster(NamedTuple):
    address: str
    processes: list[subprocess.Popen]

    def worker_processes(self) -> list[psutil.Process]:
        """List the processes that train: those that the workers' nannies started."""
        children = [child for process in self.processes[1:] for child in psutil.Process(process.pid).children()]
        return [child for child in children if "spawn_main" in " ".join(child.cmdline())]

    def signal_all(self, number: int) -> None:
        """Send a signal to every process that trains."""
        for process in self.worker_processes():
            process.send_signal(number)


def dask(kind: str, *words: str, env: dict[str, str] | None = None) -> subprocess.Popen:
    """Start `dask scheduler` or `dask worker`."""
    command = [sys.executable, "-m", f"distributed.cli.dask_{kind}", *words, "--no-dashboard"]
    quiet = {"stdout": subprocess.DEVNULL, "stderr": subprocess.DEVNULL}
    return subprocess.Popen(command, env=os.environ | (env or {}), **quiet)


def start_scheduler(port: int, *words: str, env: dict[str, str] | None = None) -> subprocess.Popen:
    """Start a scheduler on a port of this machine alone."""
    return dask("scheduler", "--host", "127.0.0.1", "--port", str(port), "--dashboard-address", ":0", *words, env=env)


def start_worker(address: str, *words: str, env: dict[str, str] | None = None) -> subprocess.Popen:
    """Start a worker as the README does."""
    return dask("worker", address, "--nthreads", "1", "--resources", "CPU=1", *words, env=env)


def free_port() -> int:
    """Find a port that nobody listens to."""
    import socket

    with socket.socket() as probe:
        probe.bind(("127.0.0.1", 0))
        return probe.getsockname()[1]


def end(processes: Sequence[subprocess.Popen]) -> None:
    """End processes and what they started."""
    for process in processes:
        if process.poll() is None:
            for child in psutil.Process(process.pid).children(recursive=True):
                child.kill()
            process.kill()
        process.wait()


def wait_until(holds: Callable[[], Any], seconds: float = 60) -> Any:
    """Wait until something holds, and return it."""
    until = time.monotonic() + seconds
    while time.monotonic() < until:
        if found := holds():
            return found
        time.sleep(0.05)
    raise AssertionError("it never held")


@pytest.fixture(scope="module")
def cluster() -> Iterator[Cluster]:
    """Start a scheduler and two workers that the tests of a file share, some of which kill workers.

    No longer than that, since idle they take a sixth of a core. As patient as dask is: on a busy machine a worker may
    be heard of late.
    """
    port = free_port()
    address = f"tcp://127.0.0.1:{port}"
    started = [start_scheduler(port), start_worker(address), start_worker(address)]
    yield Cluster(address, started)
    end(started)


@pytest.fixture
def started() -> Iterator[list[subprocess.Popen]]:
    """Gather processes that are ended with the test."""
    processes: list[subprocess.Popen] = []
    yield processes
    end(processes)


@pytest.fixture
def join(started) -> Callable[..., None]:
    """Start a worker and wait until there are so many: join(address, number, *words, env=...)."""

    def start(address: str, number: int, *words: str, env: dict[str, str] | None = None) -> None:
        started.append(start_worker(address, *words, env=env))
        with Client(address, set_as_default=False) as client:
            client.wait_for_workers(number, timeout=60)

    return start


@pytest.fixture
def replace_workers(started) -> Callable[[str], None]:
    """Return what ends all workers of one's own cluster for good, and starts another."""

    def replace(address: str) -> None:
        end(started[1:])
        started.append(start_worker(address))

    return replace


@pytest.fixture
def own_cluster(started) -> Callable[..., Cluster]:
    """Start a scheduler and workers for one test: own_cluster(number of workers, port, **settings of dask)."""

    def start(num_workers: int, port: int = 0, **settings: str) -> Cluster:
        env = {f"DASK_DISTRIBUTED__{name.upper()}": value for name, value in settings.items()}
        port = port or free_port()
        address = f"tcp://127.0.0.1:{port}"
        started.append(start_scheduler(port, env=env))
        started.extend(start_worker(address, env=env) for _ in range(num_workers))
        return Cluster(address, started)

    return start


class Watch:
    """Take note of what happens to cells, and do something at the first start of some."""

    def __init__(self, act: Callable[[], None] | None = None, at: int = 1) -> None:
        self.seen: list[Any] = []
        self._act, self._at = act, at

    def __call__(self, progress: Any) -> None:
        self.seen.append(progress)
        if self._act and self.count("started") == self._at:
            act, self._act = self._act, None
            act()

    def count(self, outcome: str) -> int:
        return sum(progress.outcome == outcome for progress in self.seen)

    def outcomes(self) -> list[tuple[str, str, str]]:
        """List how cells ended, by optimizer."""
        return sorted(
            (one.job.cell.optimizer.rpartition("/")[2], one.outcome, one.message)
            for one in self.seen
            if one.outcome != "started"
        )


@pytest.fixture
def watch() -> Callable[..., Watch]:
    """Return what takes note of progress."""
    return Watch


@pytest.fixture
def plug(tmp_path) -> Callable[[str, str], str]:
    """Write a plug-in optimizer whose `make` begins with some lines: plug(name, lines) -> what names it."""

    def write(name: str, lines: str) -> str:
        body = "\n".join(f"    {line}" for line in lines.splitlines())
        code = "import os, signal, time\nfrom pathlib import Path\nimport optax\n\nHERE = Path(__file__).parent\n\n\n"
        (tmp_path / f"{name}.py").write_text(
            f"{code}def make(learning_rate):\n{body}\n    return optax.sgd(learning_rate)\n"
        )
        return f"{tmp_path / name}.py:make"

    return write
