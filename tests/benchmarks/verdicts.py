"""How often `compare` is wrong about equal optimizers, and how often it sees a difference, tuning included.

Run as a script: `.venv/bin/python tests/benchmarks/verdicts.py [number] [only these, by a part of the name] [runs]`.
The studies of one long run of each side are compared ten by ten, which takes an hour for 100; with `runs` every
comparison is of two runs with a base seed of their own, as a user makes them, which takes hours. Prints for each pair
and metric how many comparisons say better or worse, with an exact 95 % interval.
Source of the question: Bouthillier et al., Accounting for variance in machine learning benchmarks, 2021.
"""

import sys
import tempfile
from collections.abc import Iterator
from pathlib import Path
from typing import Any, NamedTuple

import numpy as np
from scipy.stats import binomtest

import optbench
from optbench.analyse.comparison import MARGIN, Rules
from optbench.analyse.costs import Costs, costs_of, default_metric
from optbench.analyse.outcomes import Slice
from optbench.analyse.significance import judge
from optbench.analyse.statistics import median
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
#: Studies that are compared with each other, as many as a run has by default.
STUDIES = 10
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


def verdicts_of_runs(pair: Pair, num: int, results: Path) -> dict[str | None, list[str]]:
    """Return the verdicts by metric of so many runs of both sides, each with a base seed of its own."""
    words: dict[str | None, list[str]] = {metric: [] for metric in pair.metrics}
    for base_seed in range(num):
        operands = [Operand("", run.stored, _optimizer(run)) for run in _sides(pair, results, seed=base_seed)]
        for metric in pair.metrics:
            (row,) = compare_operands(operands, Rules(metric), anyway=True).per_problem.to_records()
            words[metric].append(row["verdict"])
    return words


def verdicts_of_studies(pair: Pair, num: int, results: Path) -> dict[str | None, list[str]]:
    """Return the same of one run of both sides, whose studies are compared ten by ten: they share nothing anyway."""
    parts = [run.parts[0] for run in _sides(pair, results, report_seeds=STUDIES * num)]
    words: dict[str | None, list[str]] = {}
    for metric in pair.metrics:
        costs = [costs_of(part, metric or default_metric(part), Slice(), None, None) for part in parts]
        groups = [np.arange(first, first + STUDIES) for first in range(0, STUDIES * num, STUDIES)]
        judged = [_judge(*(each.take(group) for each in costs)) for group in groups]
        words[metric] = judged
    return words


def _judge(a: Costs, b: Costs) -> str:
    with np.errstate(invalid="ignore"):
        differences = np.where(a.cost == b.cost, 0.0, a.cost - b.cost)
    value = median(b.cost)
    return judge([differences], [MARGIN * value if np.isfinite(value) else 0.0])[0].verdict


def _sides(pair: Pair, results: Path, **words: Any) -> list[optbench.Run]:
    common = {"results": results, "throughput": False, "learning_rate": "default:8", "seeds": 1, "records": 10} | words
    return [
        optbench.run(name=f"{side}-{words.get('seed', 0)}", **common | asked)
        for side, asked in (("first", pair.first), ("second", pair.second))
    ]


def _optimizer(run: optbench.Run) -> str:
    return run.manifest["cells"][0]["optimizer"]


def main(num: int = 100, only: str = "", how: str = "studies") -> None:
    """Print how many of so many comparisons call each pair different."""
    verdicts = {"studies": verdicts_of_studies, "runs": verdicts_of_runs}[how]
    with tempfile.TemporaryDirectory() as scratch:
        copies = Path(scratch) / "copies.py"
        copies.write_text(COPIES)
        for number, pair in enumerate(pairs(copies)):
            if only not in pair.name:
                continue
            for metric, words in verdicts(pair, num, Path(scratch) / str(number)).items():
                called = sum(word in ("better", "worse") for word in words)
                low, high = binomtest(called, num).proportion_ci(method="exact")
                kinds = ", ".join(f"{words.count(word)} {word}" for word in sorted({*words}))
                what = "false" if pair.equal else "seen"
                print(
                    f"{pair.name}, {metric or 'default metric'}: {called} of {num} {what} "
                    f"({100 * low:.0f} to {100 * high:.0f} %): {kinds}",
                    flush=True,
                )


if __name__ == "__main__":
    numbers, texts = sys.argv[1:2], sys.argv[2:4]
    main(*map(int, numbers), *texts)
