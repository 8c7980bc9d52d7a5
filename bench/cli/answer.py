"""What a run ends with: who is best and how sure that is, in sentences and two small tables, and what to type next."""

import shlex
from collections.abc import Sequence
from dataclasses import replace
from pathlib import Path
from typing import TYPE_CHECKING

from optbench.cli.output import say_wrapped, show

if TYPE_CHECKING:
    from optbench.results import Run

#: With more problems than that, their table is a command of its own.
MOST_PROBLEMS = 8


def print_answer(run: "Run", throughput: bool) -> None:
    """Print the answer of a run; of a single problem, or without a finished cell, its whole table."""
    from optbench.report.summary import summary
    from optbench.store.status import Outcome

    finished = [part.record for part in run.parts if part.outcome == Outcome.FINISHED]
    tasks = {(record.problem, record.batch_size) for record in finished}
    if len(tasks) < 2:
        show(run.convergence())
        if throughput and run.timings:
            print()
            show(run.throughput())
        print()
    say_wrapped("\n".join(summary(run.stored, brief=True)))
    names = [row["optimizer"] for row in run.best().to_records() if row["train_loss"] is not None]
    if len(tasks) > 1:
        answer, matrix = run.table("answer"), run.table("matrix")
        names = [row["optimizer"] for row in answer.to_records()]
        # Below the sentences they need no title, and one text says what the columns of both mean.
        small = len(tasks) <= MOST_PROBLEMS
        print()
        show(replace(answer, title="", notes=() if small else answer.notes))
        if small:
            print()
            show(
                replace(
                    matrix,
                    title="",
                    notes=("; ".join([*answer.notes, *(f"last table: {note}" for note in matrix.notes)]),),
                )
            )
    name = shlex.quote(typed(run.folder))
    print(f"\nkept in {run.folder}; next: optbench table {name} best; optbench report {name}")
    if compared := _comparison(run, list(dict.fromkeys(names))):
        print(compared)


def typed(folder: Path) -> str:
    """Return a run's folder as it can be typed: its name alone where it lies among the others."""
    return folder.name if folder.parent == Path("results") else str(folder)


def _comparison(run: "Run", names: Sequence[str]) -> str:
    """Return the command that compares the first two optimizers; nothing of fewer."""
    options = [] if run.folder.parent == Path("results") else ["--results", str(run.folder.parent)]
    # A spec's brackets need quotes in a shell.
    return f"optbench compare {shlex.join([*names[:2], *options])}" if len(names) > 1 else ""
