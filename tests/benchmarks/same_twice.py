"""Time one optimizer under two names, many times over: do the intervals overlap as often as they should?

Run as a script: `.venv/bin/python tests/benchmarks/same_twice.py [tries]`. Both names are compiled anew in every try,
as two commands would.
"""

import sys

import jax

from optbench import problems
from optbench.analyse.statistics import median_rank_interval
from optbench.optimizers import catalogue
from optbench.sweep import devices
from optbench.sweep.problem_data import prepare
from optbench.sweep.step import Recipe
from optbench.timing.loops import training_loop
from optbench.timing.timer import Effort, compile_loop, interleave

CASES = (
    ("mlp", "adamw", 128),
    ("mlp", "muon", 32),
    ("logistic_regression", "sgd", "full"),
    ("quadratic", "lion", "full"),
)


def overlaps(problem: str, optimizer: str, batch_size: int | str) -> bool:
    device = jax.devices()[0]
    with devices.settings("float32", device):
        prepared = prepare(problems.factory(problem)(), "float32", device)
        recipe = Recipe(prepared, catalogue()[optimizer], batch_size, 200, 10)
        pair = [compile_loop(training_loop(recipe, {"learning_rate": 0.01}), device) for _ in "AB"]
        (a, *a_ends), (b, *b_ends) = (
            median_rank_interval(one.step_seconds) for one in interleave(pair, Effort(20, 1.0))
        )
    print(f"{problem} / {optimizer} / {batch_size}: {a:.4g} {a_ends} and {b:.4g} {b_ends}, ratio {b / a:.4f}")
    return max(a_ends[0], b_ends[0]) <= min(a_ends[1], b_ends[1])


if __name__ == "__main__":
    tries = int(sys.argv[1]) if len(sys.argv) > 1 else 20
    devices.refuse_compile_cache()
    good = sum(overlaps(*CASES[index % len(CASES)]) for index in range(tries))
    print(f"intervals overlap in {good} of {tries} tries")
