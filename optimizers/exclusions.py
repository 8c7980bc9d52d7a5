"""The public optimizers of optax, and those that the catalogue leaves out on purpose."""

import inspect
from collections.abc import Mapping

import optax
import optax.contrib

EXCLUSIONS: Mapping[str, str] = {
    "optax.lookahead": "wraps any optimizer and trains pairs of fast and slow parameters",
    "optax.optimistic_adam": "deprecated for optimistic_adam_v2",
    "optax.selective_transform": "restricts any optimizer to a part of the parameters",
    "optax.contrib.schedule_free": "wraps any optimizer; schedule_free_sgd and schedule_free_adamw are its instances",
}


def public_optimizers() -> frozenset[str]:
    """Return the public optimizers of `optax` and `optax.contrib`, as "module.name".

    These are functions that return a transformation, or have no annotation, and take a rate or an optimizer to act on.
    Parts of an optimizer, named `scale_by_*`, are left out.
    """
    return frozenset(
        f"{module.__name__}.{name}"
        for module in (optax, optax.contrib)
        for name, function in vars(module).items()
        if not name.startswith(("_", "scale_by_")) and _makes_optimizer(function)
    )


def _makes_optimizer(function: object) -> bool:
    if inspect.isclass(function) or not callable(function):
        return False
    try:
        signature = inspect.signature(function)
    except ValueError:  # type aliases are callable, but have none
        return False
    returns = signature.return_annotation
    if returns is not inspect.Signature.empty and "GradientTransformation" not in str(returns):
        return False
    return any(name.endswith(("learning_rate", "optimizer")) for name in signature.parameters)
