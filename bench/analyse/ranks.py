"""Mean ranks over problems, and which of them can be told apart."""

from collections.abc import Sequence
from typing import Any, NamedTuple

import numpy as np
from jaxtyping import Float

from optbench.analyse.objective import objective
from optbench.analyse.outcomes import Slice, tuned
from optbench.analyse.significance import LEVEL, critical_difference, friedman_p
from optbench.analyse.statistics import median
from optbench.store.parts import Part

COLUMNS = ("optimizer", "mean_rank", "best_rank", "worst_rank", "num_first", "behind_the_best", "num_problems")


def ranks(parts: Sequence[Part], view: Slice) -> tuple[list[str], list[dict[str, Any]]]:
    """Rank the tuned optimizers on each problem and average: (columns, rows), best first."""
    names, ranked = problem_ranks(parts, view)
    if not ranked.size:
        return [*COLUMNS], []
    mean = ranked.mean(axis=0)
    test = tested(ranked)
    apart = mean - mean.min() > (test.critical if test and test.p <= LEVEL else np.inf)
    rows = [
        {
            "optimizer": name,
            "mean_rank": float(mean[place]),
            "best_rank": float(ranked[:, place].min()),
            "worst_rank": float(ranked[:, place].max()),
            "num_first": int(np.sum(ranked[:, place] == ranked.min(axis=1))),
            "behind_the_best": bool(apart[place]),
            "num_problems": len(ranked),
        }
        for place, name in enumerate(names)
    ]
    return [*COLUMNS], sorted(rows, key=lambda row: row["mean_rank"])


def problem_ranks(parts: Sequence[Part], view: Slice) -> tuple[list[str], Float[np.ndarray, "problem optimizer"]]:
    """Rank the optimizers on every problem that all of them were run on; ties share their ranks.

    Several batch sizes of a problem are one block: their ranks are averaged and ranked again. Where all failed there
    is nothing to rank.
    """
    from scipy.stats import rankdata

    names = list(dict.fromkeys(part.footer["optimizer"] for part in parts))
    tasks: dict[str, dict[Any, dict[str, Part]]] = {}
    for part in parts:
        batches = tasks.setdefault(part.footer["problem"], {})
        batches.setdefault(part.footer["batch_size"], {})[part.footer["optimizer"]] = part
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
    return median(objective(tuned(part, view), part.footer)[:, 0])


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


def notes(parts: Sequence[Part], view: Slice) -> list[str]:
    """Say what the test found, and what was left out."""
    names, ranked = problem_ranks(parts, view)
    num = len({part.footer["problem"] for part in parts})
    said = [
        "ranked by median train loss over the report seeds; ties share their ranks (where the optimum is known, all "
        "that reach it up to rounding tie); what diverged or failed comes last",
    ]
    if len(ranked) < num:
        said.append(
            f"{num - len(ranked)} of {num} problems are left out: not all {len(names)} optimizers were run there, or "
            "all of them failed (--optimizer ranks some of them on what they share)"
        )
    test = tested(ranked) if ranked.size else None
    if test is None:
        return [*said, "not tested: that takes at least three optimizers on two problems that all were run on"]
    differ = test.p <= LEVEL
    alike = "differ" if differ else "can't be told apart"
    said.append(f"Friedman's test over {len(ranked)} problems: p = {test.p:.2g}, so as a whole the ranks {alike}")
    return [*said, _pairs(test.critical)] if differ else said


def _pairs(critical: float) -> str:
    return (
        f"behind_the_best: its mean rank is more than Nemenyi's critical difference of {critical:.2f} (5 %) behind the "
        "first; the others can't be told from the first"
    )
