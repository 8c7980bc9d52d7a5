"""Ranks of the optimizers on each problem, as an array, and whether they can be told apart."""

from collections.abc import Sequence
from typing import Any, NamedTuple

import numpy as np
from jaxtyping import Float

from optbench.analyse.objective import objective
from optbench.analyse.outcomes import Slice, tuned
from optbench.analyse.significance import critical_difference, friedman_p
from optbench.analyse.statistics import median
from optbench.store.parts import Part


def problem_ranks(parts: Sequence[Part], view: Slice) -> tuple[list[str], Float[np.ndarray, "problem optimizer"]]:
    """Rank the optimizers on every problem that all of them were run on; ties share their ranks.

    Several batch sizes of a problem are one block: their ranks are averaged and ranked again. Where all failed there
    is nothing to rank.
    """
    from scipy.stats import rankdata

    names = list(dict.fromkeys(part.record.optimizer for part in parts))
    tasks: dict[str, dict[Any, dict[str, Part]]] = {}
    for part in parts:
        batches = tasks.setdefault(part.record.problem, {})
        batches.setdefault(part.record.batch_size, {})[part.record.optimizer] = part
    blocks = []
    for batches in tasks.values():
        full = [found for found in batches.values() if len(found) == len(names)]
        some = [found for found in full if any(part.outcome == "finished" for part in found.values())]
        if some:
            rows = [[_result(found[name], view) for name in names] for found in some]
            blocks.append(rankdata(np.mean(rankdata(rows, axis=1), axis=0)))
    return names, np.array(blocks)


def _result(part: Part, view: Slice) -> float:
    if part.outcome == "failed":
        return float("inf")
    return median(objective(tuned(part, view), part.results)[:, 0])


class Tested(NamedTuple):
    """Whether the ranks differ as a whole, and how far apart two must be."""

    p: float
    critical: float


def tested(ranked: Float[np.ndarray, "problem optimizer"]) -> Tested | None:
    """Test the ranks of three optimizers or more on two problems or more; None of fewer."""
    num_problems, num_optimizers = ranked.shape
    if num_problems < 2 or num_optimizers < 3:
        return None
    return Tested(friedman_p(ranked), critical_difference(num_optimizers, num_problems))
