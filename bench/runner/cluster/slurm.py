"""Workers that SLURM starts, through dask-jobqueue, as a file describes them."""

import shlex
import signal
import sys
import tomllib
import warnings
from contextlib import suppress
from pathlib import Path
from typing import Annotated, Any, Literal, cast

import psutil
from distributed.deploy.spec import ProcessInterface
from pydantic import BaseModel, ConfigDict, Field, ValidationError
from tornado.ioloop import PeriodicCallback

from optbench.request import RequestError, nearest

#: dask-jobqueue takes Ctrl-C for itself as it is imported.
INTERRUPT = signal.getsignal(signal.SIGINT)
from dask_jobqueue.slurm import SLURMCluster, SLURMJob  # noqa: E402

signal.signal(signal.SIGINT, INTERRUPT)

#: How often jobs that ended, as at their time limit, are asked for anew.
RENEW_SECONDS = 10.0

Text = Annotated[str, Field(min_length=1)]


class Slurm(BaseModel):
    """What a file for `--cluster slurm:FILE.toml` may say; each job is one worker."""

    model_config = ConfigDict(extra="forbid", frozen=True, strict=True)

    #: How many jobs there shall be; those that end before the run does are asked for anew.
    workers: Annotated[int, Field(ge=1, le=1024)]
    #: Of each job, as sbatch's --time: a cell has to fit.
    time: Annotated[str, Field(pattern=r"^(\d+-\d+|\d+)(:\d+){0,2}$")]
    #: Of each job, as in "32GB".
    memory: Annotated[str, Field(pattern=r"^[1-9]\d*(\.\d+)? ?[KMGT](i?B)?$")]
    partition: Text | None = None
    account: Text | None = None
    #: 1: the job gets a GPU of its own, by --gres=gpu:1.
    gpus: Literal[0, 1] = 0
    #: Cores of each job, whose worker trains one cell at a time on all of them.
    cores: Annotated[int, Field(ge=1)] = 1
    #: Lines of shell that run before the worker starts, as in "module load cuda".
    setup: tuple[str, ...] = Field(default=(), strict=False)
    #: Further options of sbatch, as in "--constraint=a100".
    options: tuple[Annotated[str, Field(pattern="^-")], ...] = Field(default=(), strict=False)
    #: Network interface between the jobs and the host that hands out cells; that host listens on all where not given.
    interface: Text | None = None
    #: Command of the workers' Python, where it isn't this one.
    python: Text | None = None
    #: Folder of the jobs' output; SLURM's own choice where not given.
    logs: Text | None = None


#: What a text has to look like.
ACCEPTED = {
    "time": "minutes, or as in 12:00:00 and 1-12:00:00",
    "memory": "as in 32GB",
    "options": "options of sbatch, as in --constraint=a100",
}


def read_slurm(path: str) -> Slurm:
    """Read a file. Raises RequestError that names all its faults."""
    try:
        values = tomllib.loads(Path(path).expanduser().read_text(encoding="utf-8"))
        return Slurm.model_validate(values)
    except OSError as error:
        raise RequestError(f"cluster: slurm file {path!r}: {error.strerror or 'cannot be read'}") from None
    except ValidationError as error:
        faults = "; ".join(_fault(fault) for fault in error.errors(include_url=False))
        raise RequestError(f"cluster: slurm file {path!r}: {faults}") from None
    except (ValueError, RecursionError) as error:
        said = " ".join(str(error).split())
        raise RequestError(f"cluster: slurm file {path!r} is not valid TOML: {said}") from None


def _fault(fault: Any) -> str:
    path = ".".join(map(str, fault["loc"]))
    if fault["type"] == "extra_forbidden":
        return f"{path}: unknown key{nearest(path, Slurm.model_fields)}"
    if fault["type"] == "missing":
        return f"{path}: is missing"
    if fault["type"] == "string_pattern_mismatch":
        return f"{path}: {fault['input']!r} is not accepted; accepted: {ACCEPTED[fault['loc'][0]]}"
    return f"{path}: {fault['msg'][0].lower()}{fault['msg'][1:]}, got {fault['input']!r}"


