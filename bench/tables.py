"""A run, loaded: its tables are one call each. No jax, so that a table answers at once."""

from collections.abc import Callable, Iterable, Sequence
from dataclasses import dataclass
from functools import cached_property
from pathlib import Path
from typing import Any, NamedTuple

from bench.analyse import convergence as analyse
from bench.analyse import listing, throughput
from bench.analyse.outcomes import Slice
from bench.present.table import Table, check_name, select
from bench.store import run_folder
from bench.store.run_folder import Part
from bench.store.timings import read_timings

Row = dict[str, Any]


@dataclass(frozen=True)
class Run:
    """One run as it is stored. `torn` names parts that are no whole part of this schema, and are left out."""

    folder: Path
    manifest: dict[str, Any]
    parts: tuple[Part, ...]
    torn: tuple[Path, ...]
    missing: int

    @cached_property
    def timings(self) -> tuple[dict[str, Any], ...]:
        """What timing single trials gave, of the cells that were timed."""
        keys = [cell["key"] for cell in self.manifest["cells"]]
        return tuple(read_timings(self.folder, keys).values())

    @property
    def failed(self) -> tuple[Part, ...]:
        """The cells that ended in an error."""
        return tuple(part for part in self.parts if part.outcome == "failed")

    def table(
        self,
        kind: str = "convergence",
        *,
        at_step: int | None = None,
        target: float | None = None,
        columns: Sequence[str] | None = None,
        sort: str | None = None,
    ) -> Table:
        """Make a table; KINDS says which there are. Raises ValueError for an unknown kind or column."""
        check_name(kind, tuple(KINDS), "table")
        if at_step is not None and at_step < 0:
            raise ValueError(f"at_step: {at_step} is not accepted; accepted: integers >= 0")
        meaning, make, notes = KINDS[kind]
        names, rows = make(self, Slice(at_step, target))
        table = Table(f"{self.folder.name}: {meaning}", tuple(names), rows, tuple(notes(self, rows)))
        return select(table, columns, sort)

    def convergence(self, **options: Any) -> Table:
        """One row per problem, optimizer and batch size, from the report seeds."""
        return self.table("convergence", **options)

    def trials(self, **options: Any) -> Table:
        """One row per trial."""
        return self.table("trials", **options)

    def curves(self, **options: Any) -> Table:
        """One row per trial and record, read anew each time they are gone through."""
        return self.table("curves", **options)

    def best(self, **options: Any) -> Table:
        """The best settings of each optimizer on each problem."""
        return self.table("best", **options)

    def throughput(self, **options: Any) -> Table:
        """What a step costs: one row per problem, optimizer and batch size that was timed."""
        return self.table("throughput", **options)

    def time_to_target(self, **options: Any) -> Table:
        """Seconds to each problem's target, and a score over all problems."""
        return self.table("time-to-target", **options)


def _cell_notes(run: Run) -> list[str]:
    """Name the cells that failed, are torn or are missing."""
    notes = [f"{part.footer['problem']} / {part.footer['optimizer']}: {part.footer['message']}" for part in run.failed]
    notes += [f"{path} is torn and left out; `optbench run` computes it again" for path in run.torn]
    if run.missing:
        notes.append(f"{run.missing} of {len(run.manifest['cells'])} cells are not finished")
    return notes


def _convergence_notes(run: Run, rows: Iterable[Row]) -> list[str]:
    device = run.manifest["device"]["device"]
    dtype, seeds = run.manifest["suite"]["dtype"], run.manifest["suite"]["report_seeds"]
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


def _throughput_notes(run: Run, rows: Iterable[Row]) -> list[str]:
    left = len(run.manifest["cells"]) - len(run.timings)
    untimed = [f"{left} of {len(run.manifest['cells'])} cells are not timed (optbench throughput)"] if left else []
    return throughput.notes(run.timings) + untimed


def _target_notes(run: Run, rows: Iterable[Row]) -> list[str]:
    untimed = [] if run.timings else ["no cell is timed yet; optbench throughput times them"]
    return _cell_notes(run) + untimed + throughput.TARGET_NOTES


class Kind(NamedTuple):
    """Say what a table holds, how its columns and rows are made, and what stands below it."""

    meaning: str
    make: Callable[[Run, Slice], tuple[list[str], Iterable[Row]]]
    notes: Callable[[Run, Iterable[Row]], list[str]] = lambda run, rows: _cell_notes(run)


KINDS = {
    "convergence": Kind(
        "how far each tuned optimizer came", lambda run, view: analyse.convergence(run.parts, view), _convergence_notes
    ),
    "throughput": Kind("what a step costs", lambda run, view: throughput.throughput(run.timings), _throughput_notes),
    "time-to-target": Kind(
        "how long the target takes",
        lambda run, view: throughput.time_to_target(run.parts, run.timings, view),
        _target_notes,
    ),
    "best": Kind("the best settings of each optimizer", lambda run, view: analyse.best(run.parts, view)),
    "trials": Kind(
        "every trial, with its settings and where it ended", lambda run, view: listing.trials(run.parts, view)
    ),
    "curves": Kind("every record of every trial", lambda run, view: listing.curves(run.parts, view)),
}


def load(run: str | Path = "latest", results: str | Path = "results") -> Run:
    """Load a run by name, path, or "latest". Raises StoreError that names the runs there are."""
    folder = run if isinstance(run, Path) else run_folder.find_run(Path(results), run)
    manifest = run_folder.read_manifest(folder)
    found = [run_folder.read_part(run_folder.part_path(folder, cell["key"])) for cell in manifest["cells"]]
    parts = tuple(part for part in found if part is not None and part.outcome != "torn")
    torn = tuple(part.path for part in found if part is not None and part.outcome == "torn")
    return Run(folder, manifest, parts, torn, found.count(None))
