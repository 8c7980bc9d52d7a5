"""Find what a request may name: every problem family and optimizer, and the plug-ins it asks for."""

import importlib
import importlib.util
import inspect
import os
import sys
from collections.abc import Callable, Iterable
from functools import cache, wraps
from hashlib import sha256
from pathlib import Path
from types import ModuleType
from typing import Any, NamedTuple

import optax

from optbench import optimizers, problems
from optbench.optimizers.optimizer import Optimizer
from optbench.planning.isolation import apart
from optbench.problems.problem import Problem
from optbench.request import Catalogue, OptimizerInfo, RequestError, Suite, nearest, parse_spec

#: Where a plug-in says nothing of its learning rates: wide enough for anything from Adam to gradient descent.
PLUGIN_LEARNING_RATES = (1e-4, 1.0)


class Known(NamedTuple):
    """Name -> problem factory, and name -> optimizer; plug-ins under the text that named them."""

    problems: dict[str, Callable[..., Problem]]
    optimizers: dict[str, Optimizer]

    def catalogue(self) -> Catalogue:
        """Bring it to plain data, for a request to be checked against."""
        return Catalogue(
            {name: problems.parameters(factory) for name, factory in self.problems.items()},
            {name: _info(optimizer) for name, optimizer in self.optimizers.items()},
        )


def known(suite: Suite | None = None) -> Known:
    """Load the catalogues, and the plug-ins that a suite names."""
    return known_with(*plugins_of(suite)) if suite else known_with((), ())


def plugins_of(suite: Suite) -> tuple[tuple[str, ...], tuple[str, ...]]:
    """List the plug-ins that a suite names: problems, and optimizers."""
    problem_names = [parse_spec(entry.spec).name for entry in suite.problems]
    optimizer_names = [parse_spec(entry.spec).name for entry in suite.optimizers]
    return tuple(filter(_is_plugin, problem_names)), tuple(filter(_is_plugin, optimizer_names))


def _is_plugin(name: str) -> bool:
    return ":" in name


def known_with(plugin_problems: Iterable[str], plugin_optimizers: Iterable[str]) -> Known:
    """Load the catalogues and some plug-ins."""
    factories = {name: problems.factory(name) for name in problems.families()}
    factories |= {name: _signed(load_plugin(name), name, "make(**parameters)") for name in plugin_problems}
    loaded = {name: _plugin_optimizer(name, load_plugin(name)) for name in plugin_optimizers}
    return Known(factories, optimizers.catalogue() | loaded)


def load_plugin(text: str) -> Any:
    """Load what `./file.py:name` or `package.module:name` stands for. Its code runs with the user's rights.

    Raises RequestError, in one line, where there is no such file, module or name, or importing it fails.
    """
    place, _, name = text.rpartition(":")
    try:
        with apart():
            module = _module(place)
    except RequestError:
        raise
    except (Exception, SystemExit) as error:
        first = (str(error).splitlines() or [""])[0]
        raise RequestError(f"plug-in {text}: importing it raised {type(error).__name__}: {first}") from error
    if not hasattr(module, name):
        public = [key for key, value in vars(module).items() if callable(value) and not key.startswith("_")]
        raise RequestError(f"plug-in {text}: {place} has no {name!r}{nearest(name, public)}")
    return getattr(module, name)


def plugin_file(text: str) -> Path | None:
    """Locate the file of the module that a plug-in names, where it has one."""
    file = getattr(_module(text.rpartition(":")[0]), "__file__", None)
    return Path(file).resolve() if file else None


def _module(place: str) -> ModuleType:
    if not place.endswith(".py"):
        if "" not in sys.path and str(Path.cwd()) not in sys.path:
            sys.path.insert(0, str(Path.cwd()))
        return importlib.import_module(place)
    path = Path(place).resolve()
    if not path.is_file():
        raise RequestError(f"plug-in file {place} is not here; accepted: ./file.py:name or package.module:name")
    return _execute(path, path.read_bytes())


@cache
def _execute(path: Path, source: bytes) -> ModuleType:
    """Run a file as a module: once as long as its text is the same, anew when it has been edited."""
    name = f"optbench_plugin_{path.stem}_{sha256(os.fsencode(path) + source).hexdigest()[:12]}"
    spec = importlib.util.spec_from_file_location(name, path)
    assert spec is not None
    module = importlib.util.module_from_spec(spec)
    # Dataclasses look their module up by name. Not by its loader, whose bytecode may be a second older than the text.
    sys.modules[name] = module
    # Tracing gives the file's name to XLA, which takes no bytes that Python couldn't read as text.
    exec(compile(source, str(path).encode(errors="backslashreplace").decode(), "exec"), vars(module))
    return module


def _plugin_optimizer(text: str, made: Any) -> Optimizer:
    if isinstance(made, Optimizer):
        return made
    signed = _signed(made, text, "make(learning_rate, **hyperparameters)")
    checked = _checked(signed, f"plug-in {text}", optax.GradientTransformation)
    return Optimizer(checked, PLUGIN_LEARNING_RATES, source=f"plug-in {text}")


def _signed(made: Any, text: str, accepted: str) -> Callable[..., Any]:
    """Return what a plug-in names, where it is a function whose parameters can be read."""
    try:
        inspect.signature(made)
    except (TypeError, ValueError) as error:
        what = made.__name__ if isinstance(made, type) else type(made).__name__
        raise RequestError(f"plug-in {text} is {what}; accepted: {accepted}") from error
    return made


def _checked(make: Callable[..., Any], what: str, kind: type) -> Callable[..., Any]:
    """Wrap a plug-in's function so that returning the wrong thing says so; its signature stays."""

    def checked(*arguments: Any, **keywords: Any) -> Any:
        made = make(*arguments, **keywords)
        if not isinstance(made, kind):
            raise TypeError(f"{what} returned {type(made).__name__}; expected {kind.__name__}")
        return made

    return wraps(make)(checked)


def make_problem(name: str, factory: Callable[..., Any], parameters: dict[str, Any]) -> Problem:
    """Build a problem. Raises RequestError where a family refuses its parameters."""
    if ":" in name:
        return _checked(factory, f"plug-in {name}", Problem)(**parameters)
    try:
        return factory(**parameters)
    except ValueError as error:
        raise RequestError(f"{name}: {error}") from error


def source_file(made: Any) -> Path | None:
    """Locate the file that defines a factory or builder, where it has one."""
    try:
        found = inspect.getsourcefile(inspect.unwrap(made))
    except TypeError:
        return None
    return Path(found).resolve() if found and Path(found).is_file() else None


def _info(optimizer: Optimizer) -> OptimizerInfo:
    signature = inspect.signature(optimizer.build).parameters.values()
    is_open = any(parameter.kind is parameter.VAR_KEYWORD for parameter in signature)
    return OptimizerInfo(optimizer.learning_rates, optimizer.hyperparameters, is_open)
