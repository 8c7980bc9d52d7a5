"""Turn a request into jobs: cells with their problem, budget and key, checked before any work."""

import dataclasses
import re
from collections.abc import Callable, Mapping, Sequence
from hashlib import sha256
from math import ceil
from pathlib import Path
from typing import Any, NamedTuple

from optbench import problems
from optbench.errors import check_name, nearest, quote
from optbench.optimizers import catalogue
from optbench.planning.cell_key import keyer
from optbench.planning.in_process import as_specs
from optbench.planning.problem_cache import Make, maker
from optbench.planning.registry import Implementations, implementations
from optbench.problems.problem import Problem
from optbench.request import Cell, RequestError, Suite, expand, load_suite, override, plain
from optbench.store import manifest
from optbench.store.locations import locate
from optbench.sweep import devices
from optbench.sweep.criteria import CRITERIA, criteria_of
from optbench.sweep.probes import PROBES


class Job(NamedTuple):
    """A cell with what it needs to run."""

    cell: Cell
    key: str
    #: Makes the problem of a cell; the last few are kept.
    make: Make
    known: Implementations
    steps: int
    record_every: int

    @property
    def problem(self) -> Problem | Exception:
        """The cell's problem, or the error where it can't be made; made when it is asked for, so hold on to it."""
        return self.make(self.cell)

    @property
    def names(self) -> dict[str, Any]:
        """Return what a manifest says of the cell: key, problem, optimizer, batch size."""
        cell = self.cell
        return {"key": self.key, "problem": cell.problem, "optimizer": cell.optimizer, "batch_size": cell.batch_size}

    @property
    def num_trials(self) -> int:
        cell = self.cell
        chosen = cell.num_points * cell.seeds * cell.select_studies
        return chosen + cell.report_seeds * max(len(cell.select_by), 1)


def resolve_suite(suite: str | Suite | None, **overrides: Any) -> Suite:
    """Load a suite and apply what is asked on top of it. Raises RequestError for what can't be asked.

    None stands for `quick`, or for its problems or optimizers alone where the others are given: then every other word
    has its default. Optimizers and problems may be functions.
    """
    overrides = plain(overrides)
    for noun, known in (("optimizers", catalogue), ("problems", problems.families)):
        if overrides.get(noun) is not None:
            overrides[noun] = as_specs(overrides[noun], noun, lambda name, known=known: name in known())
    if suite is None:
        quick = load_suite("quick")
        is_partial = bool(overrides.get("problems") or overrides.get("optimizers"))
        suite = Suite(problems=quick.problems, optimizers=quick.optimizers) if is_partial else quick
    if isinstance(suite, str):
        # With the catalogue, unknown names are told together with all other faults of a file.
        suite = load_suite(suite, implementations().catalogue())
    request = override(suite, **overrides)
    _check_probes(request)
    for name in request.select_by:
        check_name(name, CRITERIA, "select_by")
    return request


def _check_probes(asked: Suite) -> None:
    for name in asked.probes:
        if name not in PROBES:
            raise RequestError(f"probes: unknown probe {quote(name)}{nearest(name, PROBES)}")
        if PROBES[name].when == "end" and not asked.report_seeds:
            raise RequestError(
                f"probes: {name} is measured of the report seeds, and report_seeds is 0; accepted: 1 or more of them"
            )


def run_name(suite: str | Suite | None, asked: Suite) -> str:
    """Name a run's folder: the suite as packaged keeps its name, anything else gets a digest of what it asks for."""
    packaged = "quick" if suite is None else suite
    if isinstance(packaged, str) and load_suite(packaged) == asked:
        return asked.name
    return f"{asked.name}-{sha256(asked.model_dump_json().encode()).hexdigest()[:6]}"


def run_place(results: str | Path, name: str | None, suite: str | Suite | None, asked: Suite) -> Path:
    """Locate a run's folder. Raises RequestError for a name that isn't one."""
    if name is None:
        return locate(results) / run_name(suite, asked)
    if not re.fullmatch(r"\w[\w.+=-]*", name) or name == "latest":
        raise RequestError(f"name {name!r} is not accepted; accepted: letters, digits and . _ + = -, but not 'latest'")
    return locate(results) / name


