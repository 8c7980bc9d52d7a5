"""The kinds of tables that a run has: what each holds, how it is made, and what stands below it."""

from collections.abc import Callable, Iterable, Iterator
from dataclasses import dataclass
from typing import Any, NamedTuple

from optbench.analyse import ranks, step_times, targets
from optbench.analyse.outcomes import Slice
from optbench.store.run import StoredRun
from optbench.tables import (
    batch_scaling,
    budget,
    convergence,
    defaults,
    sensitivity,
    throughput,
    time_to_target,
    trials,
)

Row = dict[str, Any]


def _cell_notes(run: StoredRun) -> list[str]:
    """Name the cells that failed, are torn or are missing."""
    notes = [f"{part.footer['problem']} / {part.footer['optimizer']}: {part.footer['message']}" for part in run.failed]
    notes += [f"{part.path} {part.message}: left out; `optbench run` computes it again" for part in run.torn]
    if run.missing:
        notes.append(f"{run.missing} of {len(run.manifest['cells'])} cells are not finished")
    if not any(part.outcome == "finished" for part in run.parts):
        notes.append("no cell has finished")
    return notes


def _select_notes(run: StoredRun) -> list[str]:
    """Say beside it that a search stopped some trials before their last step, where it did."""
    footers = [part.footer for part in run.parts if "trial_steps" in part.footer]
    stopped = sum(one["trial_steps"] < one["num_points"] * one["seeds"] * one["steps"] for one in footers)
    count = f"{stopped} of {len(run.manifest['cells'])}"
    said = f"in {count} cells a search stopped some selection trials early: they count with what they had then"
    return _cell_notes(run) + ([said] if stopped else [])


def _report_notes(run: StoredRun) -> list[str]:
    """Say beside it that there are no report seeds, where there are none."""
    without = any(part.outcome == "finished" and not part.footer["report_seeds"] for part in run.parts)
    said = "for want of report seeds, the selection seeds of the best point stand in for them"
    return _cell_notes(run) + ([said] if without else [])


def _convergence_notes(run: StoredRun, rows: Iterable[Row], view: Slice) -> list[str]:
    device = run.manifest["device"]["device"]
    dtype, stored = run.manifest["suite"]["dtype"], run.manifest["suite"]["report_seeds"]
    seeds = stored if view.seeds is None else min(view.seeds, stored)
    fresh = "a fresh report seed" if seeds == 1 else f"{seeds} fresh report seeds"
    source = fresh if seeds else "the selection seeds, for want of report seeds"
    notes = [
        *_cell_notes(run),
        f"medians over {source}, with 95 % bootstrap intervals, of the point with the lowest median train_loss "
        f"on the selection seeds; {dtype} on {device}",
        "at_edge: the winner lies at an end of its grid, and a wider one may beat it; inf: most seeds "
        "diverged, or missed the target; steps to target are counted at records, on full batches at every step",
    ]
    if any((row["gap"] or 0) < 0 for row in rows):
        notes.append("a gap below zero is rounding: the suite fails a cell that ends further below the optimum")
    return notes


def _throughput_notes(run: StoredRun, rows: Iterable[Row], view: Slice) -> list[str]:
    left = len(run.manifest["cells"]) - len(run.timings)
    untimed = [f"{left} of {len(run.manifest['cells'])} cells are not timed (optbench throughput)"] if left else []
    return throughput.notes(run.timings) + untimed


def _target_notes(run: StoredRun, rows: Iterable[Row], view: Slice) -> list[str]:
    untimed = [] if run.timings else ["no cell is timed yet; optbench throughput times them"]
    return _cell_notes(run) + untimed + time_to_target.NOTES


class Kind(NamedTuple):
    """Say what a table holds, how its columns and rows are made, and what stands below it."""

    meaning: str
    make: Callable[[StoredRun, Slice], tuple[list[str], Iterable[Row]]]
    notes: Callable[[StoredRun, Iterable[Row], Slice], list[str]] = lambda run, rows, view: _cell_notes(run)
    #: Columns that only machines get.
    unshown: Callable[[list[str]], list[str]] = lambda columns: []
    #: A slice of the curves changes it.
    of_curves: bool = True


def _and(notes: list[str]) -> Callable[..., list[str]]:
    return lambda run, rows, view: _select_notes(run) + notes


@dataclass(frozen=True)
class FirstSeeds:
    """The rows of the first seeds, read anew each time they are gone through: they need not fit into memory."""

    rows: Iterable[Row]
    num: int

    def __iter__(self) -> Iterator[Row]:
        return (row for row in self.rows if row["seed"] < self.num)

    def __len__(self) -> int:
        return sum(1 for _ in self)


def _first_seeds(columns: list[str], rows: Iterable[Row], view: Slice) -> tuple[list[str], Iterable[Row]]:
    return columns, rows if view.seeds is None else FirstSeeds(rows, view.seeds)


KINDS = {
    "convergence": Kind(
        "how far each tuned optimizer came",
        lambda run, view: convergence.convergence(run.parts, view),
        _convergence_notes,
    ),
    "throughput": Kind(
        "what a step costs", lambda run, view: throughput.throughput(run.timings), _throughput_notes, of_curves=False
    ),
    "time-to-target": Kind(
        "how long the target takes",
        lambda run, view: time_to_target.time_to_target(run.parts, run.timings, view),
        _target_notes,
    ),
    "best": Kind("the best settings of each optimizer", lambda run, view: convergence.best(run.parts, view)),
    "trials": Kind(
        "every trial, with its settings and where it ended",
        lambda run, view: _first_seeds(*trials.trials(run.parts, view), view),
    ),
    "curves": Kind(
        "every record of every trial", lambda run, view: _first_seeds(*trials.curves(run.parts, view), view)
    ),
    "sensitivity": Kind(
        "how much the learning rate matters",
        lambda run, view: sensitivity.sensitivity(run.parts, view),
        _and(sensitivity.NOTES),
    ),
    "budget": Kind(
        "the expected best of k configurations",
        lambda run, view: budget.budget(run.parts, view),
        _and(budget.NOTES),
        budget.unshown,
    ),
    "batch-scaling": Kind(
        "what a larger batch buys",
        lambda run, view: batch_scaling.batch_scaling(run.parts, view),
        lambda run, rows, view: _select_notes(run) + batch_scaling.notes(rows),
    ),
    "ranks": Kind(
        "mean ranks over problems",
        lambda run, view: ranks.ranks(run.parts, view),
        lambda run, rows, view: _report_notes(run) + ranks.notes(run.parts, view),
    ),
    "ert": Kind(
        "expected running time to each target",
        lambda run, view: targets.ert(run.parts, step_times.step_seconds(run.timings), view),
        lambda run, rows, view: _report_notes(run) + targets.ERT_NOTES + targets.unsolved(rows),
    ),
    "ecdf": Kind(
        "the share of targets met",
        lambda run, view: targets.ecdf(run.parts, view),
        lambda run, rows, view: _report_notes(run) + targets.ecdf_notes(rows),
    ),
    "profile": Kind(
        "performance profiles",
        lambda run, view: targets.profile(run.parts, view),
        lambda run, rows, view: _report_notes(run) + targets.profile_notes(run.parts, view),
    ),
    "defaults": Kind("what tuning buys", lambda run, view: defaults.defaults(run.parts, view), _and(defaults.NOTES)),
}
