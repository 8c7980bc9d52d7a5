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
            tasks = tasks_of.setdefault(f"{one.label} (edge: {', '.join(edges)})", [])
            tasks += [f"{task[0]} at {task[1]}"] * (f"{task[0]} at {task[1]}" not in tasks)
    texts = [f"{text} on {tasks[0]}{and_more(tasks)}" for text, tasks in tasks_of.items()]
    return [f"chosen at an end of their grid, where a wider one may do better: {'; '.join(texts)}"] if texts else []


def and_more(tasks: Sequence[str]) -> str:
    """Return how many tasks there are beside the first, as words that follow it."""
    return f" and {len(tasks) - 1} more" if len(tasks) > 1 else ""


def equality_notes(rows: Sequence[Mapping[str, Any]], rules: Rules) -> list[str]:
    """Return notes on what counts as no difference, of the kinds of metrics that were compared."""
    metrics, share = {row["metric"] for row in rows}, f"{100 * rules.margin:g} %"
    notes = []
    if "test_accuracy" in metrics:
        notes.append(f"{share} of the reference's error rate, which is one less its accuracy")
    if metrics & {"gap", "train_loss", "test_loss"}:
        notes.append(
            "losses (gaps where the optimum is known) below a thousandth of the target, or below rounding of the "
            "initial loss, are equal: neither tells optimizers apart"
        )
    if any(row["p_value"] is None for row in rows):
        notes.append(
            "no p_value: nothing random reaches that problem, so that all seeds are one trial, and the margin decides"
        )
    return notes
