"""Ranks of the optimizers on each problem, as an array, and the test whether they differ."""

from collections.abc import Sequence
from typing import Any, NamedTuple

import numpy as np
from jaxtyping import Float

from optbench.analyse.objective import objective
from optbench.analyse.outcomes import Slice, tuned
from optbench.analyse.significance import critical_difference, friedman_p
from optbench.analyse.statistics import median
from optbench.store.parts import Part
from optbench.store.status import Outcome


def problem_ranks(parts: Sequence[Part], view: Slice) -> tuple[list[str], Float[np.ndarray, "problem optimizer"]]:
    """Return the optimizers, and their ranks on every problem that all of them were run on; ties share their ranks.

    Several batch sizes of a problem are one block: their ranks are averaged and ranked again. Problems on which all
    failed are left out. Raises ValueError if trials are not stored.
    """
    from scipy.stats import rankdata

    names = list(dict.fromkeys(part.record.optimizer for part in parts))
    tasks: dict[str, dict[Any, dict[str, Part]]] = {}
    for part in parts:
        batches = tasks.setdefault(part.record.problem, {})
        batches.setdefault(part.record.batch_size, {})[part.record.optimizer] = part
    blocks = []
    for batches in tasks.values():
        full = [cells for cells in batches.values() if len(cells) == len(names)]
        finished = [cells for cells in full if any(part.outcome == Outcome.FINISHED for part in cells.values())]
        if finished:
            rows = [[_result(cells[name], view) for name in names] for cells in finished]
            blocks.append(rankdata(np.mean(rankdata(rows, axis=1), axis=0)))
    return names, np.array(blocks)


def _result(part: Part, view: Slice) -> float:
    if part.outcome == Outcome.FAILED:
        return float("inf")
    return median(objective(tuned(part, view), part.results)[:, 0])


class RankTest(NamedTuple):
    """The p-value of Friedman's test of the ranks, and Nemenyi's critical difference of two mean ranks."""

    p: float
    critical: float


def rank_test(ranked: Float[np.ndarray, "problem optimizer"]) -> RankTest | None:
    """Return the test of the ranks of three optimizers or more on two problems or more; None of fewer."""
    num_problems, num_optimizers = ranked.shape
    if num_problems < 2 or num_optimizers < 3:
        return None
    return RankTest(friedman_p(ranked), critical_difference(num_optimizers, num_problems))
