"""What a plug-in's numbers depend on, read off its code: the user's modules that it imports, installed packages, files.

The same in every process, whatever was loaded before: nothing is imported to find it out. A module is the user's own
where its file lies neither in the standard library, nor among installed packages, nor in optbench.
"""

import ast
import sys
import sysconfig
from collections.abc import Iterator, Mapping
from functools import cache
from importlib.machinery import ModuleSpec, PathFinder
from importlib.metadata import PackageNotFoundError, packages_distributions, version
from pathlib import Path
from typing import NamedTuple

from optbench.planning.code_digest import imports_of, module_file, roots

#: What optbench's packages were called until 0.1: plug-ins may still name them so, where nothing of theirs is.
OLD_NAMES: Mapping[str, str] = {
    "bench": "optbench",
    "problems": "optbench.problems",
    "optimizers": "optbench.optimizers",
}
_INSTALLED = ("site-packages", "dist-packages")
#: What optbench's packages offer under a shorter name -> the module that it stands in.
_OFFERED = {
    "optbench.supervised": "optbench.problems.own_model",
    "optbench.problems.supervised": "optbench.problems.own_model",
    "optbench.problems.Problem": "optbench.problems.problem",
}


class Sources(NamedTuple):
    """The code that a plug-in consists of."""

    #: The user's own modules by name, as they are imported, with their files.
    modules: Mapping[str, Path]
    #: Files of optbench's own that are imported.
    ours: frozenset[Path]
    #: Installed distributions that are imported, with their versions.
    versions: Mapping[str, str]


def is_users(file: Path) -> bool:
    """Say whether a module's file is the user's own."""
    installed = any(part in _INSTALLED for part in file.parts)
    return not installed and not is_own(file) and not any(file.is_relative_to(folder) for folder in _standard_folders())


def is_own(file: Path) -> bool:
    """Say whether a file is optbench's own."""
    return any(file.is_relative_to(folder) for folder in _own_folders())


@cache
def _own_folders() -> tuple[Path, ...]:
    return tuple(folder.resolve() for folder in roots().values())


@cache
def _standard_folders() -> tuple[Path, ...]:
    paths = sysconfig.get_paths()
    return tuple({Path(paths[name]).resolve() for name in ("stdlib", "platstdlib")})


def sources_of(name: str, file: Path, folder: Path) -> Sources:
    """Follow the imports of a module, at any depth of its code; `folder` holds modules that it finds before others."""
    modules: dict[str, Path] = {}
    ours: set[Path] = set()
    versions: dict[str, str] = {}
    waiting: list[tuple[str, Path | None]] = [(name, file)]
    while waiting:
        name, path = waiting.pop()
        if path is None or not is_users(path):
            ours |= _ours(name)
            versions |= _versions(name.partition(".")[0], path) if path else {}
        elif name not in modules:
            modules[name] = path
            waiting += [(imported, _file_of(imported, folder)) for imported in _imported(name, path)]
    return Sources(modules, frozenset(ours), versions)


def _file_of(name: str, folder: Path) -> Path | None:
    spec = find(name, folder)
    return Path(spec.origin).resolve() if spec and spec.origin and spec.has_location else None


def find(name: str, folder: Path) -> ModuleSpec | None:
    """Find a module without importing anything: beside a plug-in first, then where Python would."""
    *parents, _ = name.split(".")
    if not parents:
        return PathFinder.find_spec(name, [str(folder)]) or find_elsewhere(name)
    parent = find(".".join(parents), folder)
    locations = parent.submodule_search_locations if parent else None
    return PathFinder.find_spec(name, list(locations)) if locations else None


def find_elsewhere(name: str) -> ModuleSpec | None:
    """Find a top-level module where Python would, asking all finders but those for plug-ins."""
    for finder in sys.meta_path:
        if getattr(finder, "__module__", "") == "optbench.planning.plugin_imports":
            continue
        if (spec := finder.find_spec(name, None)) is not None:
            return spec
    return None


def _ours(name: str) -> set[Path]:
    """Locate one of optbench's modules by its name or its old one."""
    top, _, rest = name.partition(".")
    top = OLD_NAMES.get(top, top)
    whole = f"{top}.{rest}" if rest else top
    file = module_file(_OFFERED.get(whole, whole))
    return {file} if file and file.stem != "__init__" else set()


def _versions(package: str, file: Path) -> dict[str, str]:
    """Name the distribution that a package was installed from, with its version: none in the standard library."""
    if not any(part in _INSTALLED for part in file.parts):
        return {}
    try:
        return {package: version(package)}
    except PackageNotFoundError:
        return {name: version(name) for name in sorted({*_distributions().get(package, ())})}


@cache
def _distributions() -> Mapping[str, list[str]]:
    return packages_distributions()


def _imported(name: str, file: Path) -> Iterator[str]:
    """Name all modules that a module may import, with the packages that they lie in; none where it isn't Python."""
    try:
        tree = ast.parse(file.read_bytes())
    except (SyntaxError, ValueError):
        return
    package = name if file.stem == "__init__" else name.rpartition(".")[0]
    for imported in (*_named(tree, package), *_named_in_calls(tree, package, file)):
        parts = imported.split(".")
        yield from (".".join(parts[:count]) for count in range(1, len(parts) + 1))


def _named(tree: ast.Module, package: str) -> Iterator[str]:
    for node in imports_of(tree):
        if isinstance(node, ast.Import):
            yield from (alias.name for alias in node.names)
        elif start := _absolute("." * node.level + (node.module or ""), package):
            yield start
            yield from (f"{start}.{alias.name}" for alias in node.names if alias.name != "*")
    # `import optbench` alone, and then one of its functions.
    yield from (name for node in ast.walk(tree) if (name := _dotted(node)) in _OFFERED)
    # What a package offers to `import *` may be modules that nothing else imports.
    if package:
        yield from (f"{package}.{word}" for word in _offered(tree))


def _dotted(node: ast.AST) -> str:
    return ast.unparse(node) if isinstance(node, ast.Attribute) else ""


def _offered(tree: ast.Module) -> Iterator[str]:
    for node in tree.body:
        if isinstance(node, ast.Assign) and [ast.unparse(target) for target in node.targets] == ["__all__"]:
            yield from filter(None, map(_text, ast.walk(node.value)))


def _named_in_calls(tree: ast.Module, package: str, file: Path) -> Iterator[str]:
    """Name what `import_module` imports: what its text says, or where no text does, all that lies beside the module."""
    for node in ast.walk(tree):
        if not isinstance(node, ast.Call) or not node.args:
            continue
        if ast.unparse(node.func).rpartition(".")[2] not in ("import_module", "__import__"):
            continue
        if text := _text(node.args[0]):
            yield from filter(None, [_absolute(text, package)])
        else:
            start = f"{package}." if package else ""
            yield from (f"{start}{path.stem}" for path in sorted(file.parent.glob("*.py")) if path != file)


def _absolute(name: str, package: str) -> str:
    """Bring a relative name to an absolute one; "" where it leads out of its package."""
    level = len(name) - len(name.lstrip("."))
    if not level:
        return name
    parts = package.split(".")
    base = parts[: len(parts) - level + 1] if package and level <= len(parts) else []
    rest = [name.lstrip(".")] if name.lstrip(".") else []
    return ".".join([*base, *rest]) if base else ""


def _text(node: ast.AST) -> str:
    """Return the text that a constant is; "" where it is none."""
    return node.value if isinstance(node, ast.Constant) and isinstance(node.value, str) else ""