def start_slurm(path: str, device: str | None) -> Any:
    """Ask SLURM for the workers of a file: they come when their jobs start. Raises RequestError where it refuses."""
    asked = read_slurm(path)
    if device and (device == "gpu") != bool(asked.gpus):
        raise RequestError(f"device {device!r} is not accepted with gpus = {asked.gpus} in slurm file {path!r}")
    if asked.interface and asked.interface not in (here := psutil.net_if_addrs()):
        raise RequestError(f"cluster: interface {asked.interface!r} is not here{nearest(asked.interface, here)}")
    _make_logs(asked)
    with warnings.catch_warnings():
        # Of the address it takes where the host has no route to elsewhere.
        warnings.simplefilter("ignore")
        cluster = SLURMCluster(
            # A class is expected, whatever it says.
            job_cls=cast(Any, Job),
            # Whoever reaches its HTTP server could look on.
            scheduler_options={"dashboard": False, "dashboard_address": "127.0.0.1:0"},
            **_job_options(asked),
        )
    try:
        _submit(cluster, asked.workers)
    except BaseException:
        with suppress(Exception):
            cluster.close(timeout=10)
        raise
    return cluster


def job_script(path: str) -> str:
    """Write the script that each job would be submitted with."""
    asked = read_slurm(path)
    return SLURMJob("tcp://SCHEDULER:PORT", name="WORKER", **_job_options(asked)).job_script()


def _make_logs(asked: Slurm) -> None:
    try:
        if asked.logs:
            Path(asked.logs).mkdir(parents=True, exist_ok=True)
    except OSError as error:
        raise RequestError(f"cluster: logs {asked.logs!r}: {error.strerror}") from error


def _job_options(asked: Slurm) -> dict[str, Any]:
    """Say in dask-jobqueue's words what each job is."""
    # Numbers of numpy's linear algebra depend on it in their last digits, and dask would leave it one thread.
    threads = " ".join(f"{name}_NUM_THREADS={asked.cores}" for name in ("OMP", "MKL", "OPENBLAS"))
    output = [f"--output={shlex.quote(f'{asked.logs}/%x-%j.txt')}"] if asked.logs else []
    return {
        "job_name": "optbench",
        "queue": asked.partition,
        "account": asked.account,
        "walltime": asked.time,
        "memory": asked.memory,
        "job_cpu": asked.cores,
        # Threads of a worker: cells run alone on it.
        "cores": 1,
        "processes": 1,
        "job_extra_directives": [*(["--gres=gpu:1"] if asked.gpus else []), *output, *asked.options],
        "job_script_prologue": [f"export {threads}", *asked.setup],
        "worker_extra_args": ["--resources", "GPU=1" if asked.gpus else "CPU=1", "--no-dashboard"],
        "interface": asked.interface,
        "python": asked.python or shlex.quote(sys.executable),
    }


class Job(SLURMJob):
    """A job that keeps why SLURM refuses it: dask tells nobody, and can't close after it."""

    #: What sbatch said; empty where it took the job.
    refused = ""

    async def start(self) -> None:
        """Submit it."""
        try:
            await super().start()
        except (OSError, RuntimeError, ValueError) as error:
            said = str(error)
            self.refused = " ".join((said.partition("stderr:\n")[2] or said).split())
            await ProcessInterface.start(self)

    async def close(self) -> None:
        """Cancel it."""
        with suppress(OSError):
            await super().close()
        await ProcessInterface.close(self)


def _submit(cluster: Any, num_jobs: int) -> None:
    """Submit jobs, and from now on those that ended once more. Raises RequestError where not one is taken."""
    for _ in range(num_jobs):
        cluster.worker_spec.update(cluster.new_worker_spec())
    # What `scale` does too, but later.
    cluster.sync(cluster._correct_state)
    refused = [job.refused for job in cluster.workers.values() if job.refused]
    if len(refused) == num_jobs:
        raise RequestError(f"cluster: SLURM takes no job: {refused[0]}")

    async def renew() -> None:
        # There may have been too many of one user.
        for name in [name for name, job in cluster.workers.items() if job.refused]:
            del cluster.workers[name]
        await cluster._correct_state()

    # Stopped when the cluster closes.
    cluster.periodic_callbacks["renew"] = PeriodicCallback(renew, 1000 * RENEW_SECONDS)
    cluster.loop.add_callback(cluster.periodic_callbacks["renew"].start)
