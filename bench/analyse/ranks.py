"""Mean ranks over problems, and which of them can be told apart."""

from collections.abc import Sequence
from typing import Any

import numpy as np
from jaxtyping import Float

from bench.analyse.outcomes import Slice, objective, tuned
from bench.analyse.significance import critical_difference, friedman_p
from bench.analyse.statistics import median
from bench.store.run_folder import Part

COLUMNS = ("optimizer", "mean_rank", "best_rank", "worst_rank", "num_first", "behind_the_best", "num_problems")


def ranks(parts: Sequence[Part], view: Slice) -> tuple[list[str], list[dict[str, Any]]]:
    """Rank the tuned optimizers on each problem and average: (columns, rows), best first."""
    names, ranked = problem_ranks(parts, view)
    if not ranked.size:
        return [*COLUMNS], []
    mean = ranked.mean(axis=0)
    apart = mean - mean.min() > _critical(ranked)
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

    Several batch sizes of a problem are one block: their ranks are averaged and ranked again.
    """
    from scipy.stats import rankdata

    names = list(dict.fromkeys(part.footer["optimizer"] for part in parts))
    tasks: dict[str, dict[Any, dict[str, float]]] = {}
    for part in parts:
        batches = tasks.setdefault(part.footer["problem"], {})
        batches.setdefault(part.footer["batch_size"], {})[part.footer["optimizer"]] = _result(part, view)
    blocks = []
    for batches in tasks.values():
        rows = [[found[name] for name in names] for found in batches.values() if len(found) == len(names)]
        if rows:
            blocks.append(rankdata(np.mean(rankdata(rows, axis=1), axis=0)))
    return names, np.array(blocks)


def _result(part: Part, view: Slice) -> float:
    if part.outcome == "failed":
        return float("inf")
    return median(objective(tuned(part, view), part.footer)[:, 0])


def _critical(ranked: Float[np.ndarray, "problem optimizer"]) -> float:
    return critical_difference(ranked.shape[1], len(ranked)) if ranked.shape[1] > 1 else float("inf")


def notes(parts: Sequence[Part], view: Slice) -> list[str]:
    """Say what the test found, and what was left out."""
    names, ranked = problem_ranks(parts, view)
    num = len({part.footer["problem"] for part in parts})
    said = [
        "ranked by median train loss over the report seeds; what differs by rounding is a tie, what diverged or failed "
        "comes last",
    ]
    if len(ranked) < num:
        said.append(
            f"{num - len(ranked)} of {num} problems are left out: not all {len(names)} optimizers were run there"
        )
    if len(ranked) < 2 or len(names) < 3:
        return [*said, "three optimizers on two problems are the least that ranks can be tested on"]
    p, critical = friedman_p(ranked), _critical(ranked)
    alike = "differ" if p <= 0.05 else "can't be told apart"
    said.append(f"Friedman's test over {len(ranked)} problems: p = {p:.2g}, so the ranks {alike} as a whole")
    said.append(
        f"behind_the_best: its mean rank is more than Nemenyi's critical difference of {critical:.2f} (5 %) behind the "
        "first; the others can't be told from it"
    )
    return said
