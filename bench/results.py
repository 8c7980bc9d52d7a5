"""A run, loaded: its tables are one call each. No jax, so that a table answers at once."""

from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any, TypedDict, Unpack

from optbench import tables
from optbench.present.table import Table
from optbench.store.parts import Part, TornPart
from optbench.store.run import StoredRun, load_stored
from optbench.store.timings import Timing


class Words(TypedDict, total=False):
    """What a table may be asked for beside its kind: `Slice` and `only` say what the words mean."""

    at_step: int | None
    target: float | None
    seeds: int | None
    by: str | None
    problems: Sequence[str]
    optimizers: Sequence[str]
    columns: Sequence[str] | None
    sort: str | None


@dataclass(frozen=True)
class Run:
    """One run with its tables: `run.convergence()`, `run.time_to_target(at_step=100)`, `run.table("ranks")`.

    Each raises ValueError for an unknown kind, name or column.
    """

    stored: StoredRun

    def _repr_html_(self) -> str:
        """Return the answer as a notebook shows it."""
        return self.answer()._repr_html_()

    @property
    def folder(self) -> Path:
        """Return the run's folder."""
        return self.stored.folder

    @property
    def manifest(self) -> dict[str, Any]:
        """Return what the run says of itself: suite, versions, device, cells."""
        return self.stored.manifest

    @property
    def parts(self) -> tuple[Part, ...]:
        """Return the parts of cells that finished or failed."""
        return self.stored.parts

    @property
    def torn(self) -> tuple[TornPart, ...]:
        """Return the parts that are no whole part of this schema."""
        return self.stored.torn

    @property
    def whole(self) -> "Run":
        """Return the run with all its cells, whichever of them this one has."""
        return Run(self.stored.whole)

    @property
    def failed(self) -> tuple[Part, ...]:
        """Return the parts of cells that ended in an error."""
        return self.stored.failed

    @property
    def missing(self) -> int:
        """Return the number of cells without a part."""
        return self.stored.missing

    @property
    def timings(self) -> tuple[Timing, ...]:
        """Return what timing single trials gave, of the cells that were timed."""
        return self.stored.timings

    def only(self, problems: Sequence[str] = (), optimizers: Sequence[str] = ()) -> "Run":
        """Keep the cells of some problems and optimizers, as `StoredRun.only` says."""
        return Run(self.stored.only(problems, optimizers))

    def table(self, kind: str = "convergence", **words: Unpack[Words]) -> Table:
        """Make a table of a kind, from all cells or those of some problems and optimizers."""
        return tables.table(self.stored, kind, **words)

    def answer(self, **words: Unpack[Words]) -> Table:
        """Tabulate which optimizer is best over problems, and how sure that is."""
        return self.table("answer", **words)

    def matrix(self, **words: Unpack[Words]) -> Table:
        """Tabulate how far each optimizer came from the best of each problem."""
        return self.table("matrix", **words)

    def convergence(self, **words: Unpack[Words]) -> Table:
        """Tabulate how far each tuned optimizer came."""
        return self.table("convergence", **words)

    def throughput(self, **words: Unpack[Words]) -> Table:
        """Tabulate what a step costs."""
        return self.table("throughput", **words)

    def time_to_target(self, **words: Unpack[Words]) -> Table:
        """Tabulate how long the target takes."""
        return self.table("time-to-target", **words)

    def best(self, **words: Unpack[Words]) -> Table:
        """Tabulate the best settings of each optimizer."""
        return self.table("best", **words)

    def trials(self, **words: Unpack[Words]) -> Table:
        """Tabulate every trial, with its settings and where it ended."""
        return self.table("trials", **words)

    def curves(self, **words: Unpack[Words]) -> Table:
        """Tabulate every record of every trial."""
        return self.table("curves", **words)

    def sensitivity(self, **words: Unpack[Words]) -> Table:
        """Tabulate how much the learning rate matters."""
        return self.table("sensitivity", **words)

    def budget(self, **words: Unpack[Words]) -> Table:
        """Tabulate the expected best of k configurations."""
        return self.table("budget", **words)

    def batch_scaling(self, **words: Unpack[Words]) -> Table:
        """Tabulate what a larger batch buys."""
        return self.table("batch-scaling", **words)

    def ranks(self, **words: Unpack[Words]) -> Table:
        """Tabulate mean ranks over problems."""
        return self.table("ranks", **words)

    def ert(self, **words: Unpack[Words]) -> Table:
        """Tabulate expected running time to each target."""
        return self.table("ert", **words)

    def ecdf(self, **words: Unpack[Words]) -> Table:
        """Tabulate the share of targets met."""
        return self.table("ecdf", **words)

    def profile(self, **words: Unpack[Words]) -> Table:
        """Tabulate performance profiles."""
        return self.table("profile", **words)

    def defaults(self, **words: Unpack[Words]) -> Table:
        """Tabulate what tuning buys."""
        return self.table("defaults", **words)


def load(run: str | Path = "latest", results: str | Path = "results") -> Run:
    """Load a run by name, path, or "latest". Raises StoreError that names the runs there are."""
    return Run(load_stored(run, results))
