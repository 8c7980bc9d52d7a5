"""Problems by name: one family is one file in a folder beside this one, and its factory has the file's name.

`supervised` makes one of a model and data of one's own.
"""

import inspect
import re
from collections.abc import Callable
from importlib import import_module
from pathlib import Path
from typing import TYPE_CHECKING, Any

if TYPE_CHECKING:
    from optbench.problems.own_model import supervised as supervised
    from optbench.problems.problem import Problem as Problem

#: Public name -> its module, imported late: names of problems are listed without jax.
_HOMES = {"Problem": "optbench.problems.problem", "supervised": "optbench.problems.own_model"}


def __getattr__(name: str) -> Any:
    if name not in _HOMES:
        raise AttributeError(f"module 'optbench.problems' has no attribute {name!r}")
    return getattr(import_module(_HOMES[name]), name)


def families() -> dict[str, str]:
    """Return the module of each family, by the family's name, without importing any."""
    paths = sorted(Path(__file__).parent.glob("*/[!_]*.py"), key=lambda path: path.stem)
    return {path.stem: f"{__name__}.{path.parent.name}.{path.stem}" for path in paths}


def factory(name: str) -> Callable[..., Any]:
    """Return the factory of a family, from its module. Raises KeyError for an unknown name."""
    return getattr(import_module(families()[name]), name)


def parameters(factory: Callable[..., Any]) -> dict[str, Any]:
    """Return the parameters of a factory, with their defaults."""
    return {name: parameter.default for name, parameter in inspect.signature(factory).parameters.items()}


def rungs(name: str) -> tuple[dict[str, Any], ...]:
    """Return a family's ladder: the parameters that make it easy, medium and hard. Raises KeyError if unknown."""
    return import_module(families()[name]).RUNGS


def section(factory: Callable[..., Any], title: str) -> str:
    """Return the paragraph of a factory's docstring that begins with `Title:`, on one line; "" if there is none.

    It ends at an empty line or before the next section.
    """
    match = re.search(
        rf"^{title}:(.*?)(?=^\s*$|^[A-Z][a-z]+: |\Z)", inspect.getdoc(factory) or "", re.DOTALL | re.MULTILINE
    )
    return " ".join(match[1].split()) if match else ""
