"""What `recommend` chooses in a third of the time of an exhaustive grid, against what the grid chooses.

Run as a script: `.venv/bin/python tests/benchmarks/recommended.py [number] [problem]...`, by default ten base seeds on
mlp, cnn, transformer and a CSV file that it writes. Prints for each problem the grid's seconds and its winner on fresh
seeds, then each recommendation, and in how many its median is no worse than the upper end of the grid's interval.
"""

import sys
import tempfile
import time
from pathlib import Path

import numpy as np

import optbench
from optbench.analyse.costs import costs_of
from optbench.analyse.outcomes import Slice
from optbench.analyse.statistics import median_interval
from optbench.planning.jobs import plan_jobs, resolve_suite
from optbench.runner.recommend.designs import CANDIDATES
from optbench.runner.recommend.stages import TIMES

#: The share of the grid's time that a recommendation has.
SHARE = 1 / 3


def write_csv(path: Path) -> None:
    """Write 2000 rows of 12 columns, of three classes that a network tells apart in four of five rows."""
    rng = np.random.default_rng(0)
    rows = rng.standard_normal((2000, 12))
    logits = np.tanh(rows @ rng.standard_normal((12, 3))) + 0.5 * rng.standard_normal((2000, 3))
    lines = [
        ",".join([*(f"{value:.4f}" for value in row), "abc"[label]])
        for row, label in zip(rows, logits.argmax(1), strict=True)
    ]
    path.write_text("\n".join([",".join([*(f"x{column}" for column in range(12)), "segment"]), *lines]) + "\n")


def grid_of(problem: str, results: Path) -> tuple[float, str, tuple[float, float, float]]:
    """Return an exhaustive grid's seconds, its winner, and what that comes to on fresh seeds: (median, low, high)."""
    job, *_ = plan_jobs(resolve_suite(None, problems=[problem], optimizers=["sgd"]), "cpu")
    size = int(job.cell.batch_size or 1)
    sizes = [size // TIMES, size, size * TIMES]
    tasks = [{"spec": problem, "batch_size": str(each), "steps": job.steps * size // each} for each in sizes]
    words = {"problems": tasks, "learning_rate": "default:8", "weight_decay": "default:3", "seeds": 2, "studies": 1}
    words |= {"optimizers": list(CANDIDATES), "schedule": "linear,cosine[warmup=0.1]", "report_seeds": 20}
    began = time.monotonic()
    run = optbench.run(results=results, name="grid", throughput=False, **words)
    took = time.monotonic() - began
    criterion = run.parts[0].results.criteria[0]
    best = min(run.parts, key=lambda part: part.results.selected[criterion])
    costs = costs_of(best, criterion, Slice(), None, None)
    return took, f"{best.record.optimizer} at {best.record.batch_size}", median_interval(costs.cost)


def main(number: int = 10, *problems: str) -> None:
    """Print what a grid and some recommendations come to on each problem."""
    with tempfile.TemporaryDirectory() as scratch:
        write_csv(Path(scratch) / "rows.csv")
        for index, problem in enumerate(problems or ("mlp", "cnn", "transformer", "mlp[data=rows.csv]")):
            text = problem.replace("rows.csv", f"{scratch}/rows.csv")
            results = Path(scratch) / str(index)
            seconds, winner, (median, low, high) = grid_of(text, results)
            print(f"{problem}: grid {seconds:.0f} s, {winner}, {median:.4g} [{low:.4g}, {high:.4g}]", flush=True)
            within = 0
            for seed in range(number):
                done = optbench.recommend(
                    text, minutes=SHARE * seconds / 60, seed=seed, results=results, name=f"{seed}"
                )
                within += done.best.value <= high
                print(f"  {done.best.optimizer} at {done.best.batch_size}, {done.best.value:.4g}, {done.seconds:.0f} s")
            print(f"{problem}: {within} of {number} within the grid's interval", flush=True)


if __name__ == "__main__":
    main(*map(int, sys.argv[1:2]), *sys.argv[2:])
