"""Where workers are: on this machine, at a scheduler's address, or behind SLURM."""

import logging
import os
import shutil
import subprocess
from collections.abc import Callable, Iterator, Sequence
from contextlib import contextmanager, suppress
from importlib.util import find_spec
from itertools import takewhile
from typing import Any

import dask.config
import distributed
from distributed.system import MEMORY_LIMIT
from distributed.utils import silence_logging_cmgr

from optbench.request import RequestError, nearest
from optbench.store.parallel import no_main

#: Settings of schedulers and workers that are started here; a user's own dask configuration goes before them.
DEFAULTS = {
    "distributed": {
        "scheduler": {
            # A cell that killed so many workers is not given to a third one more.
            "allowed-failures": 2,
            # A worker that says nothing for so long is given up. Tracing holds Python's lock for a second at most.
            "worker-ttl": "60s",
        },
        # Nothing is kept on workers that could be spilled; what a cell allocates can't be. At 95 % a worker is killed.
        "worker": {"memory": {"target": False, "spill": False, "pause": False}},
    }
}
ACCEPTED = ("local:N", "tcp://host:port", "tls://host:port", "slurm:FILE.toml")
#: Seconds to find a scheduler in.
CONNECT_SECONDS = 10

Connect = Callable[[], distributed.Client]


@contextmanager
def open_cluster(text: str, device: str | None) -> Iterator[Connect]:
    """Start what `text` asks for: local:N, tcp://host:port, tls://host:port, slurm:FILE.toml. Yields how to connect.

    Raises RequestError for anything else, and where there is no scheduler.
    """
    dask.config.update_defaults(DEFAULTS)
    # What it warns of is told by the run, in its own words.
    with silence_logging_cmgr(logging.CRITICAL), no_main(), _open(text, device) as new_client:
        yield new_client


@contextmanager
def _open(text: str, device: str | None) -> Iterator[Connect]:
    kind, _, rest = text.partition(":")
    if kind in ("tcp", "tls") and rest.startswith("//"):
        yield lambda: _connect(text)
        return
    if kind == "local" and rest:
        cluster = _start_local(_whole(rest), device)
    elif kind == "slurm" and rest:
        cluster = _start_slurm(rest, device)
    else:
        raise RequestError(f"cluster: {text!r} is not accepted{nearest(text, ACCEPTED)}")
    try:
        yield lambda: distributed.Client(cluster, set_as_default=False)
    finally:
        # What goes wrong while it ends is no news: its pipes break where its processes were ended too.
        with suppress(Exception):
            cluster.close(timeout=10)


def _connect(address: str) -> distributed.Client:
    security = _security(address) if address.startswith("tls:") else None
    try:
        return distributed.Client(address, security=security, timeout=CONNECT_SECONDS, set_as_default=False)
    except ValueError as error:
        kind = address.partition(":")[0]
        raise RequestError(f"cluster: {address!r} is not accepted; accepted: {kind}://host:port") from error
    except OSError as error:
        raise RequestError(f"cluster: no scheduler at {address}: {_reason(error)}") from error


def _security(address: str) -> distributed.Security:
    """Find the certificates in dask's settings. Raises RequestError where there are none."""
    security = distributed.Security()
    prefix = "DASK_DISTRIBUTED__COMM__TLS__"
    if not security.tls_ca_file or not security.tls_client_cert:
        raise RequestError(
            f"cluster: {address} needs certificates: set {prefix}CA_FILE, {prefix}CLIENT__CERT and {prefix}CLIENT__KEY"
        )
    try:
        security.get_connection_args("client")
    except (OSError, ValueError) as error:
        files = ", ".join(filter(None, (security.tls_ca_file, security.tls_client_cert, security.tls_client_key)))
        raise RequestError(f"cluster: {address} needs certificates: {files}: {_reason(error)}") from error
    return security


def _reason(error: BaseException) -> str:
    """Say in one line what was at the bottom of it."""
    while error.__cause__ and str(error.__cause__).strip():
        error = error.__cause__
    # dask shows an object before it.
    return (str(error).strip().splitlines() or [type(error).__name__])[0].rpartition(">: ")[2]


def _start_slurm(path: str, device: str | None) -> distributed.SpecCluster:
    try:
        from optbench.runner.cluster.slurm import start_slurm
    except ModuleNotFoundError as error:
        raise RequestError("cluster needs the extra cluster: pip install 'optbench[cluster]'") from error
    return start_slurm(path, device)


def _start_local(num_workers: int, device: str | None) -> distributed.SpecCluster:
    """Start workers on this machine, each a process with one thread; on one with GPUs each has one of its own."""
    gpus = [] if device == "cpu" else gpu_ids()
    if gpus and num_workers > len(gpus):
        raise RequestError(f"cluster: local:{num_workers} is not accepted; accepted: up to {len(gpus)}, one a GPU")
    if device == "gpu" and not gpus:
        raise RequestError("device 'gpu' is not here; accepted: cpu")
    scheduler = {
        "cls": distributed.Scheduler,
        "options": {"host": "127.0.0.1", "port": 0, "dashboard": False, "dashboard_address": "127.0.0.1:0"},
    }
    # What a run that is ended at once leaves behind is cleared away, which is worth no words.
    os.environ.setdefault("PYTHONWARNINGS", "ignore:resource_tracker")
    # dask would leave one thread to the linear algebra of numpy, whose last digits depend on it.
    with dask.config.set({"distributed.nanny.pre-spawn-environ": {}}):
        return distributed.SpecCluster(workers=local_workers(num_workers, gpus), scheduler=scheduler)


def local_workers(num_workers: int, gpus: Sequence[str]) -> dict[int, dict[str, Any]]:
    """Describe workers to dask: each sees a GPU of its own, where there are any."""
    options = {
        "nthreads": 1,
        "resources": {"GPU" if gpus else "CPU": 1},
        "memory_limit": MEMORY_LIMIT // num_workers,
        "host": "127.0.0.1",
        "dashboard": False,
        "silence_logs": logging.CRITICAL,
        "preload": ["optbench.runner.cluster.worker"],
    }
    seen = [{"env": {"CUDA_VISIBLE_DEVICES": gpu}} for gpu in gpus] or [{}] * num_workers
    return {number: {"cls": distributed.Nanny, "options": options | seen[number]} for number in range(num_workers)}


def gpu_ids() -> list[str]:
    """Name the GPUs that jax could use here, without touching them: a process that does takes their memory."""
    if not any(find_spec(name) for name in ("jax_cuda12_plugin", "jax_cuda13_plugin")):
        return []
    platforms = os.environ.get("JAX_PLATFORMS")
    if platforms and not {"cuda", "gpu"} & {*platforms.split(",")}:
        return []
    if not (program := shutil.which("nvidia-smi")):
        return []
    if (visible := os.environ.get("CUDA_VISIBLE_DEVICES")) is not None:
        names = [name.strip() for name in visible.split(",")]
        # Up to the first that is none, as CUDA reads it.
        return list(takewhile(lambda name: name and not name.startswith("-"), names))
    listed = subprocess.run([program, "--list-gpus"], capture_output=True, text=True, check=False).stdout
    # Beside GPUs it lists their slices, and says there what went wrong.
    return [str(number) for number, _ in enumerate(line for line in listed.splitlines() if line.startswith("GPU "))]


def _whole(text: str) -> int:
    if not text.isdecimal() or not 1 <= int(text) <= 1024:
        raise RequestError(f"cluster: local:{text} is not accepted; accepted: local:1 to local:1024")
    return int(text)
