"""Is a study of 100,000 cells planned, ordered, resumed and tabled in seconds, with flat memory?

Run as a script: `.venv/bin/python tests/benchmarks/study.py 1000 10000 100000`. Nothing is trained: the parts hold
made-up curves of 24 trials and 10 report seeds, 11 records each. Every stage runs in a process of its own. 100,000
parts take 2.4 GB of a temporary folder.
"""

import base64
import io
import json
import os
import resource
import subprocess
import sys
import tempfile
import time
from collections.abc import Callable, Iterator, Mapping
from dataclasses import replace
from math import ceil
from pathlib import Path
from typing import Any

import numpy as np
import pyarrow.parquet as pq

from optbench.store.manifest import read_manifest, write_manifest
from optbench.store.parts import footer_text, part_path, write_part
from optbench.store.record import CellRecord
from optbench.store.scan import scan as scan_parts
from optbench.store.schema import trial_rows

STAGES = ("plan", "order", "hand-out", "write", "scan", "scan again", "convergence", "best", "list runs")
OPTIMIZERS, BATCH_SIZES = 50, (4, 8, 16, 32, "full")
GRID = {"learning_rate": "default:8", "weight_decay": "0,1e-3,1e-2", "seeds": 1, "report_seeds": 10, "records": 10}
#: Room for a footer, which is filled with blanks.
FOOTER_BYTES = 1200
#: Every so many cells one is missing, and another one failed.
MISSING = 500


def asked(num_cells: int) -> dict[str, Any]:
    """Ask for about so many cells: half of them quadratics, half of them data in five batch sizes."""
    from optbench.optimizers import catalogue

    tasks = ceil(num_cells / OPTIMIZERS)
    seeds, rows = (ceil(tasks / 20) for _ in "ab")
    sizes = ",".join(map(str, BATCH_SIZES))
    quadratics = f"quadratic[dim={','.join(map(str, range(10, 110, 10)))},seed={','.join(map(str, range(seeds)))}]"
    shapes = f"dim=5,10,seed={','.join(map(str, range(rows)))}"
    problems = [
        {"spec": quadratics},
        {"spec": f"linear_regression[data=synthetic,rows=100,{shapes}]", "batch_size": sizes},
    ]
    names = [name for name in catalogue() if name != "lbfgs"][:OPTIMIZERS]
    return {"problems": problems, "optimizers": names, "steps": 100} | GRID


def plan(folder: Path, num_cells: int) -> Iterator[None]:
    """Resolve, expand and key the cells; then, untimed, write the manifest that the other stages start from."""
    from optbench.planning.jobs import describe_run, pick_device, plan_jobs, resolve_suite
    from optbench.sweep.devices import describe

    device = pick_device("cpu")
    yield
    suite = resolve_suite(None, **asked(num_cells))
    jobs = plan_jobs(suite, device.device_kind)
    yield
    folder.mkdir()
    write_manifest(folder, describe_run(suite, jobs, describe(device), None))


def order(folder: Path, num_cells: int) -> Iterator[None]:
    """Order the jobs by what they are expected to cost."""
    from optbench.planning.cost import Cost, group_of, longest_first
    from optbench.planning.jobs import pick_device, plan_jobs, resolve_suite

    jobs = plan_jobs(resolve_suite(None, **asked(num_cells)), pick_device("cpu").device_kind)
    costs = {group_of(job): Cost(1.0, 1e-6 * (place % 97)) for place, job in enumerate(jobs)}
    yield
    longest_first(jobs, costs)
    yield


def hand_out(folder: Path, num_cells: int) -> Iterator[None]:
    """Hand all cells out to eight workers in turn, as a cluster does, each group's cost learned from its first cell."""
    from optbench.planning.jobs import pick_device, plan_jobs, resolve_suite
    from optbench.runner.cluster.order import Order

    jobs = plan_jobs(resolve_suite(None, **asked(num_cells)), pick_device("cpu").device_kind)
    yield
    queue, handed = Order(), 0
    cell = FINISHED | {"outcome": "finished", "problem": "made up", "optimizer": "sgd", "batch_size": 4}
    queue.add((job, "") for job in jobs)
    while taken := queue.take(f"worker {handed % 8}"):
        queue.learn(taken[0], CellRecord.from_json(cell | {"select_seconds": handed % 97}))
        handed += 1
    yield
    assert handed == len(jobs)


def write(folder: Path, num_cells: int) -> Iterator[None]:
    """Write a part for each cell but a few."""
    cells = read_manifest(folder)["cells"]
    for name in ("parts", "template"):
        (folder / name).mkdir()
    yield
    fill = {name: _template(folder, name, number) for number, name in enumerate({c["optimizer"]: 0 for c in cells})}
    for place, cell in enumerate(cells):
        if place % MISSING:
            lost = {"outcome": "failed", "message": "out of luck"} if place % MISSING == 1 else {"outcome": "finished"}
            whole = fill[cell["optimizer"]](FINISHED | lost | {name: cell[name] for name in NAMES} | {"schema": 1})
            part_path(folder, cell["key"]).write_bytes(whole)
    yield


NAMES = ("key", "problem", "optimizer", "batch_size")
FINISHED = {
    "num_points": 24,
    "seeds": 1,
    "report_seeds": 10,
    "best_point": 7,
    "at_edge": [],
    "optimum": 0.0,
    "best": {"learning_rate": 0.01, "weight_decay": 0.001},
    "targets": {"train_loss": 0.01},
    "steps": 100,
    "higher_is_better": ["accuracy"],
    "record_every": 10,
    "trial_steps": 2400,
    "examples_per_step": 1,
    "parts": 1,
    "trace_seconds": 0.2,
    "compile_seconds": 0.7,
    "select_seconds": 0.3,
    "report_seconds": 0.1,
    "memory_bytes": 12345,
}


