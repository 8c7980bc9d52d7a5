"""The contract of an optimizer: how it is built, what it may be tuned over, what its update takes."""

import inspect
from collections.abc import Callable, Mapping
from dataclasses import dataclass
from typing import Any, Literal

import optax

#: What an update may ask for, beyond the gradient, the state and the parameters.
#: - value: the batch loss; grad: the gradient again (line searches take it by name)
#: - value_fn, obj_fn: the batch loss as a function of parameters
#: - grad_fn: its gradient as a function of (parameters, inner step)
#: - per_example_grad: gradients with a leading example axis *in place of* the mean gradient
#: - seed: `build` takes `seed`, an integer that differs for every seed of the sweep
NEEDS = frozenset({"value", "grad", "value_fn", "obj_fn", "grad_fn", "per_example_grad", "seed"})


@dataclass(frozen=True)
class Optimizer:
    """Describe one optimizer as one entry of a table.

    `build(learning_rate, **hyperparameters)` returns the transformation. The sweep calls it inside the
    compiled step with traced scalars: `learning_rate` is already multiplied by the schedule.
    """

    build: Callable[..., optax.GradientTransformation]
    #: Lowest and highest learning rate worth trying; grids are geometric between them.
    learning_rates: tuple[float, float]
    #: Author, title, year; and why the range is what it is.
    source: str
    needs: frozenset[str] = frozenset()
    #: How decoupled weight decay reaches it. "native": `build` takes `weight_decay` with exactly that
    #: meaning. "wrapped": subtracted beside the update. "anchored": the same for optimizers that rebuild
    #: their iterate from the initial parameters, and would undo a decay they don't know of.
    decay: Literal["native", "wrapped", "anchored"] = "wrapped"
    #: The parameters to evaluate, where they differ from those the gradient is taken at.
    evaluation_params: Callable[[optax.OptState, optax.Params], optax.Params] | None = None
    #: Gradient evaluations that the step which led to this state has cost.
    gradient_evaluations: Callable[[optax.OptState], Any] = lambda state: 1
    #: Steps after which its work repeats, given its hyperparameters: what is done every so often is timed whole.
    period: Callable[[Mapping[str, Any]], int] = lambda hyperparameters: 1

    @property
    def hyperparameters(self) -> Mapping[str, Any]:
        """Name what can be set, with its default: floats are traced, anything else is fixed per cell."""
        own = {"learning_rate", "weight_decay", "seed"}
        parameters = inspect.signature(self.build).parameters.values()
        return {p.name: p.default for p in parameters if p.name not in own and _is_settable(p)}


def _is_settable(parameter: inspect.Parameter) -> bool:
    if parameter.kind in (parameter.VAR_POSITIONAL, parameter.VAR_KEYWORD):
        return False
    if parameter.name.endswith(("mask", "dtype")):
        return False
    return parameter.default is None or isinstance(parameter.default, bool | int | float | str)
