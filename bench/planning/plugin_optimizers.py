"""What a user's code calls an optimizer, as the transformation and the entry that optbench trains."""

from collections.abc import Callable, Iterable
from functools import wraps
from pathlib import Path
from typing import Any

import optax

from optbench.errors import RequestError, nearest
from optbench.optimizers.optimizer import NEEDS, Optimizer
from optbench.planning.plugin_faults import HYPERPARAMETERS, UPDATE, located


def user_optimizer(make: Callable[..., Any], text: str, files: Iterable[Path]) -> Callable[..., Any]:
    """Wrap a user's function so that it returns a transformation, and its faults name his file and line."""
    files = tuple(files)
    guarded = located(make, text, files, HYPERPARAMETERS)

    @wraps(make)
    def build(*arguments: Any, **settings: Any) -> optax.GradientTransformationExtraArgs:
        inner = _transformation(guarded(*arguments, **settings), text)
        init: Any = located(inner.init, text, files, UPDATE)
        update: Any = located(inner.update, text, files, UPDATE)
        if isinstance(inner, optax.GradientTransformationExtraArgs):
            return optax.GradientTransformationExtraArgs(init, update)
        return optax.with_extra_args_support(optax.GradientTransformation(init, update))

    return build


def _transformation(value: Any, text: str) -> optax.GradientTransformation:
    """Return what a user's function returned as a transformation. Raises TypeError for what isn't one."""
    if isinstance(value, optax.GradientTransformation):
        return value
    if isinstance(value, optax.MultiSteps):
        return value.gradient_transformation()
    if callable(getattr(value, "init", None)) and callable(getattr(value, "update", None)):
        return optax.GradientTransformationExtraArgs(value.init, value.update)
    ways = {
        Optimizer: "; name the Optimizer itself, as in entry = Optimizer(...)",
        type(None): "; is a return missing?",
    }
    way = ways.get(type(value), "")
    raise TypeError(f"plug-in {text} returned {type(value).__name__}; expected GradientTransformation{way}")


def own_range(text: str, make: Any) -> tuple[float, float] | None:
    """Return the learning rates that a function brings, or its file: `learning_rates = (1e-4, 0.3)`.

    Raises RequestError for what is no range.
    """
    around = getattr(make, "__globals__", {})
    ends = getattr(make, "learning_rates", around.get("learning_rates"))
    return None if ends is None else _range(text, ends)


def _range(text: str, value: Any) -> tuple[float, float]:
    try:
        low, high = map(float, value)
    except (TypeError, ValueError):
        low = high = 0.0
    if not 0 < low < high < float("inf"):
        raise RequestError(f"plug-in {text}: learning_rates is {value!r}; accepted: two numbers, as in (1e-4, 0.3)")
    return low, high


def check_entry(text: str, entry: Optimizer) -> None:
    """Raise RequestError for an entry whose range is none, or that needs what nothing hands over."""
    _range(text, entry.learning_rates)
    for name in sorted({*entry.needs} - NEEDS):
        raise RequestError(f"plug-in {text}: needs {name!r}, which is nothing{nearest(name, NEEDS)}")
