"""Which optimizer is best over the problems of a run, and how sure that is: a row an optimizer."""

from collections.abc import Iterable, Mapping
from typing import Any

import numpy as np

from optbench.analyse.outcomes import Slice
from optbench.analyse.ranks import problem_ranks, rank_letters, rank_test
from optbench.analyse.significance import LEVEL
from optbench.analyse.standings import best_on, order_of, standings, typical_distance
from optbench.analyse.statistics import median
from optbench.store.run import StoredRun
from optbench.store.status import Outcome
from optbench.tables.table_kind import Rows, TableKind, report_notes

COLUMNS = (
    *("optimizer", "among_best", "distance", "distance_low", "distance_high", "solved", "sgd_ratio", "at_edge"),
    *("mean_rank", "group", "num_tasks"),
)


def answer(run: StoredRun, view: Slice) -> Rows:
    """Return a row for each optimizer, (columns, rows): those among the best most often first, then the nearest.

    Raises ValueError if trials are not stored.
    """
    tasks = standings(run.parts, view)
    names = list(dict.fromkeys(part.record.optimizer for part in run.parts))
    ranks, groups = _ranks(run, view)
    ratios, edges = _sgd_ratios(run), _edges(run)
    targeted = [standing.solved for standing in tasks.values() if standing.solved is not None]
    rows = []
    for name in order_of(tasks, names):
        distance, low, high = typical_distance(tasks, name)
        rows.append(
            {
                "optimizer": name,
                "among_best": best_on(tasks, name),
                "distance": distance,
                "distance_low": low,
                "distance_high": high,
                "solved": sum(name in solved for solved in targeted) if targeted else None,
                "sgd_ratio": ratios.get(name),
                "at_edge": edges.get(name, 0),
                "mean_rank": ranks.get(name),
                "group": groups.get(name),
                "num_tasks": len(tasks),
            }
        )
    return [*COLUMNS], rows


def _ranks(run: StoredRun, view: Slice) -> tuple[dict[str, float], dict[str, str]]:
    """Return the mean ranks of the optimizers that can be ranked, and the letters of those that can't be told apart."""
    names, ranked = problem_ranks(run.parts, view)
    test = rank_test(ranked) if ranked.size else None
    if test is None:
        return {}, {}
    mean = ranked.mean(axis=0).tolist()
    groups = rank_letters(names, mean, test.critical) if test.p <= LEVEL else {}
    # One letter for all would say nothing.
    return dict(zip(names, mean, strict=True)), groups if len({*groups.values()}) > 1 else {}


def _sgd_ratios(run: StoredRun) -> dict[str, float]:
    """Return the median over timed cells of the seconds of an optimizer's step over those of plain sgd."""
    ratios: dict[str, list[float]] = {}
    for timing in run.timings:
        if timing.times is not None:
            ratio = median(np.array(timing.times.step_seconds)) / median(np.array(timing.times.sgd_seconds))
            ratios.setdefault(timing.optimizer, []).append(ratio)
    return {name: median(np.array(values)) for name, values in ratios.items()}


def _edges(run: StoredRun) -> dict[str, int]:
    """Count the cells of each optimizer whose best settings lie at an edge of their grid."""
    counts: dict[str, int] = {}
    for part in run.parts:
        if part.outcome == Outcome.FINISHED:
            counts[part.record.optimizer] = counts.get(part.record.optimizer, 0) + bool(part.results.edges)
    return counts


def notes(run: StoredRun, rows: Iterable[Mapping[str, Any]], view: Slice) -> list[str]:
    """Return the meaning of the columns, in few words."""
    rows = list(rows)
    num = rows[0]["num_tasks"] if rows else 0
    words = [f"among best: on how many of {num} problems (batch sizes apart) none is significantly better"]
    words += ["distance: final loss over the best one's, median over problems"]
    words += ["solved: target reached"] if any(row["solved"] is not None for row in rows) else []
    words += ["sgd ratio: seconds of a step over plain sgd's"] if any(row["sgd_ratio"] for row in rows) else []
    words += ["at edge: best settings at a range's end"] if any(row["at_edge"] for row in rows) else []
    words += ["group: mean ranks of one letter can't be told apart"] if any(row["group"] for row in rows) else []
    return ["; ".join(words)]


TABLE = TableKind(
    "which optimizer is best, and how sure that is",
    answer,
    notes,
    shared_notes=report_notes,
    section="Which optimizer is best",
    open_in_report=True,
    hidden_columns=lambda columns: ["num_tasks"],
    important=("optimizer", "among_best", "distance", "solved", "sgd_ratio", "at_edge", "group", "mean_rank"),
)
