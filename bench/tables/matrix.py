"""How far each optimizer came from the best of each problem: optimizers against problems."""

from collections.abc import Iterable, Mapping
from typing import Any

from optbench.analyse.comparison import Task
from optbench.analyse.costs import compared_by
from optbench.analyse.outcomes import Slice
from optbench.analyse.standings import TaskStanding, order_of, standings
from optbench.analyse.statistics import median
from optbench.present.numbers import significant
from optbench.store.run import StoredRun
from optbench.tables.table_kind import Rows, TableKind, report_notes

#: The mark of an optimizer that can't be told from the best.
AMONG_BEST = "*"
#: With more problems than that, they are the rows.
MOST_ACROSS = 8


def matrix(run: StoredRun, view: Slice) -> Rows:
    """Return the ratios of the optimizers to the best of each problem, marked: (columns, rows).

    Problems stand across where they are few, else optimizers do. Raises ValueError if trials are not stored.
    """
    tasks = standings(run.parts, view)
    names = order_of(tasks, list(dict.fromkeys(part.record.optimizer for part in run.parts)))
    labels = task_labels(tasks)
    if len(tasks) > MOST_ACROSS:
        columns = ["problem", "best_value", "metric", *names]
        return columns, [
            {"problem": labels[task], "best_value": standing.best_value, "metric": standing.metric}
            | {name: _text(standing, name) for name in names}
            for task, standing in tasks.items()
        ]
    rows = [
        {"optimizer": name} | {labels[task]: _text(standing, name) for task, standing in tasks.items()}
        for name in names
    ]
    return ["optimizer", *labels.values()], rows


def task_labels(tasks: Mapping[Task, Any]) -> dict[Task, str]:
    """Return a name for each task: its problem, with the batch size where there are several of it."""
    problems = [problem for problem, _ in tasks]
    return {
        (problem, size): problem if problems.count(problem) == 1 else f"{problem} at {size}" for problem, size in tasks
    }


def _text(standing: TaskStanding, name: str) -> str:
    """Return an optimizer's ratio to the best, with a mark where it can't be told from it."""
    mark = AMONG_BEST if name in standing.among_best else ""
    if not standing.ratios:
        return mark or "behind"
    if name not in standing.ratios:
        return "failed"
    ratio = median(standing.ratios[name])
    return ("diverged" if ratio == float("inf") else _ratio(ratio)) + mark


def _ratio(ratio: float) -> str:
    if ratio < 1000:
        return f"{ratio:.{2 if ratio < 10 else 0}f}"
    return significant(ratio, 2)


def notes(run: StoredRun, rows: Iterable[Mapping[str, Any]], view: Slice) -> list[str]:
    """Return how to read a cell."""
    return [f"{compared_by(run.parts)} over the best one's; {AMONG_BEST}: among the best"]


TABLE = TableKind(
    "how far from the best of each problem",
    matrix,
    notes,
    shared_notes=report_notes,
    section="Which optimizer is best",
    open_in_report=True,
)
