"""The files that a plug-in's code names: data that it reads without being given them."""

import ast
import glob
import os
import re
from collections.abc import Iterable, Iterator, Mapping
from contextlib import suppress
from functools import partial
from pathlib import Path
from types import FunctionType, ModuleType
from typing import Any

#: What a text with gaps has to end in to be looked for, so that not every file matches.
_SUFFIX = re.compile(r"\.\w+$")


def named_files(code: Iterable[Path], modules: Iterable[ModuleType]) -> frozenset[Path]:
    """List the files that a plug-in's texts name: relative to the current folder, to its module's, or one it names.

    Texts are all that stand in its code, defaults and constants among them, an f-string's with anything in its gaps;
    and the values of its modules and classes, once loaded, that are texts or paths. `code` itself is left out.
    """
    own = set(code)
    files = {file for path in own if path.suffix == ".py" for file in _in_code(path)}
    files |= {file for module in modules for file in _in_values(vars(module), module.__name__)}
    return frozenset(file for file in files if file not in own and file.suffix != ".pyc")


def _in_code(path: Path) -> Iterator[Path]:
    texts = list(dict.fromkeys(_texts(ast.parse(path.read_bytes()))))
    bases = [Path.cwd(), path.parent]
    # `Path.is_dir` raises where a name is too long.
    folders = [base / text for base in bases for text in texts if _is_name(text) and os.path.isdir(base / text)]
    for base in dict.fromkeys([*bases, *folders]):
        for text in texts:
            yield from _matches(base, text)


def _texts(tree: ast.AST) -> Iterator[str]:
    for node in ast.walk(tree):
        if isinstance(node, ast.Constant) and isinstance(node.value, str):
            yield node.value
        elif isinstance(node, ast.JoinedStr):
            yield "".join(str(part.value) if isinstance(part, ast.Constant) else "*" for part in node.values)


def _is_name(text: str) -> bool:
    """Say whether a text may be that of a file: not what spans lines, nor a folder's own dots."""
    return bool(text.strip("./ ")) and "\n" not in text and "\0" not in text and len(text) < 1000


def _matches(base: Path, text: str) -> Iterator[Path]:
    if not _is_name(text):
        return
    whole = os.path.join(base, os.path.expanduser(text))
    with suppress(OSError):
        if os.path.isfile(whole):
            yield Path(whole).resolve()
        elif "*" in text and _SUFFIX.search(text):
            yield from (Path(match).resolve() for match in sorted(glob.glob(whole)) if os.path.isfile(match))


def _in_values(values: Mapping[str, Any], module: str) -> Iterator[Path]:
    """Look through what a module or a class of its own holds, and what its functions are given by default."""
    for name, value in list(values.items()):
        if name.startswith("__"):
            continue
        if isinstance(value, type) and value.__module__ == module:
            yield from _in_values(vars(value), module)
        for item in _items(value):
            if isinstance(item, str | os.PathLike):
                yield from _matches(Path.cwd(), str(item))


def _items(value: Any) -> list[Any]:
    """List what a value holds, one level deep."""
    if isinstance(value, partial):
        return [*value.args, *value.keywords.values()]
    if isinstance(value, FunctionType):
        return [*(value.__defaults__ or ()), *(value.__kwdefaults__ or {}).values()]
    if isinstance(value, dict):
        return list(value.values())
    return list(value) if isinstance(value, list | tuple | set | frozenset) else [value]
