"""Find what a request may name: every problem family and optimizer, and the plug-ins it asks for."""

import inspect
from collections.abc import Callable, Iterable
from dataclasses import replace
from functools import wraps
from inspect import signature
from pathlib import Path
from typing import Any, NamedTuple

from optbench import optimizers, problems
from optbench.optimizers.optimizer import Optimizer
from optbench.planning.isolation import apart
from optbench.planning.plugin_optimizers import check_entry, own_range, user_optimizer
from optbench.planning.plugins import Plugin, load_plugin
from optbench.problems.contract import checked
from optbench.problems.problem import Problem
from optbench.request import Catalogue, OptimizerInfo, RequestError, Suite, parse_spec

#: Where a plug-in says nothing of its learning rates: wide enough for anything from Adam to gradient descent.
PLUGIN_LEARNING_RATES = (1e-4, 1.0)


class Implementations(NamedTuple):
    """Name -> problem factory, and name -> optimizer; plug-ins under the text that named them."""

    problems: dict[str, Callable[..., Problem]]
    optimizers: dict[str, Optimizer]
    plugins: dict[str, Plugin]

    def catalogue(self) -> Catalogue:
        """Bring it to plain data, for a request to be checked against."""
        return Catalogue(
            {name: problems.parameters(factory) for name, factory in self.problems.items()},
            {name: _info(optimizer) for name, optimizer in self.optimizers.items()},
        )


def implementations(suite: Suite | None = None) -> Implementations:
    """Load the catalogues, and the plug-ins that a suite names. Raises RequestError for a plug-in that can't be."""
    return implementations_with(*plugins_of(suite)) if suite else implementations_with((), ())


def plugins_of(suite: Suite) -> tuple[tuple[str, ...], tuple[str, ...]]:
    """List the plug-ins that a suite names: problems, and optimizers."""
    problem_names = [parse_spec(entry.spec).name for entry in suite.problems]
    optimizer_names = [parse_spec(entry.spec).name for entry in suite.optimizers]
    return tuple(filter(_is_plugin, problem_names)), tuple(filter(_is_plugin, optimizer_names))


def _is_plugin(name: str) -> bool:
    return ":" in name


@apart()
def implementations_with(plugin_problems: Iterable[str], plugin_optimizers: Iterable[str]) -> Implementations:
    """Load the catalogues and some plug-ins. Raises RequestError for a plug-in that can't be loaded."""
    asked, wanted = tuple(plugin_problems), tuple(plugin_optimizers)
    plugins = {name: load_plugin(name) for name in (*asked, *wanted)}
    factories = {name: problems.factory(name) for name in problems.families()}
    factories |= {name: _in_view(_signed(plugins[name], name, "make(**parameters)"), plugins[name]) for name in asked}
    own = {name: _plugin_optimizer(name, plugins[name]) for name in wanted}
    return Implementations(factories, optimizers.catalogue() | own, plugins)


def _in_view(make: Callable[..., Any], plugin: Plugin) -> Callable[..., Any]:
    """Let a plug-in's function find its own modules when it imports some; its signature stays."""

    def seeing(*arguments: Any, **keywords: Any) -> Any:
        with plugin.in_view():
            return make(*arguments, **keywords)

    return wraps(make)(seeing)


def _plugin_optimizer(text: str, plugin: Plugin) -> Optimizer:
    """Return a plug-in's optimizer. Raises RequestError for one whose range or needs are none."""
    if isinstance(plugin.value, Optimizer):
        entry = plugin.value
        check_entry(text, entry)
        build = user_optimizer(_in_view(entry.build, plugin), text, plugin.sources.modules.values())
        entry = replace(entry, build=build, needs=frozenset(entry.needs), adapts=True)
        return replace(entry, decay="native") if "weight_decay" in signature(build).parameters else entry
    signed = _in_view(_signed(plugin, text, "make(learning_rate, **hyperparameters)"), plugin)
    parameters = signature(signed).parameters
    rate = parameters["learning_rate"].default if "learning_rate" in parameters else None
    return Optimizer(
        user_optimizer(signed, text, plugin.sources.modules.values()),
        own_range(text, plugin.value) or PLUGIN_LEARNING_RATES,
        source=f"plug-in {text}",
        needs=frozenset({"seed"} & parameters.keys()),
        decay="native" if "weight_decay" in parameters else "wrapped",
        default_learning_rate=float(rate) if isinstance(rate, int | float) else None,
        adapts=True,
    )


def _signed(plugin: Plugin, text: str, accepted: str) -> Callable[..., Any]:
    """Return what a plug-in names, where it is a function whose parameters can be read. Raises RequestError."""
    value = plugin.value
    try:
        inspect.signature(value)
    except (TypeError, ValueError) as error:
        what = value.__name__ if isinstance(value, type) else type(value).__name__
        raise RequestError(f"plug-in {text} is {what}; accepted: {accepted}") from error
    return value


def _checked(make: Callable[..., Any], what: str, kind: type) -> Callable[..., Any]:
    """Wrap a plug-in's function so that returning the wrong thing says so; its signature stays."""

    def checked(*arguments: Any, **keywords: Any) -> Any:
        result = make(*arguments, **keywords)
        if not isinstance(result, kind):
            raise TypeError(f"{what} returned {type(result).__name__}; expected {kind.__name__}")
        return result

    return wraps(make)(checked)


def make_problem(name: str, factory: Callable[..., Any], parameters: dict[str, Any]) -> Problem:
    """Build a problem, and check a plug-in's contract. Raises RequestError if a family refuses its parameters."""
    if ":" in name:
        return checked(_checked(factory, f"plug-in {name}", Problem)(**parameters))
    try:
        return factory(**parameters)
    except ValueError as error:
        raise RequestError(f"{name}: {error}") from error


def source_file(made: Any) -> Path | None:
    """Locate the file that defines a factory, where it has one."""
    try:
        file = inspect.getsourcefile(inspect.unwrap(made))
    except TypeError:
        return None
    return Path(file).resolve() if file and Path(file).is_file() else None


def _info(optimizer: Optimizer) -> OptimizerInfo:
    signature = inspect.signature(optimizer.build).parameters.values()
    is_open = any(parameter.kind is parameter.VAR_KEYWORD for parameter in signature)
    ranges = (optimizer.weight_decays, optimizer.learning_rates is not PLUGIN_LEARNING_RATES)
    return OptimizerInfo(optimizer.learning_rates, optimizer.hyperparameters, is_open, *ranges)
