"""Problems by name: one family is one file in a folder beside this one, and its factory has the file's name."""

import inspect
import re
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


def rungs(name: str) -> tuple[dict[str, Any], ...]:
    """Read a family's ladder: the parameters that make it easy, medium and hard."""
    return import_module(families()[name]).RUNGS


def section(factory: Callable[..., Any], title: str) -> str:
    """Read the paragraph that begins with `Title:` off a factory's docstring, on one line; "" where there is none.

    It ends at an empty line, or where the next section begins.
    """
    found = re.search(
        rf"^{title}:(.*?)(?=^\s*$|^[A-Z][a-z]+: |\Z)", inspect.getdoc(factory) or "", re.DOTALL | re.MULTILINE
    )
    return " ".join(found[1].split()) if found else ""
