"""Notes of a comparison: winners at an end of their grid, and what counts as no difference."""

from collections.abc import Mapping, Sequence
from typing import Any

from optbench.analyse.comparison import Rules, Side


def edge_notes(both_sides: Sequence[tuple[Side, Side]]) -> list[str]:
    """Return a note that names the winners at an end of their grid: a wider one may change the verdict."""
    tasks_of: dict[str, list[str]] = {}
    shared = [(one, task) for sides in both_sides for one in sides for task in sides[0].parts if task in sides[1].parts]
    for one, task in shared:
        if edges := one.parts[task].results.edges:
            tasks = tasks_of.setdefault(f"{one.label} ({', '.join(edges)})", [])
            tasks += [f"{task[0]} at {task[1]}"] * (f"{task[0]} at {task[1]}" not in tasks)
    texts = [f"{text} on {tasks[0]}{and_more(tasks)}" for text, tasks in tasks_of.items()]
    return [f"best at the edge of the grid, where a wider one may do better: {'; '.join(texts)}"] if texts else []


def and_more(tasks: Sequence[str]) -> str:
    """Return how many tasks there are beside the first, as words that follow it."""
    return f" and {len(tasks) - 1} more" if len(tasks) > 1 else ""


def equality_notes(rows: Sequence[Mapping[str, Any]], rules: Rules) -> list[str]:
    """Return notes on what counts as no difference, of the kinds of metrics that were compared."""
    metrics, share = {row["metric"] for row in rows}, f"{100 * rules.margin:g} %"
    notes = []
    if "test_accuracy" in metrics:
        notes.append(f"accuracies are equal within {share} of the error rate, 1 - accuracy")
    if metrics & {"gap", "train_loss", "test_loss"}:
        notes.append("losses below a thousandth of the target, or below rounding, count as equal")
    if any(row["p_value"] is None for row in rows):
        notes.append(
            "no p_value: nothing on that problem is random, so all seeds are the same trial and the margin alone "
            "decides"
        )
    return notes
