"""The identity of a cell: a digest of everything that determines its numbers."""

import json
import os
from collections.abc import Callable
from functools import cache
from hashlib import file_digest as digest_of_file
from hashlib import sha256
from importlib.metadata import version
from pathlib import Path
from typing import Any

from optbench import search
from optbench.planning.cell_sources import combined, engine_digest, own_digest, probe_files, problem_files, search_files
from optbench.planning.registry import Implementations, source_file
from optbench.problems.data_files import files_of
from optbench.request import Cell
from optbench.request.cells import canonical_text, points_digest
from optbench.store.manifest import TRAINS

#: Variables of the environment that change numbers and can't be pinned: part of a key where they are set.
VARIABLES = ("XLA_FLAGS", "LIBTPU_INIT_ARGS", "NVIDIA_TF32_OVERRIDE")
#: Of their flags those that change no numbers: how many devices a host shows, and what is written down.
_HARMLESS_FLAGS = ("--xla_force_host_platform_device_count", "--xla_dump")
#: The JSON text of what is digested: one encoder, since making one takes longer than using it.
to_text: Callable[[Any], str] = json.JSONEncoder(sort_keys=True, allow_nan=False).encode


def keyer(everything: Implementations, device_kind: str) -> Callable[[Cell], str]:
    """Return what keys a cell: files are taken as they are now, so that each planning needs a keyer of its own.

    A key is 24 hexadecimal digits of a digest of the cell as it was asked for, of the code and data that its numbers
    depend on, and of what they run on. What many cells share is read and digested once.
    """
    # Not how many devices share the points out: on one or on several, curves are equal up to rounding.
    environment = {package: version(package) for package in TRAINS} | {"device": device_kind} | flags()
    data_digest, plugin_digest = cache(file_digest), cache(lambda name: _plugin_digest(everything, name, data_digest))
    problem_digest = cache(lambda name: _problem_digest(everything, name))
    # The points themselves are kept beside their digest: what is gone may leave its identity to another.
    points: dict[int, tuple[Any, str]] = {}

    @cache
    def shared(problem: str, optimizer: str, strategy: str, probed: bool, data: tuple[Path, ...]) -> str:
        plugins = [plugin_digest(name) for name in (problem, optimizer) if name in everything.plugins]
        probes = [own_digest(file) for file in probe_files()] if probed else []
        sources = [engine_digest(), problem_digest(problem), *plugins, *probes, *sorted(map(data_digest, data))]
        return f"{to_text(sources)}, {to_text(environment | _search_identity(strategy))}"

    def key(cell: Cell) -> str:
        if id(cell.points) not in points:
            points[id(cell.points)] = (cell.points, points_digest(cell.points))
        request = canonical_text(cell, points[id(cell.points)][1])
        data = tuple(given_files(cell))
        rest = shared(cell.problem_name, cell.optimizer_name, cell.search, bool(cell.probes), data)
        return sha256(f"[{request}, {rest}]".encode()).hexdigest()[:24]

    return key


def flags() -> dict[str, str]:
    """Return what variables of the environment set that changes numbers, in an order of its own."""
    words = {name: os.environ.get(name, "").split() for name in VARIABLES}
    # Of a flag that stands there twice the last one holds.
    last = {name: {word.partition("=")[0]: word for word in each} for name, each in words.items()}
    texts = {
        name: " ".join(word for flag, word in sorted(each.items()) if not flag.startswith(_HARMLESS_FLAGS))
        for name, each in last.items()
    }
    return {name: text for name, text in texts.items() if text}


def given_files(cell: Cell) -> list[Path]:
    """List the data files that a cell's parameters name, its optimizer's too, and those read beside them."""
    values = [*cell.problem_parameters.values(), *cell.optimizer_static.values()]
    given = [Path(os.path.expanduser(value)) for value in values if isinstance(value, str)]
    return [file for path in given for file in files_of(path)]


def file_digest(path: Path) -> str:
    """Digest a file's content."""
    with path.open("rb") as file:
        return digest_of_file(file, "sha256").hexdigest()


def _search_identity(name: str) -> dict[str, Any]:
    """Return what a search strategy does while points are trained: of any other only its points matter."""
    strategy = search.strategy(name)
    rungs = {"rungs": strategy.rungs} if strategy.rungs else {}
    if strategy.propose is None:
        return rungs
    package = {strategy.package: version(strategy.package)} if strategy.package else {}
    return rungs | package | {"search": combined(map(own_digest, search_files(search.file_of(name))))}


def _problem_digest(everything: Implementations, name: str) -> str:
    """Digest a problem of optbench's own, with what it imports; a plug-in's code is digested as a plug-in."""
    file = None if name in everything.plugins else source_file(everything.problems[name])
    return combined(own_digest(path) for path in problem_files(file)) if file else ""


def _plugin_digest(everything: Implementations, name: str, data_digest: Callable[[Path], str]) -> str:
    """Digest the code that a plug-in consists of, the data that its code names, and the versions of what it imports."""
    plugin = everything.plugins[name]

    ours = {path for file in plugin.sources.ours for path in problem_files(file)}
    data = combined(data_digest(file) for file in plugin.data_files())
    return to_text([sorted(plugin.code), combined(map(own_digest, ours)), data, dict(plugin.sources.versions)])
