"""The identity of a cell: a digest of everything that determines its numbers."""

import ast
import json
from collections.abc import Callable, Iterable, Mapping
from functools import cache
from hashlib import sha256
from importlib.util import find_spec
from pathlib import Path
from typing import Any

#: Of a checkout its folder; of an installed copy, where packages are installed.
ROOT = Path(__file__).parents[2]
#: What optbench consists of, in a checkout in folders side by side.
PACKAGES = ("optbench", "optbench.optimizers", "optbench.problems")
#: The JSON text of what is digested: one encoder, since making one takes longer than using it.
to_text: Callable[[Any], str] = json.JSONEncoder(sort_keys=True, allow_nan=False).encode


def cell_key(request: Mapping[str, Any], sources: Iterable[Path], environment: Mapping[str, Any]) -> str:
    """Digest a request, the files that compute its numbers, and the versions they run on: 24 hexadecimal digits.

    The order in which things were typed does not matter; the content of every file does, its place does not.
    """
    return key_of_texts(to_text(request), to_text(digests_of(sources, {})), to_text(environment))


def key_of_texts(request: str, digests: str, environment: str) -> str:
    """Digest what `to_text` made of a request, of the digests of its files, and of its environment."""
    return sha256(f"[{request}, {digests}, {environment}]".encode()).hexdigest()[:24]


def digests_of(sources: Iterable[Path], kept: dict[Path, str]) -> list[tuple[str, str]]:
    """Name the files with the digests of their content; `kept` holds those that need not be read again."""
    sources = set(sources)
    kept |= {path: file_digest(path) for path in sources if path not in kept}
    return sorted({(path.name, kept[path]) for path in sources})


def file_digest(path: Path) -> str:
    """Digest a file's content."""
    # Our own files are imported once: what they were then is what computes. A user's may change between two runs.
    ours = any(path.is_relative_to(folder_of(package)) for package in PACKAGES)
    return _first_digest(path) if ours else sha256(path.read_bytes()).hexdigest()


@cache
def folder_of(package: str) -> Path:
    """Locate a package of PACKAGES, without importing it."""
    spec = find_spec(package)
    assert spec is not None and spec.origin is not None
    return Path(spec.origin).parent


@cache
def _first_digest(path: Path) -> str:
    return sha256(path.read_bytes()).hexdigest()


@cache
def engine_sources() -> tuple[Path, ...]:
    """List the files that every cell depends on: how it is measured, and all optimizers."""
    engine, optimizers = folder_of("optbench") / "sweep", folder_of("optbench.optimizers")
    return tuple(sorted([*engine.glob("*.py"), *optimizers.glob("*.py")]))


def problem_sources(file: Path) -> tuple[Path, ...]:
    """List a problem's file and the modules of `problems` that it imports, directly or not."""
    found: dict[Path, None] = {}
    waiting = [file]
    while waiting:
        path = waiting.pop()
        if path not in found:
            found[path] = None
            waiting += _imported_problem_files(path)
    return tuple(sorted(found))


def _imported_problem_files(path: Path) -> list[Path]:
    names: list[str] = []
    for node in ast.walk(ast.parse(path.read_bytes())):
        if isinstance(node, ast.Import):
            names += [alias.name for alias in node.names]
        elif isinstance(node, ast.ImportFrom) and node.module and not node.level:
            names += [node.module, *(f"{node.module}.{alias.name}" for alias in node.names)]
    ours = [name.split(".")[2:] for name in names if name.startswith("optbench.problems.")]
    paths = [folder_of("optbench.problems").joinpath(*name).with_suffix(".py") for name in ours]
    return [path for path in paths if path.is_file()]
