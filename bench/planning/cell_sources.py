"""Which of optbench's own modules a cell's numbers depend on."""

import ast
from collections.abc import Iterable, Iterator, Mapping
from functools import cache
from hashlib import sha256
from pathlib import Path

from optbench.planning.code_digest import Roots, code_digest, imports_of, module_file, roots

#: What trains a cell, whatever its problem: package -> patterns of its files.
ENGINE: Mapping[str, tuple[str, ...]] = {
    "optbench": (
        "sweep/*.py",
        "runner/train_cell.py",
        "runner/program_spec.py",
        "runner/randomness.py",
        "runner/trial_rows.py",
        "request/schedule.py",
        "request/studies.py",
    ),
    "optbench.optimizers": ("*.py",),
    "optbench.problems": ("problem.py",),
}
#: Of those the ones that compute no number.
_NO_NUMBERS = ("exclusions.py",)
#: Of the engine what measures probes: only cells of which some are measured depend on it.
_PROBES = ("ends.py", "probes.py")

#: What is reached by the imports of `runner/train_cell.py` and isn't digested: module, or folder -> the reason.
NOT_DIGESTED: Mapping[str, str] = {
    "optbench": "names the public API",
    "optbench.errors": "words of messages",
    "optbench.planning.*": "settles a cell before it is keyed, and every field of a cell is in its key",
    "optbench.problems.*": "finds problems by name; a problem's own file and what it imports are digested per problem",
    "optbench.request.*": "settles a cell before it is keyed; what is read later, schedules and studies, is digested",
    "optbench.runner": "an empty package",
    "optbench.runner.trace": "names spans of time",
    "optbench.search.*": "designs points before a cell is keyed; what a strategy does while training is in the key",
    "optbench.sweep.ends": "digested for the cells of which probes are measured",
    "optbench.sweep.probes": "digested for the cells of which probes are measured",
    "optbench.store.*": "keeps rows as they come, in a schema whose version stands in each part",
}


def engine_files(folders: Roots | None = None) -> tuple[Path, ...]:
    """List the files that every cell depends on."""
    folders = folders or roots()
    files = [file for package, globs in ENGINE.items() for glob in globs for file in folders[package].glob(glob)]
    return tuple(sorted(file for file in files if file.name not in (*_NO_NUMBERS, *_PROBES)))


def probe_files(folders: Roots | None = None) -> tuple[Path, ...]:
    """List the files of what is measured beside the loss, where it is asked for."""
    return tuple((folders or roots())["optbench"] / "sweep" / name for name in _PROBES)


def search_files(file: Path, folders: Roots | None = None) -> tuple[Path, ...]:
    """List a search strategy's file and the modules of `optbench.search` that it imports, directly or not."""
    return _with_imports(file, "optbench.search.", folders or roots())


def problem_files(file: Path, folders: Roots | None = None) -> tuple[Path, ...]:
    """List a problem's file and the modules of `optbench.problems` that it imports, directly or not."""
    return _with_imports(file, "optbench.problems.", folders or roots())


def _with_imports(file: Path, package: str, folders: Roots) -> tuple[Path, ...]:
    files: dict[Path, None] = {}
    waiting = [file]
    while waiting:
        path = waiting.pop()
        if path not in files:
            files[path] = None
            names = [name for name in imported_names(path.read_bytes()) if name.startswith(package)]
            imported = [module_file(name, folders) for name in names]
            waiting += [other for other in imported if other and other.stem != "__init__"]
    return tuple(sorted(files))


def imported_names(source: bytes) -> Iterator[str]:
    """Name what a module imports at any depth, `from a import b` as `a` and `a.b`. Raises SyntaxError."""
    for node in imports_of(ast.parse(source)):
        if isinstance(node, ast.Import):
            yield from (alias.name for alias in node.names)
        elif node.module and not node.level:
            yield node.module
            yield from (f"{node.module}.{alias.name}" for alias in node.names)


@cache
def own_digest(path: Path) -> str:
    """Digest one of optbench's own modules: once, since what it was when it was imported is what computes."""
    return code_digest(path.read_bytes())


@cache
def engine_digest() -> str:
    """Digest all that every cell depends on."""
    return combined(own_digest(file) for file in engine_files())


def combined(digests: Iterable[str]) -> str:
    """Digest digests, in no order: where a file lies, and how it is called, doesn't matter."""
    return sha256("".join(sorted(digests)).encode()).hexdigest()
