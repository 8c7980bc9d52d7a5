"""Digest what code computes, and not how it is told: words, layout, and where a module lies recompute nothing."""

import ast
from collections.abc import Iterator, Mapping
from functools import cache
from hashlib import sha256
from importlib.util import find_spec
from pathlib import Path
from typing import TypeGuard

#: What optbench consists of, in a checkout in folders side by side.
PACKAGES = ("optbench", "optbench.optimizers", "optbench.problems")
#: Package -> its folder.
Roots = Mapping[str, Path]
#: Parts of the syntax that say nothing by themselves; what is empty isn't written either, as versions of Python differ.
_SILENT = ("ctx", "type_comment", "type_ignores", "kind")


@cache
def roots() -> Roots:
    """Locate optbench's packages, without importing any."""
    folders = {}
    for package in PACKAGES:
        spec = find_spec(package)
        assert spec is not None and spec.origin is not None
        folders[package] = Path(spec.origin).parent
    return folders


def module_file(name: str, folders: Roots | None = None) -> Path | None:
    """Locate the file of one of optbench's modules by its dotted name; None where there is none of that name."""
    folders = folders or roots()
    package = next((own for own in sorted(folders, key=len, reverse=True) if f"{name}.".startswith(f"{own}.")), None)
    if package is None:
        return None
    path = folders[package].joinpath(*name[len(package) :].split(".")[1:])
    files = (path.with_name(f"{path.name}.py"), path / "__init__.py")
    return next((file for file in files if file.is_file()), None)


def code_digest(source: bytes, folders: Roots | None = None) -> str:
    """Digest a module's syntax tree.

    Left out are comments, layout, docstrings and other bare strings, `pass`, and import lines. A name that an import
    line binds is digested as what it stands for, `optax.sgd`; of what stands in optbench only the last part, and of one
    of its modules nothing, so that moving or renaming a module changes no digest. Raises SyntaxError.
    """
    tree = ast.parse(source)
    texts: list[str] = []
    _write(tree, _origins(tree, folders or roots()), texts)
    return sha256("\0".join(texts).encode(errors="backslashreplace")).hexdigest()


def imports_of(node: ast.AST) -> Iterator[ast.Import | ast.ImportFrom]:
    """Yield the import lines at every depth, but for those that only type checkers read."""
    for child in ast.iter_child_nodes(node):
        if isinstance(child, ast.Import | ast.ImportFrom):
            yield child
        elif _is_for_types(child):
            for other in child.orelse:
                yield from imports_of(other)
        else:
            yield from imports_of(child)


def _is_for_types(node: object) -> TypeGuard[ast.If]:
    return isinstance(node, ast.If) and ast.unparse(node.test) in ("TYPE_CHECKING", "typing.TYPE_CHECKING")


def _origins(tree: ast.Module, folders: Roots) -> dict[str, str]:
    """Say what each name that an import line binds stands for: all that it may, where several lines bind it."""
    origins: dict[str, set[str]] = {}
    for node in ast.walk(tree):
        if isinstance(node, ast.Import):
            bound = {alias.asname or alias.name.partition(".")[0]: alias for alias in node.names}
            whole = {name: alias.name if alias.asname else name for name, alias in bound.items()}
        elif isinstance(node, ast.ImportFrom):
            start = "." * node.level + (node.module or "")
            whole = {alias.asname or alias.name: f"{start}.{alias.name}" for alias in node.names}
        else:
            continue
        for name, origin in whole.items():
            origins.setdefault(name, set()).add(_place_free(origin, folders))
    return {name: "|".join(sorted(found)) for name, found in origins.items()}


def _place_free(origin: str, folders: Roots) -> str:
    """Take the place off what stands in optbench."""
    if origin.partition(".")[0] != "optbench":
        return origin
    return "a module of optbench" if module_file(origin, folders) else origin.rpartition(".")[2]


def _write(node: ast.AST, origins: Mapping[str, str], texts: list[str]) -> None:
    """Append a tree's texts, in order, without what `code_digest` leaves out."""
    texts.append(type(node).__name__)
    for field, value in ast.iter_fields(node):
        if isinstance(value, list):
            value = [item for item in value if not _is_words(item) and not _is_gap(node, item)]
        if field in _SILENT or value == [] or (value is None and not isinstance(node, ast.Constant)):
            continue
        texts.append(field)
        if isinstance(node, ast.Name):
            texts.append(origins.get(node.id, node.id))
            return
        for item in value if isinstance(value, list) else [value]:
            if isinstance(item, ast.AST):
                _write(item, origins, texts)
            else:
                texts.append(repr(item))
        # Where a list ends, or what follows could be taken for another one of its items.
        texts.append("]")


def _is_words(node: object) -> bool:
    """Say whether a statement computes nothing: a bare string, `pass`, an import line, imports for type checkers."""
    if isinstance(node, ast.Expr):
        return isinstance(node.value, ast.Constant)
    if _is_for_types(node):
        return not node.orelse
    # `from x import *` binds names that stand nowhere here.
    star = isinstance(node, ast.ImportFrom) and node.names[0].name == "*"
    return isinstance(node, ast.Pass | ast.Import | ast.ImportFrom) and not star


def _is_gap(node: ast.AST, item: object) -> bool:
    """Say whether an item is an empty part of an f-string, which some versions of Python put between two others."""
    return isinstance(node, ast.JoinedStr) and isinstance(item, ast.Constant) and not item.value