def _template(folder: Path, name: str, number: int) -> Callable[[Mapping[str, Any]], bytes]:
    """Write one part through the store, and return what makes others of it by another footer of the same length."""
    random = np.random.default_rng(number)
    rows = [_row("select", name, seed, point, random) for seed in range(1) for point in range(24)]
    rows += [_row("report", name, seed, 0, random) for seed in range(10)]
    names = {"problem": "made up", "optimizer": name, "batch_size": 4, "num_points": 24, "seeds": 1, "report_seeds": 10}
    blank = CellRecord(**names)
    blank = replace(blank, message="?" * (FOOTER_BYTES - len(footer_text("template", blank))))
    write_part(folder / "template", "template", trial_rows(rows), blank)
    whole = part_path(folder / "template", "template").read_bytes()
    placed = footer_text("template", blank).encode()
    # Arrow's own copy of the footer, in base 64.
    coded = pq.read_metadata(io.BytesIO(whole)).metadata[b"ARROW:schema"]
    decoded = base64.b64decode(coded)

    def fill(footer: Mapping[str, Any]) -> bytes:
        said = json.dumps(footer).encode().ljust(FOOTER_BYTES)
        assert len(said) == FOOTER_BYTES == len(placed)
        return whole.replace(coded, base64.b64encode(decoded.replace(placed, said))).replace(placed, said)

    return fill


def _row(phase: str, optimizer: str, seed: int, point: int, random: np.random.Generator) -> dict[str, Any]:
    steps = np.arange(0, 101, 10)
    loss = np.exp(-steps / 50) * random.lognormal(size=len(steps)).astype(np.float32).astype(float)
    names = {"phase": phase, "problem": "made up", "optimizer": optimizer, "batch_size": "full", "dtype": "float32"}
    counts = {"step": steps, "examples": steps, "gradient_evaluations": steps, "batch_loss": loss, "train_loss": loss}
    settings = {"hyperparameters": {"learning_rate": 10.0 ** -(point % 8), "weight_decay": 0.0}, "schedule": "constant"}
    return names | counts | settings | {"seed": seed, "point": point, "status": "ok", "test_loss": loss}


def scan(folder: Path, num_cells: int) -> Iterator[None]:
    """Find out which cells are finished, failed or torn, as a resumed run does."""
    cells = read_manifest(folder)["cells"]
    yield
    found = scan_parts(folder, [cell["key"] for cell in cells])
    yield
    missing = ceil(len(cells) / MISSING)
    assert len(found) == len(cells) - missing
    assert {part.outcome for part in found.values()} == {"finished", "failed"}


def scan_again(folder: Path, num_cells: int) -> Iterator[None]:
    """Find it out once more, from what the first time has kept, as each table and each resumed run does."""
    return scan(folder, num_cells)


def convergence(folder: Path, num_cells: int, kind: str = "convergence") -> Iterator[None]:
    """Print a table, as the command does."""
    from optbench.cli.table import table

    yield
    table(str(folder), kind)
    yield


def best(folder: Path, num_cells: int) -> Iterator[None]:
    return convergence(folder, num_cells, "best")


def list_runs(folder: Path, num_cells: int) -> Iterator[None]:
    from optbench.cli.list import runs

    yield
    runs(results=folder.parent)
    yield


def _stage(name: str, folder: Path, num_cells: int) -> None:
    """Run one stage, and tell what it took on the last line of standard error."""
    stage = globals()[name.replace(" ", "_").replace("-", "_")](folder, num_cells)
    next(stage)
    before = resource.getrusage(resource.RUSAGE_SELF).ru_maxrss
    began, cpu = time.perf_counter(), _cpu_seconds()
    next(stage)
    took = {"seconds": time.perf_counter() - began, "cpu": _cpu_seconds() - cpu}
    took["kib"] = resource.getrusage(resource.RUSAGE_SELF).ru_maxrss - before
    took["kib_of_worker"] = resource.getrusage(resource.RUSAGE_CHILDREN).ru_maxrss
    print(json.dumps(took), file=sys.stderr)
    next(stage, None)


def _cpu_seconds() -> float:
    """Count what this process took, and the processes that it started and that have ended."""
    return sum(os.times()[:4])


def main(num_cells: int, stages: list[str]) -> None:
    """Print what each stage takes."""
    print(
        f"\n{num_cells} cells\n{'stage':<12} {'seconds':>9} {'CPU seconds':>12} {'MB on top':>10} {'MB a worker':>12}",
        flush=True,
    )
    with tempfile.TemporaryDirectory() as place:
        for stage in stages:
            command = [sys.executable, __file__, stage, f"{place}/study", str(num_cells)]
            done = subprocess.run(command, stdout=subprocess.DEVNULL, stderr=subprocess.PIPE, text=True)
            if done.returncode:
                print(f"{stage:<12} {(done.stderr.splitlines() or ['failed'])[-1]}", flush=True)
                continue
            took = json.loads(done.stderr.splitlines()[-1])
            own, worker = (took[name] * 1024 / 1e6 for name in ("kib", "kib_of_worker"))
            print(f"{stage:<12} {took['seconds']:>9.2f} {took['cpu']:>12.2f} {own:>10.0f} {worker:>12.0f}", flush=True)


if __name__ == "__main__":
    if sys.argv[1] in STAGES:
        _stage(sys.argv[1], Path(sys.argv[2]), int(sys.argv[3]))
    else:
        for word in sys.argv[1:] or ["1000"]:
            main(int(word), list(STAGES))
