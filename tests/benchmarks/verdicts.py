"""How often `compare` is wrong about equal optimizers, and how often it sees a difference, tuning included.

Run as a script: `.venv/bin/python tests/benchmarks/verdicts.py [base seeds] [only these, by a part of the name]`; hours
for 100 base seeds on two cores. Every base seed is a run of its own: its own studies, seeds and shifts, as a user would
get them. Prints for each pair and metric how many of the runs say better or worse, with an exact 95 % interval.
Source of the question: Bouthillier et al., Accounting for variance in machine learning benchmarks, 2021.
"""

import sys
import tempfile
from collections.abc import Iterator
from pathlib import Path
from typing import Any, NamedTuple

from scipy.stats import binomtest

import optbench
from optbench.analyse.comparison import Rules
from optbench.compare.compare import compare_operands
from optbench.compare.operands import Operand

#: Two copies of adam that differ in the key of their own noise alone.
COPIES = """
import jax, optax
from optbench.optimizers.optimizer import Optimizer

def _copy(number):
    def build(learning_rate, seed, b1=0.9, b2=0.999):
        key = jax.random.fold_in(jax.random.key(number), seed)
        return optax.chain(optax.add_noise(1e-4, 0.55, key), optax.adam(learning_rate, b1, b2))
    return Optimizer(build, (3e-3, 3e-1), "adam with noise of its own", needs=frozenset({"seed"}))

a, b = _copy(0), _copy(1)
"""
NETWORK = {"problems": ["mlp[width=16]"], "steps": 100}
QUADRATIC = {"problems": ["noisy_quadratic"], "steps": 200, "batch_size": "32"}
CONVEX = {"problems": ["logistic_regression"], "steps": 100, "batch_size": "32"}
METRICS = ("train_loss", "validation_loss", "test_loss", "test_accuracy", "steps_to_target")


class Pair(NamedTuple):
    """Two optimizers, what each is asked, and the metrics that they are compared by; no metric is the default."""

    name: str
    first: dict[str, Any]
    second: dict[str, Any]
    metrics: tuple[str | None, ...]
    equal: bool


def pairs(copies: Path) -> Iterator[Pair]:
    """List the comparisons: of equals, and of what is known to differ."""
    for name, task in (("network", NETWORK), ("noisy quadratic", QUADRATIC), ("convex", CONVEX)):
        metrics = METRICS if name != "noisy quadratic" else ("train_loss", "steps_to_target")
        a, b = (task | {"optimizers": [f"{copies}:{which}"]} for which in "ab")
        yield Pair(f"copies, {name}", a, b, metrics, equal=True)
        # Eight rates over two decades have a step of 10 ** (2 / 7).
        half = 10 ** (1 / 7)
        a, b = (
            task | {"optimizers": ["adam"], "learning_rate": f"{low:.6g}:{high:.6g}:8"}
            for low, high in ((3e-3, 3e-1), (3e-3 * half, 3e-1 * half))
        )
        yield Pair(f"grid moved by half a step, {name}", a, b, metrics, equal=True)
    transformer, autoencoder = {"problems": ["transformer"]}, {"problems": ["autoencoder"]}
    of = lambda task, optimizer, **more: task | {"optimizers": [optimizer]} | more  # noqa: E731
    yield Pair("adamw against sgd, transformer", of(transformer, "adamw"), of(transformer, "sgd"), (None,), False)
    yield Pair("muon against adamw, autoencoder", of(autoencoder, "muon"), of(autoencoder, "adamw"), (None,), False)
    whole, third = of(NETWORK, "adam"), of(NETWORK, "adam", steps=33)
    yield Pair("adam against adam at a third of its steps", whole, third, (None, "train_loss"), False)


def verdicts(pair: Pair, base_seed: int, results: Path) -> dict[str | None, str]:
    """Run both sides at a base seed, and return the verdict by metric."""
    common = {"results": results, "throughput": False, "seed": base_seed, "learning_rate": "default:8"}
    operands = []
    for side, words in (("first", pair.first), ("second", pair.second)):
        run = optbench.run(name=f"{side}-{base_seed}", **common | words)
        operands.append(Operand(side, run.stored, run.manifest["cells"][0]["optimizer"]))
    tables = {metric: compare_operands(operands, Rules(metric), anyway=True) for metric in pair.metrics}
    return {metric: table.per_problem.to_records()[0]["verdict"] for metric, table in tables.items()}


def main(num: int = 100, only: str = "") -> None:
    """Print how many of so many runs call each pair different."""
    with tempfile.TemporaryDirectory() as scratch:
        copies = Path(scratch) / "copies.py"
        copies.write_text(COPIES)
        for number, pair in enumerate(pairs(copies)):
            if only not in pair.name:
                continue
            counts: dict[str | None, list[str]] = {metric: [] for metric in pair.metrics}
            for base_seed in range(num):
                for metric, verdict in verdicts(pair, base_seed, Path(scratch) / str(number)).items():
                    counts[metric].append(verdict)
            for metric, words in counts.items():
                called = sum(word in ("better", "worse") for word in words)
                low, high = binomtest(called, num).proportion_ci(method="exact")
                kinds = ", ".join(f"{words.count(word)} {word}" for word in dict.fromkeys(sorted(words)))
                what = "false" if pair.equal else "seen"
                print(
                    f"{pair.name}, {metric or 'default metric'}: {called} of {num} {what} "
                    f"({100 * low:.0f} to {100 * high:.0f} %): {kinds}",
                    flush=True,
                )


if __name__ == "__main__":
    number, words = sys.argv[1:2], sys.argv[2:3]
    main(*map(int, number), *words)
