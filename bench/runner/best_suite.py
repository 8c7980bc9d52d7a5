"""The winners of a tuned run as a suite: TOML that `optbench run` takes."""

import json
from collections.abc import Iterable, Mapping, Sequence
from pathlib import Path
from typing import Any

from optbench import errors
from optbench.planning.jobs import Job
from optbench.request import RequestError, format_spec, format_value
from optbench.store.locations import write_file
from optbench.store.runs import check_writable


def check_output(path: Path, jobs: Sequence[Job]) -> None:
    """Refuse what can't become a suite, or can't be written, before any work."""
    if path.suffix != ".toml":
        raise RequestError(f"output: {str(path)!r} is not accepted; accepted: a file that ends in .toml")
    problems = list(dict.fromkeys(job.cell.problem for job in jobs))
    if len(problems) > 1:
        raise RequestError(
            f"output: best settings are of one problem, and {len(problems)} are asked for "
            f"({', '.join(problems[:3])}{', ...' if len(problems) > 3 else ''}); accepted: one -p"
        )
    if path.expanduser().is_dir():
        raise errors.StoreError(f"can't write {path}: Is a directory")
    check_writable(path.parent)


def write_suite(path: Path, jobs: Sequence[Job], best: Mapping[str, Mapping[str, Any]], description: str) -> None:
    """Write the best settings, by job key, in one move."""
    write_file(path, suite_text(path.stem, description, jobs, best).encode())


def suite_text(name: str, description: str, jobs: Sequence[Job], best: Mapping[str, Mapping[str, Any]]) -> str:
    """Write the suite whose run reports the settings that were chosen over all studies, at the same report seeds.

    Of a single study that is what the tuned run reported.
    """
    cell = jobs[0].cell
    words = {"name": name, "description": description}
    spec = spec_of(cell.problem, cell.problem_name, cell.problem_parameters)
    steps = {job.cell.batch_size: job.cell.steps for job in jobs}
    tasks = [{"spec": spec, "batch_size": str(size), "steps": number} for size, number in steps.items()]
    budget = {"seeds": cell.seeds, "report_seeds": cell.report_seeds, "record_every": cell.record_every}
    budget |= {"dtype": cell.dtype, "decay": cell.decay, "seed": cell.seed}
    if cell.probes:
        budget |= {"probes": ",".join(cell.probes)}
    inline = ", ".join(f"{{ {', '.join(_lines(task))} }}" for task in tasks)
    lines = [*_lines(words), f"problems = [{inline}]", *_lines(budget)]
    for job in jobs:
        if job.key in best:
            # Each batch size has settings of its own.
            size = {"batch_size": str(job.cell.batch_size)} if len(tasks) > 1 else {}
            lines += ["", "[[optimizers]]", *_lines(entry_of(job, best[job.key]) | size)]
    return "\n".join(lines) + "\n"


def entry_of(job: Job, settings: Mapping[str, Any]) -> dict[str, Any]:
    """Return an optimizer with some settings, as a suite has it."""
    apart = {name: settings[name] for name in ("learning_rate", "weight_decay")}
    own = {name: value for name, value in settings.items() if name not in (*apart, "schedule")}
    spec = spec_of(job.cell.optimizer, job.cell.optimizer_name, job.cell.optimizer_static, own)
    return {"spec": spec, **apart, "schedule": settings.get("schedule", "constant")}


def spec_of(label: str, name: str, static: Mapping[str, Any], own: Mapping[str, Any] | None = None) -> str:
    """Return what is asked for under a label, with the label where it is another than the name."""
    text = format_spec(name, {**static, **(own or {})})
    shown = label.partition("[")[0]
    return text if shown == name else f"{shown}={text}"


def _lines(fields: Mapping[str, Any]) -> Iterable[str]:
    # JSON's strings are TOML's too.
    return [
        f"{key} = {json.dumps(value, ensure_ascii=False) if isinstance(value, str) else format_value(value)}"
        for key, value in fields.items()
    ]
