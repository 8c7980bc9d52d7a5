"""A run, loaded: its tables are one call each. No jax, so that a table answers at once."""

import math
import re
from collections.abc import Callable, Sequence
from dataclasses import dataclass
from functools import cached_property, partial
from pathlib import Path
from typing import Any

from optbench.analyse.outcomes import Slice
from optbench.present.table import Table, check_name, select
from optbench.store import parts
from optbench.store.locations import place
from optbench.store.parts import Part
from optbench.store.scan import scan
from optbench.store.timings import read_timings
from optbench.tables.table_kind import KINDS


@dataclass(frozen=True)
class Run:
    """One run as it is stored. `torn` are parts that are no whole part of this schema, and are left out."""

    folder: Path
    manifest: dict[str, Any]
    parts: tuple[Part, ...]
    torn: tuple[Part, ...]
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
        seeds: int | None = None,
        problems: Sequence[str] = (),
        optimizers: Sequence[str] = (),
        columns: Sequence[str] | None = None,
        sort: str | None = None,
    ) -> Table:
        """Make a table of a kind, from all cells or those of some problems and optimizers.

        KINDS says which kinds there are, `Slice` and `only` what the other words mean. Raises ValueError for an unknown
        kind, name or column.
        """
        check_name(kind, tuple(KINDS), "table")
        for name, value, least in (("at_step", at_step, 0), ("seeds", seeds, 1)):
            if value is not None and value < least:
                raise ValueError(f"{name}: {value} is not accepted; accepted: integers >= {least}")
        if target is not None and not math.isfinite(target):
            raise ValueError(f"target: {target} is not accepted; accepted: finite numbers")
        chosen, view = self.only(problems, optimizers), Slice(at_step, target, seeds)
        made = KINDS[kind]
        names, rows = made.make(chosen, view)
        title = f"{self.folder.name}: {', '.join([made.meaning, *(_said(view) if made.of_curves else [])])}"
        notes = tuple(made.notes(chosen, rows, view))
        table = Table(title, tuple(names), rows, notes, unshown=tuple(made.unshown(names)))
        return select(table, columns, sort)

    def __getattr__(self, name: str) -> Callable[..., Table]:
        """Make each kind of table a method: `run.time_to_target(at_step=100)` is `run.table("time-to-target", ...)`."""
        kind = name.replace("_", "-")
        if kind not in KINDS:
            raise AttributeError(f"{type(self).__name__!r} object has no attribute {name!r}")
        return partial(self.table, kind)

    def only(self, problems: Sequence[str] = (), optimizers: Sequence[str] = ()) -> "Run":
        """Keep the cells of some problems and optimizers: by label, by family or name, or by a pattern with * and ?.

        Raises ValueError where one of them fits no cell.
        """
        cells = self.manifest["cells"]
        for noun, wanted in (("problem", problems), ("optimizer", optimizers)):
            if wanted:
                labels = list(dict.fromkeys(cell[noun] for cell in cells))
                kept = {label for text in wanted for label in _labels(text, labels, noun)}
                cells = [cell for cell in cells if cell[noun] in kept]
        keys = {cell["key"] for cell in cells}
        parts = tuple(part for part in self.parts if part.path.stem in keys)
        torn = tuple(part for part in self.torn if part.path.stem in keys)
        return Run(self.folder, self.manifest | {"cells": cells}, parts, torn, len(keys) - len(parts) - len(torn))


def _said(view: Slice) -> list[str]:
    """Say which part of the curves a table looks at."""
    said = [] if view.at_step is None else [f"at step {view.at_step}"]
    said += [] if view.target is None else [f"to train_loss <= {view.target:g}"]
    return said + ([] if view.seeds is None else [f"of {view.seeds} {'seed' if view.seeds == 1 else 'seeds'}"])


def _labels(text: str, labels: Sequence[str], noun: str) -> list[str]:
    """Find the labels that a text stands for: itself, those of its family, or those that its pattern fits."""
    if text in labels:
        return [text]
    pattern = re.compile("".join({"*": ".*", "?": "."}.get(mark, re.escape(mark)) for mark in text))
    found = [label for label in labels if pattern.fullmatch(label) or pattern.fullmatch(label.partition("[")[0])]
    if not found:
        check_name(text, labels, noun)
    return found


def load(run: str | Path = "latest", results: str | Path = "results") -> Run:
    """Load a run by name, path, or "latest". Raises StoreError that names the runs there are."""
    folder = parts.find_run(place(results), run) if isinstance(run, str) else run
    return assemble(folder, parts.read_manifest(folder))


def assemble(folder: Path, manifest: dict[str, Any]) -> Run:
    """Make a run of what is stored of the cells that a manifest names; the one that is stored may be another's."""
    keys = [cell["key"] for cell in manifest["cells"]]
    found = scan(folder, keys)
    parts = tuple(part for part in found.values() if part.outcome != "torn")
    torn = tuple(part for part in found.values() if part.outcome == "torn")
    return Run(folder, manifest, parts, torn, len(keys) - len(found))
