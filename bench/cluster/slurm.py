"""Workers that SLURM starts, through dask-jobqueue, as a file describes them."""

import tomllib
from pathlib import Path
from typing import Annotated, Any, Literal

from pydantic import BaseModel, ConfigDict, Field, ValidationError

from bench.request import RequestError, nearest


class Slurm(BaseModel):
    """What a file for `--cluster slurm:FILE.toml` may say; each job is one worker."""

    model_config = ConfigDict(extra="forbid", frozen=True, strict=True)

    #: How many jobs are asked for.
    workers: Annotated[int, Field(ge=1)]
    #: Of each job, as sbatch's --time.
    time: str
    #: Of each job, as in "32GB".
    memory: str
    partition: str | None = None
    account: str | None = None
    #: 1: the job gets a GPU of its own, by --gres=gpu:1.
    gpus: Literal[0, 1] = 0
    cores: Annotated[int, Field(ge=1)] = 1
    #: Lines of shell that run before the worker starts.
    setup: tuple[str, ...] = Field(default=(), strict=False)
    #: Further options of sbatch, as in "--constraint=a100".
    options: tuple[str, ...] = Field(default=(), strict=False)
    #: Network interface between the jobs and the host that hands out cells.
    interface: str | None = None
    #: Python of the workers, where it isn't this one.
    python: str | None = None
    #: Folder of the jobs' output.
    logs: str | None = None


def read_slurm(path: str) -> Slurm:
    """Read a file. Raises RequestError that names all its faults."""
    try:
        values = tomllib.loads(Path(path).read_text(encoding="utf-8"))
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
    return f"{path}: {fault['msg'][0].lower()}{fault['msg'][1:]}, got {fault['input']!r}"


def start_slurm(path: str) -> Any:
    """Ask SLURM for the workers of a file: they come when their jobs start."""
    asked = read_slurm(path)
    cluster = _cluster(asked)
    cluster.scale(jobs=asked.workers)
    return cluster


def job_script(path: str) -> str:
    """Write the script that each job would be submitted with."""
    with _cluster(read_slurm(path)) as cluster:
        return cluster.job_script()


def _cluster(asked: Slurm) -> Any:
    try:
        from dask_jobqueue.slurm import SLURMCluster
    except ImportError as error:
        raise RequestError("cluster: slurm needs the extra cluster: pip install 'optbench[cluster]'") from error
    options: dict[str, Any] = {"python": asked.python} if asked.python else {}
    return SLURMCluster(
        queue=asked.partition,
        account=asked.account,
        walltime=asked.time,
        memory=asked.memory,
        job_cpu=asked.cores,
        # Threads of a worker: cells run alone on it.
        cores=1,
        processes=1,
        job_extra_directives=[*(["--gres=gpu:1"] if asked.gpus else []), *asked.options],
        job_script_prologue=list(asked.setup),
        worker_extra_args=["--resources", "GPU=1" if asked.gpus else "CPU=1"],
        interface=asked.interface,
        log_directory=asked.logs,
        scheduler_options={"dashboard": False, "dashboard_address": ":0"},
        **options,
    )
