"""Turn a request into jobs: cells with their problem, budget and key, checked before any work."""

import dataclasses
import os
import re
from collections.abc import Callable
from hashlib import sha256
from importlib.metadata import version
from math import ceil
from pathlib import Path
from typing import Any, NamedTuple

from bench.apart import apart
from bench.catalogue import Known, known, known_with, make_problem, plugin_file, source_file
from bench.measure import devices
from bench.request import Cell, RequestError, Suite, canonical, expand, load_suite, override
from bench.store import cell_key
from bench.store.places import place
from problems.data_files import files_of
from problems.problem import Problem


class Job(NamedTuple):
    """A cell with what it needs to run; `problem` is the error where a plug-in failed to make one."""

    cell: Cell
    key: str
    problem: Problem | Exception
    known: Known
    steps: int
    record_every: int

    @property
    def num_trials(self) -> int:
        return self.cell.num_points * self.cell.seeds + self.cell.report_seeds


def resolve_suite(suite: str | Suite | None, **overrides: Any) -> Suite:
    """Load a suite and apply what is asked on top of it.

    None stands for `quick`, or for its problems or optimizers alone where the others are given: then every other word
    has its default.
    """
    if suite is None:
        quick = load_suite("quick")
        named = bool(overrides.get("problems") or overrides.get("optimizers"))
        suite = Suite(problems=quick.problems, optimizers=quick.optimizers) if named else quick
    if isinstance(suite, str):
        # With the catalogue, unknown names are told together with all other faults of a file.
        suite = load_suite(suite, known().catalogue())
    return override(suite, **overrides)


def run_name(suite: str | Suite | None, asked: Suite) -> str:
    """Name a run's folder: the suite as packaged keeps its name, anything else gets a digest of what it asks for."""
    packaged = "quick" if suite is None else suite
    if isinstance(packaged, str) and load_suite(packaged) == asked:
        return asked.name
    return f"{asked.name}-{sha256(asked.model_dump_json().encode()).hexdigest()[:6]}"


def run_place(results: str | Path, name: str | None, suite: str | Suite | None, asked: Suite) -> Path:
    """Locate a run's folder. Raises RequestError for a name that isn't one."""
    if name is None:
        return place(results) / run_name(suite, asked)
    if not re.fullmatch(r"\w[\w.+=-]*", name) or name == "latest":
        raise RequestError(f"name {name!r} is not accepted; accepted: letters, digits and . _ + = -, but not 'latest'")
    return place(results) / name


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
    everything = known(asked)
    cells = expand(asked, *everything.catalogue())
    built: dict[str, Problem | Exception] = {}
    jobs: dict[str, Job] = {}
    for cell in cells:
        if cell.problem not in built:
            built[cell.problem] = _build_problem(cell, everything)
        job = _job(cell, built[cell.problem], everything, kind, reshape)
        jobs.setdefault(job.key, job)
    return list(jobs.values())


def job_of(cell: Cell, kind: str, built: dict[str, Problem | Exception]) -> Job:
    """Make the job of a cell that `plan_jobs` settled elsewhere; `built` are the problems that were built before."""
    everything = known_with([cell.problem_name], [cell.optimizer_name])
    if cell.problem not in built:
        built[cell.problem] = _build_problem(cell, everything)
    return _job(cell, built[cell.problem], everything, kind, lambda same: same)


def _build_problem(cell: Cell, everything: Known) -> Problem | Exception:
    try:
        with apart():
            return make_problem(cell.problem_name, everything.problems[cell.problem_name], cell.problem_parameters)
    except RequestError:
        raise
    except Exception as error:
        return error


def _job(
    cell: Cell,
    problem: Problem | Exception,
    everything: Known,
    kind: str,
    reshape: Callable[[Cell], Cell],
) -> Job:
    steps, record_every = cell.steps or 1, cell.record_every or 1
    if isinstance(problem, Problem):
        cell = dataclasses.replace(cell, batch_size=_batch_size(cell, problem))
        steps = _steps(cell, problem)
        record_every = min(cell.record_every or ceil(steps / (cell.records or 1)), steps)
        cell = dataclasses.replace(cell, steps=steps, epochs=None, records=None, record_every=record_every)
        if cell.dtype == "bfloat16" and not problem.mixed_precision:
            raise RequestError(f"{cell.problem}: dtype 'bfloat16' is not accepted; accepted: float32, float64")
    cell = reshape(cell)
    factory = everything.problems[cell.problem_name]
    optimizer = everything.optimizers[cell.optimizer_name]
    sources = {*cell_key.engine_sources()}
    if file := source_file(factory):
        sources |= {*cell_key.problem_sources(file)}
    if ":" in cell.problem_name and (file := plugin_file(cell.problem_name)):
        # Beside the factory's own file: a plug-in may be a partial of something else's.
        sources |= {*cell_key.problem_sources(file)}
    if ":" in cell.optimizer_name:
        sources |= {file for file in (plugin_file(cell.optimizer_name), source_file(optimizer.build)) if file}
    given = [Path(os.path.expanduser(value)) for value in cell.problem_parameters.values() if isinstance(value, str)]
    sources |= {file for path in given for file in files_of(path)}
    environment = {package: version(package) for package in ("jax", "jaxlib", "optax", "flax")}
    if cell.num_asked:
        sources.add(cell_key.ROOT / "bench" / "search.py")
        environment["optuna"] = version("optuna")
    # Not how many devices share the points out: on one or on several, curves are equal up to rounding.
    environment |= {"device": kind}
    key = cell_key.cell_key(canonical(cell), sources, environment)
    return Job(cell, key, problem, everything, steps, record_every)


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


def _steps(cell: Cell, problem: Problem) -> int:
    if cell.epochs is None:
        return cell.steps or problem.steps
    if problem.sample is not None:
        raise RequestError(f"{cell.problem}: a stream has no epochs; accepted: --steps")
    per_epoch = 1 if cell.batch_size == "full" else problem.num_rows // int(cell.batch_size or 1)
    return max(1, round(cell.epochs * per_epoch))
