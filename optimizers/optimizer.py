"""The contract of an optimizer: how it is built, its range of learning rates, the arguments of its update."""

import inspect
from collections.abc import Callable, Mapping
from dataclasses import dataclass
from typing import Any, Literal

import optax

#: Arguments that an update may need, beyond the gradient, the state and the parameters.
#: - value: the batch loss; grad: the gradient again (line searches take it by name)
#: - value_fn, obj_fn: the batch loss as a function of parameters
#: - grad_fn: its gradient as a function of (parameters, inner step)
#: - per_example_grad: gradients with a leading example axis *in place of* the mean gradient
#: - seed: `build` takes `seed`, an integer that differs for every seed of the sweep
NEEDS = frozenset({"value", "grad", "value_fn", "obj_fn", "grad_fn", "per_example_grad", "seed"})

#: Those of them that an update is handed where its signature declares them.
OFFERED = frozenset({"value", "grad", "value_fn", "obj_fn", "grad_fn"})


@dataclass(frozen=True)
class Optimizer:
    """One optimizer, an entry of a table.

    `build(learning_rate, **hyperparameters)` returns the transformation. The sweep calls it inside the
    compiled step with traced scalars: `learning_rate` is already multiplied by the schedule.
    """

    build: Callable[..., optax.GradientTransformation]
    #: Lowest and highest learning rate worth trying; grids are geometric between them.
    learning_rates: tuple[float, float]
    #: Author, title, year; and the reason for the range.
    source: str
    needs: frozenset[str] = frozenset()
    #: How decoupled weight decay is applied. "native": `build` takes `weight_decay` with exactly that
    #: meaning. "wrapped": subtracted beside the update. "anchored": the same for optimizers that hold
    #: the initial parameters: they would undo a decay they don't know of, or take its displacement for progress.
    #: "averaged": the same at the parameters that schedule-free steps at, and so in their average.
    decay: Literal["native", "wrapped", "anchored", "averaged"] = "wrapped"
    #: The parameters to evaluate, if they differ from those the gradient is taken at.
    evaluation_params: Callable[[optax.OptState, optax.Params], optax.Params] | None = None
    #: Gradient evaluations of the step that led to this state.
    gradient_evaluations: Callable[[optax.OptState], Any] = lambda state: 1
    #: Steps after which its work repeats, from its hyperparameters: a timed call covers whole periods.
    period: Callable[[Mapping[str, Any]], int] = lambda hyperparameters: 1
    #: What a person has without tuning: the paper's, or that of well-known code. Plug-ins may have none.
    default_learning_rate: float | None = None
    #: Lowest and highest weight decay worth trying, where they don't follow from the learning rates.
    weight_decays: tuple[float, float] | None = None
    #: What the last step multiplied the learning rate by, of an optimizer that estimates its own step: decay is
    #: multiplied by the same, and so means what it does beside the rate that the optimizer found.
    step_scale: Callable[[optax.OptState], Any] = lambda state: 1.0
    #: The hyperparameter that is the problem's optimum, its lowest loss, where that is known.
    optimum_parameter: str | None = None
    #: A user's: what its state and its update show fills in what the fields above don't say.
    adapts: bool = False
    #: Leaves of the parameters that its updates never move; no decay does.
    frozen: frozenset[int] = frozenset()

    @property
    def hyperparameters(self) -> Mapping[str, Any]:
        """Hyperparameters and their defaults: floats are traced, anything else is fixed per cell."""
        own = {"learning_rate", "weight_decay", "seed"}
        parameters = inspect.signature(self.build).parameters.values()
        return {p.name: p.default for p in parameters if p.name not in own and _is_settable(p)}


def _is_settable(parameter: inspect.Parameter) -> bool:
    if parameter.kind in (parameter.VAR_POSITIONAL, parameter.VAR_KEYWORD):
        return False
    if parameter.name.endswith(("mask", "dtype")):
        return False
    return parameter.default is None or isinstance(parameter.default, bool | int | float | str)
