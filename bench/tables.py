"""A run, loaded: its tables are one call each. No jax, so that a table answers at once."""

from collections.abc import Callable, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from bench.analyse import convergence as analyse
from bench.analyse.convergence import Slice
from bench.present.table import Table, check_name, select
from bench.store import run_folder
from bench.store.run_folder import Part

#: Kind of table -> what it holds, and the function that makes its columns and rows.
KINDS: dict[str, tuple[str, Callable[[Sequence[Part], Slice], tuple[list[str], list[dict[str, Any]]]]]] = {
    "convergence": ("how far each tuned optimizer came", analyse.convergence),
    "trials": ("every trial, with its settings and where it ended", analyse.trials),
    "curves": ("every record of every trial", analyse.curves),
    "best": ("the best settings of each optimizer", analyse.best),
}


@dataclass(frozen=True)
class Run:
    """One run as it is stored. `torn` names parts that are no whole part of this schema, and are left out."""

    folder: Path
    manifest: dict[str, Any]
    parts: tuple[Part, ...]
    torn: tuple[Path, ...]
    missing: int

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
        meaning, make = KINDS[kind]
        names, rows = make(self.parts, Slice(at_step, target))
        notes = tuple(self._notes(kind, rows))
        table = Table(f"{self.folder.name}: {meaning}", tuple(names), tuple(rows), notes)
        return select(table, columns, sort)

    def convergence(self, **options: Any) -> Table:
        """One row per problem, optimizer and batch size, from the report seeds."""
        return self.table("convergence", **options)

    def trials(self, **options: Any) -> Table:
        """One row per trial."""
        return self.table("trials", **options)

    def curves(self, **options: Any) -> Table:
        """One row per trial and record."""
        return self.table("curves", **options)

    def best(self, **options: Any) -> Table:
        """The best settings of each optimizer on each problem."""
        return self.table("best", **options)

    def _notes(self, kind: str, rows: Sequence[dict[str, Any]]) -> list[str]:
        notes = [
            f"{part.footer['problem']} / {part.footer['optimizer']}: {part.footer['message']}" for part in self.failed
        ]
        notes += [f"{path} is torn and left out; `optbench run` computes it again" for path in self.torn]
        if self.missing:
            notes.append(f"{self.missing} of {len(self.manifest['cells'])} cells are not finished")
        if kind == "convergence":
            device = self.manifest["device"]["device"]
            dtype, seeds = self.manifest["suite"]["dtype"], self.manifest["suite"]["report_seeds"]
            fresh = "a fresh report seed" if seeds == 1 else f"{seeds} fresh report seeds"
            source = fresh if seeds else "the selection seeds, for want of report seeds"
            notes += [
                f"medians over {source}, with 95 % bootstrap intervals, of the point with the lowest median train_loss "
                f"on the selection seeds; {dtype} on {device}",
                "at_edge: the winner lies at an end of its grid, and a wider one may beat it; inf: most seeds "
                "diverged, or missed the target; steps to target are counted at records, on full batches at every step",
            ]
            if any((row["gap"] or 0) < 0 for row in rows):
                notes.append("a gap below zero is rounding: the suite fails a cell that ends further below the optimum")
        return notes


def load(run: str | Path = "latest", results: str | Path = "results") -> Run:
    """Load a run by name, path, or "latest". Raises StoreError that names the runs there are."""
    folder = run if isinstance(run, Path) else run_folder.find_run(Path(results), run)
    manifest = run_folder.read_manifest(folder)
    found = [run_folder.read_part(run_folder.part_path(folder, cell["key"])) for cell in manifest["cells"]]
    parts = tuple(part for part in found if part is not None and part.outcome != "torn")
    torn = tuple(part.path for part in found if part is not None and part.outcome == "torn")
    return Run(folder, manifest, parts, torn, found.count(None))
