"""A run as it is stored: its manifest, its parts and its timings, of all cells or of some."""

import re
from collections.abc import Sequence
from dataclasses import dataclass
from functools import cached_property
from pathlib import Path
from typing import Any

from optbench.errors import check_name
from optbench.store.locations import children, locate
from optbench.store.manifest import read_manifest
from optbench.store.parts import Part, TornPart
from optbench.store.runs import find_run
from optbench.store.scan import scan
from optbench.store.status import Outcome
from optbench.store.timings import Timing, read_timings


@dataclass(frozen=True)
class StoredRun:
    """One run as it is stored. `torn` are parts that are no whole part of this schema, and are left out."""

    folder: Path
    manifest: dict[str, Any]
    parts: tuple[Part, ...]
    torn: tuple[TornPart, ...]
    #: Cells without a part.
    missing: int
    #: The run that this one is some cells of.
    cut_of: "StoredRun | None" = None

    @property
    def whole(self) -> "StoredRun":
        """Return the run with all its cells, whichever of them this one has."""
        return self.cut_of or self

    @cached_property
    def timings(self) -> tuple[Timing, ...]:
        """Return what timing single trials gave, of the cells that were timed."""
        keys = [cell["key"] for cell in self.manifest["cells"]]
        return tuple(read_timings(self.folder, keys).values())

    @property
    def others(self) -> list[Path]:
        """List the parts in the run's folder that its manifest doesn't name: those of earlier requests."""
        keys = {cell["key"] for cell in self.manifest["cells"]}
        parts = [path for path in children(self.folder / "parts") if path.suffix == ".parquet"]
        return [path for path in parts if path.stem not in keys]

    @property
    def failed(self) -> tuple[Part, ...]:
        """Return the parts of cells that ended in an error."""
        return tuple(part for part in self.parts if part.outcome == Outcome.FAILED)

    def only(self, problems: Sequence[str] = (), optimizers: Sequence[str] = ()) -> "StoredRun":
        """Keep the cells of some problems and optimizers: by label, by family or name, or by a pattern with * and ?.

        Raises RequestError where one of them fits no cell.
        """
        cells = self.manifest["cells"]
        for noun, wanted in (("problem", problems), ("optimizer", optimizers)):
            if wanted:
                labels = list(dict.fromkeys(cell[noun] for cell in cells))
                chosen = {label for text in wanted for label in _labels(text, labels, noun)}
                cells = [cell for cell in cells if cell[noun] in chosen]
        return self.of_cells(cells)

    def of_cells(self, cells: Sequence[dict[str, Any]]) -> "StoredRun":
        """Keep some of the cells that the manifest names."""
        keys = {cell["key"] for cell in cells}
        parts = tuple(part for part in self.parts if part.path.stem in keys)
        torn = tuple(part for part in self.torn if part.path.stem in keys)
        missing = len(keys) - len(parts) - len(torn)
        return StoredRun(self.folder, self.manifest | {"cells": list(cells)}, parts, torn, missing, self.whole)


def _labels(text: str, labels: Sequence[str], noun: str) -> list[str]:
    """Return the labels that a text stands for: itself, those of its family, or those that its pattern fits."""
    if text in labels:
        return [text]
    pattern = re.compile("".join({"*": ".*", "?": "."}.get(mark, re.escape(mark)) for mark in text))
    matches = [label for label in labels if pattern.fullmatch(label) or pattern.fullmatch(label.partition("[")[0])]
    if not matches:
        check_name(text, labels, noun)
    return matches


def load_stored(run: str | Path = "latest", results: str | Path = "results") -> StoredRun:
    """Load a run by name, path, or "latest". Raises StoreError that names the runs there are."""
    folder = find_run(locate(results), run) if isinstance(run, str) else run
    return assemble(folder, read_manifest(folder))


def assemble(folder: Path, manifest: dict[str, Any]) -> StoredRun:
    """Return the run of the cells that a manifest names; the one that is stored may be another's."""
    keys = [cell["key"] for cell in manifest["cells"]]
    stored = scan(folder, keys)
    parts = tuple(part for part in stored.values() if isinstance(part, Part))
    torn = tuple(part for part in stored.values() if isinstance(part, TornPart))
    return StoredRun(folder, manifest, parts, torn, len(keys) - len(stored))
