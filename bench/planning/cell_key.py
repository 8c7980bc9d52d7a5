"""Key the cells of one planning: what many of them share is read and digested once."""

from collections.abc import Callable
from importlib.metadata import version
from pathlib import Path
from typing import Any

from optbench.planning import source_digest
from optbench.planning.problem_cache import given_files
from optbench.planning.registry import Known, plugin_file, source_file
from optbench.planning.source_digest import to_text
from optbench.request import Cell
from optbench.request.cells import canonical_text, points_text

#: Whose versions are part of every key.
PACKAGES = ("jax", "jaxlib", "optax", "flax")


def keyer(everything: Known, device_kind: str) -> Callable[[Cell], str]:
    """Return what keys a cell: files are taken as they are now, so that each planning needs a keyer of its own."""
    # Not how many devices share the points out: on one or on several, curves are equal up to rounding.
    environment = {package: version(package) for package in PACKAGES} | {"device": device_kind}
    environments: dict[bool, str] = {False: to_text(environment)}
    digests: dict[tuple[Any, ...], str] = {}
    files: dict[Path, str] = {}
    imported: dict[Path, tuple[Path, ...]] = {}
    # The points themselves are kept beside their text: what is gone may leave its identity to another.
    points: dict[int, tuple[Any, str]] = {}

    def digests_of(cell: Cell) -> str:
        texts = tuple(value for value in cell.problem_parameters.values() if isinstance(value, str))
        shared = (cell.problem_name, cell.optimizer_name, texts, bool(cell.num_asked))
        if shared not in digests:
            digests[shared] = to_text(source_digest.digests_of(_sources(cell, everything, imported), files))
        return digests[shared]

    def environment_of(cell: Cell) -> str:
        searched = bool(cell.num_asked)
        if searched not in environments:
            environments[searched] = to_text(environment | {"optuna": version("optuna")})
        return environments[searched]

    def key(cell: Cell) -> str:
        if id(cell.points) not in points:
            points[id(cell.points)] = (cell.points, points_text(cell.points))
        request = canonical_text(cell, points[id(cell.points)][1])
        return source_digest.key_of_texts(request, digests_of(cell), environment_of(cell))

    return key


def _sources(cell: Cell, everything: Known, imported: dict[Path, tuple[Path, ...]]) -> set[Path]:
    """List the files that a cell's numbers depend on; `imported` keeps what each of them imports."""

    def with_imports(file: Path) -> tuple[Path, ...]:
        if file not in imported:
            imported[file] = source_digest.problem_sources(file)
        return imported[file]

    optimizer = everything.optimizers[cell.optimizer_name]
    sources = {*source_digest.engine_sources(), *given_files(cell)}
    if file := source_file(everything.problems[cell.problem_name]):
        sources |= {*with_imports(file)}
    if ":" in cell.problem_name and (file := plugin_file(cell.problem_name)):
        # Beside the factory's own file: a plug-in may be a partial of something else's.
        sources |= {*with_imports(file)}
    if ":" in cell.optimizer_name:
        sources |= {file for file in (plugin_file(cell.optimizer_name), source_file(optimizer.build)) if file}
    if cell.num_asked:
        sources.add(source_digest.folder_of("optbench") / "search" / "points.py")
    return sources
