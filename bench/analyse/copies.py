"""Cells that are one program under two names: optimizers whose trials are equal, bit by bit."""

from collections.abc import Iterable, Sequence
from math import isfinite
from typing import Any

import numpy as np

from optbench.store.parts import Part
from optbench.store.trials import read_rows

#: The curves that are compared.
CURVES = ("train_loss", "batch_loss", "test_loss")
#: Problems that a note names; of more it gives the number.
MOST_NAMED = 3


def find_copies(cells: Iterable[tuple[Part, float | None]]) -> list[list[Part]]:
    """Return the groups of finished cells of one problem and batch size whose tuned trials are equal, bit by bit.

    Each cell comes with a value of its own, such as its final loss: trials are read where these are finite and equal.
    """
    candidates: dict[Any, list[Part]] = {}
    for part, value in cells:
        if value is not None and isfinite(value):
            candidates.setdefault((part.record.problem, part.record.batch_size, value), []).append(part)
    groups: dict[Any, list[Part]] = {}
    for task, parts in candidates.items():
        for part in parts if len(parts) > 1 else ():
            groups.setdefault((task, _curves_of(part)), []).append(part)
    return [parts for (_, curves), parts in groups.items() if curves and len(parts) > 1]


def _curves_of(part: Part) -> bytes:
    """Return the curves of a cell's tuned trials as bytes; none where no trial left its start, as any may."""
    phase = "report" if part.record.report_seeds else "select"
    rows = read_rows([part], ("phase", "point", *CURVES), phase).to_pylist()
    best = part.results.best_point
    curves = [[row[name] for name in CURVES] for row in rows if phase == "report" or row["point"] == best]
    moved = any(isfinite(loss) and loss != losses[0] for losses, *_ in curves for loss in losses)
    numbers = [np.array(curve or [], dtype=float).tobytes() for trial in curves for curve in trial]
    return b"".join(numbers) if moved else b""


def copy_notes(groups: Sequence[Sequence[Part]]) -> list[str]:
    """Return a note for each set of optimizers that are one program: on which problems they have the same numbers."""
    problems_of: dict[str, list[str]] = {}
    for parts in groups:
        names = ", ".join(part.record.optimizer for part in parts)
        problems_of.setdefault(names, []).append(parts[0].record.problem)
    notes = []
    for names, repeated in problems_of.items():
        problems = list(dict.fromkeys(repeated))
        more = f" and {len(problems) - MOST_NAMED} more problems" if len(problems) > MOST_NAMED else ""
        notes.append(f"{names}: bitwise identical results on {', '.join(problems[:MOST_NAMED])}{more}")
    return notes