def pick_device(kind: str | None) -> devices.Device:
    """Return the device to run on. Raises RequestError where it isn't there."""
    return pick_devices(kind, 1)[0]


def pick_devices(kind: str | None, num: int) -> tuple[devices.Device, ...]:
    """Return the devices that share points out. Raises RequestError where there are fewer."""
    try:
        return devices.pick_several(kind, num)
    except ValueError as error:
        raise RequestError(str(error)) from error


def choose_compile_cache(wanted: bool) -> str | None:
    """Turn the compilation cache on or off; return why it is off, where it is."""
    try:
        return devices.use_compile_cache() if wanted else devices.refuse_compile_cache()
    except RuntimeError as error:
        # A user without a home, as in some containers.
        return f"compilation cache is off: {error}"


def plan_jobs(asked: Suite, kind: str, reshape: Callable[[Cell], Cell] = lambda cell: cell) -> list[Job]:
    """Expand a suite into jobs for a kind of device; every fault that can be known before any work is raised here.

    `reshape` may give a cell, whose batch size and steps are known by then, other points.
    """
    everything = implementations(asked)
    job_of = planner(everything, kind, reshape)
    jobs: dict[str, Job] = {}
    for cell in expand(asked, *everything.catalogue()):
        job = job_of(cell)
        jobs.setdefault(job.key, job)
    return list(jobs.values())


def planner(
    everything: Implementations, kind: str, reshape: Callable[[Cell], Cell] = lambda cell: cell
) -> Callable[[Cell], Job]:
    """Return what makes a cell's job; one that was settled before stays as it is."""
    make, key = maker(everything), keyer(everything, kind)

    def job_of(cell: Cell) -> Job:
        problem, steps, record_every = make(cell), cell.steps or 1, cell.record_every or 1
        if isinstance(problem, RequestError):
            raise problem
        if isinstance(problem, Problem):
            cell = _settle(cell, problem)
            steps, record_every = cell.steps or 1, cell.record_every or 1
        cell = reshape(cell)
        return Job(cell, key(cell), make, everything, steps, record_every)

    return job_of


def _settle(cell: Cell, problem: Problem) -> Cell:
    """Give a cell the batch size and numbers of steps that its problem leaves or makes of what is asked."""
    batch_size = _batch_size(cell, problem)
    steps = _steps(cell, batch_size, problem)
    record_every = min(cell.record_every or ceil(steps / (cell.records or 1)), steps)
    if cell.dtype == "bfloat16" and not problem.mixed_precision:
        raise RequestError(f"{cell.problem}: dtype 'bfloat16' is not accepted; accepted: float32, float64")
    budget = {"steps": steps, "epochs": None, "records": None, "record_every": record_every}
    budget["select_by"] = criteria_of(cell.select_by, problem, cell.num_points > 1)
    return dataclasses.replace(cell, batch_size=batch_size, **budget)


def _batch_size(cell: Cell, problem: Problem) -> Any:
    """Settle a cell's batch size; where there is no data, every batch is the whole problem."""
    if problem.sample is None and problem.train is None:
        return "full"
    size = cell.batch_size or problem.batch_size
    if problem.sample is not None and size == "full":
        raise RequestError(f"{cell.problem}: a stream has no end, so batch size 'full' is not accepted; accepted: >= 1")
    if size != "full" and problem.sample is None and size > problem.num_rows:
        raise RequestError(f"{cell.problem}: batch size {size} is larger than its {problem.num_rows} training rows")
    return size


def _steps(cell: Cell, batch_size: Any, problem: Problem) -> int:
    if cell.epochs is None:
        return cell.steps or problem.steps
    if problem.sample is not None:
        raise RequestError(f"{cell.problem}: a stream has no epochs; accepted: --steps")
    per_epoch = 1 if batch_size == "full" else problem.num_rows // int(batch_size or 1)
    return max(1, round(cell.epochs * per_epoch))


def describe_run(
    asked: Suite, jobs: Sequence[Job], device: Mapping[str, Any], cache_note: str | None
) -> dict[str, Any]:
    """Return the manifest of a run of these jobs that begins now on a device."""
    return manifest.describe(asked.model_dump(mode="json"), [job.names for job in jobs], device, cache_note)
