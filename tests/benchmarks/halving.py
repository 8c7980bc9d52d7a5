"""Tune with `--search halving` and with the full grid: how much faster is it, and does the same point win?

Run as a script: `.venv/bin/python tests/benchmarks/halving.py [suite] [base seeds] [trials] [results folder]`; by
default `quick`, 10 seeds, 72 trials an optimizer (24 points on 3 seeds) and `results/halving`. Both searches run one
after the other for each base seed, in turns as to which is first. Their programs come out of the compilation cache, but
for those of an extra base seed that is run before and not counted; seconds are those of training the selection trials
(`select_seconds` of the cells), without compilation and without the report. What is finished is kept, so that the
script can be stopped and started again.
"""

import sys
from collections import defaultdict
from collections.abc import Iterable
from pathlib import Path
from typing import Any, NamedTuple

import numpy as np
from tabulate import tabulate

from optbench import Tuned, tune
from optbench.cli.progress import Reporter
from optbench.store.record import CellResults

SEARCHES = ("grid", "halving")
COLUMNS = (
    *("problem", "batch size", "cells", "full s", "halving s", "speed-up", "same winner"),
    *("within the interval or better", "cells where so in 9 of 10 seeds"),
)


class Pair(NamedTuple):
    """One cell with the full grid and with halving: seconds, and how its winners compare."""

    seconds: tuple[float, float]
    same: bool
    within: bool


def tuned(suite: str, search: str, seed: int, trials: int, results: Path) -> Tuned:
    with Reporter() as reporter:
        return tune(
            *(suite,),
            trials=trials,
            search=search,
            seed=seed,
            results=results,
            name=f"{Path(suite).stem}-{search}-{seed}",
            on_plan=reporter.plan,
            on_progress=reporter.progress,
        )


def cells(done: Tuned) -> dict[tuple[Any, ...], tuple[CellResults, dict[str, Any]]]:
    """Return results and row of the convergence table of each finished cell."""
    name = lambda row: tuple(row[key] for key in ("problem", "batch_size", "optimizer"))  # noqa: E731
    rows = {name(row): row for row in done.run.convergence().to_records()}
    finished = [part for part in done.run.parts if part.record.results is not None]
    return {name(part.record.names): (part.results, rows[name(part.record.names)]) for part in finished}


def pairs(full: Tuned, halved: Tuned) -> dict[tuple[Any, ...], Pair]:
    found, other = cells(full), cells(halved)
    return {name: pair(*found[name], *other[name]) for name in found if name in other}


def pair(full: CellResults, row: dict, halved: CellResults, halved_row: dict) -> Pair:
    loss, same = halved_row["train_loss"], halved.best == full.best
    # Two at the optimum may differ by the rounding of its size.
    high = row["train_loss_high"] + 4 * 2**-23 * abs(full.optimum or 0.0)
    return Pair((full.select_seconds, halved.select_seconds), same, same or bool(loss <= high))


def summary(found: dict[tuple[Any, ...], list[Pair]]) -> Iterable[list[Any]]:
    """Write a row for each problem and batch size, and one for all; `found` has one pair a base seed and cell."""
    groups: dict[tuple[Any, ...], list[list[Pair]]] = defaultdict(list)
    for (problem, batch_size, _), several in found.items():
        groups[problem, batch_size].append(several)
        groups["all", ""].append(several)
    for (problem, batch_size), several in sorted(groups.items(), key=lambda group: group[0][0] == "all"):
        every = [pair for pairs in several for pair in pairs]
        full, halved = np.sum([pair.seconds for pair in every], axis=0)
        steady = np.mean([np.mean([pair.within for pair in pairs]) >= 0.9 for pairs in several])
        same, within = np.mean([pair.same for pair in every]), np.mean([pair.within for pair in every])
        shares = [f"{share:.0%}" for share in (same, within, steady)]
        yield [problem, batch_size, len(several), f"{full:.1f}", f"{halved:.1f}", f"{full / halved:.2f}", *shares]


def main(suite: str = "quick", seeds: str = "10", trials: str = "72", results: str = "results/halving") -> None:
    found: dict[tuple[Any, ...], list[Pair]] = defaultdict(list)
    # The first seed fills the compilation cache; it is no base seed of the others.
    for seed in (1000, *range(int(seeds))):
        order = SEARCHES if seed % 2 else SEARCHES[::-1]
        done = {search: tuned(suite, search, seed, int(trials), Path(results)) for search in order}
        for name, one in pairs(done["grid"], done["halving"]).items():
            if seed < 1000:
                found[name].append(one)
    print(tabulate(list(summary(found)), COLUMNS, tablefmt="github", disable_numparse=True))


if __name__ == "__main__":
    main(*sys.argv[1:])
