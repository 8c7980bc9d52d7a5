"""Paths in a suite's file, which count from the folder that it lies in."""

import os
from collections.abc import Mapping
from pathlib import Path
from typing import Any

from optbench.errors import RequestError
from optbench.request.grammar import format_spec, parse_spec


def from_folder(values: Mapping[str, Any], folder: Path) -> dict[str, Any]:
    """Return a suite's values with its paths, to plug-ins and to data, relative to the current folder.

    A path to no file in the suite's folder stays if there is one from the current folder, as in a suite that `tune`
    wrote elsewhere.
    """
    if folder.resolve() == Path.cwd():
        return dict(values)
    kinds = {kind: _entries(values[kind], folder) for kind in ("problems", "optimizers") if kind in values}
    return {**values, **kinds}


def _entries(entries: Any, folder: Path) -> Any:
    if isinstance(entries, str):
        return _spec(entries, folder)
    if isinstance(entries, Mapping):
        return {name: _spec(value, folder) if name == "spec" else value for name, value in entries.items()}
    return [_entries(entry, folder) for entry in entries] if isinstance(entries, list) else entries


def _spec(text: Any, folder: Path) -> Any:
    """Return a spec with its paths relative to the current folder; what is no spec is refused later, as it stands."""
    try:
        spec = parse_spec(text)
    except (RequestError, TypeError, AttributeError):
        return text
    name, parameters = spec.name, spec.parameters
    location, colon, function = name.rpartition(":")
    own_name = f"{_path(location, folder)}:{function}" if colon and location.endswith(".py") else name
    own = {
        key: tuple(_path(value, folder) if isinstance(value, str) else value for value in each)
        for key, each in parameters.items()
    }
    if (own_name, own) == (name, parameters):
        return text
    return f"{spec.label}={format_spec(own_name, own)}" if spec.label else format_spec(own_name, own)


def _path(text: str, folder: Path) -> str:
    """Return a relative path to a file of the folder as it is from the current one; any other text as it is."""
    path = Path(text)
    is_plugin = text.endswith(".py")
    if path.is_absolute() or text.startswith("~") or not (path.suffix or "/" in text):
        return text
    if not (folder / path).is_file() and (not is_plugin or path.is_file()):
        return text
    moved = os.path.relpath(folder / path)
    return moved if moved.startswith("..") else os.path.join(".", moved)
