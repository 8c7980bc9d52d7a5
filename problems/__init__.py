"""Problems by name: one family is one file in a folder beside this one, and its factory has the file's name."""

import inspect
from collections.abc import Callable
from importlib import import_module
from pathlib import Path
from typing import Any


def families() -> dict[str, str]:
    """Map each family's name to the module that holds it, without importing any."""
    paths = sorted(Path(__file__).parent.glob("*/[!_]*.py"), key=lambda path: path.stem)
    return {path.stem: f"{__name__}.{path.parent.name}.{path.stem}" for path in paths}


def factory(name: str) -> Callable[..., Any]:
    """Import the factory of a family; raise KeyError where there is none."""
    return getattr(import_module(families()[name]), name)


def parameters(factory: Callable[..., Any]) -> dict[str, Any]:
    """Name what a factory can be given, with its defaults."""
    return {name: parameter.default for name, parameter in inspect.signature(factory).parameters.items()}
