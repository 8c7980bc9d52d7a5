"""Decoupled weight decay for any entry: x <- x - learning_rate * weight_decay * x beside its own update.

Where an entry estimates its step, its `step_scale` is a further factor: the rate that it was not given, but found.
"""

from collections.abc import Callable
from typing import Any, NamedTuple

import jax
import optax

from optbench.optimizers.optimizer import Optimizer

#: (updates, parameters, state after the step) -> the updates with decay.
_Decay = Callable[[optax.Updates, Any, optax.OptState], optax.Updates]


class AnchoredState(NamedTuple):
    """The state of an optimizer without decay: its own, and the parameters it would have."""

    inner: optax.OptState
    own_params: optax.Params


def decoupled(optimizer: Optimizer) -> Callable[..., optax.GradientTransformationExtraArgs]:
    """Return `build(learning_rate, weight_decay, **hyperparameters)` with decoupled decay.

    Updates accept any extra argument and see only those the entry needs. The state is the entry's own,
    except for anchored entries.
    """
    apply_decay = {"native": lambda inner, decay: inner, "wrapped": _wrapped, "anchored": _anchored}[optimizer.decay]

    def build(learning_rate: Any, weight_decay: Any = 0.0, **hyperparameters: Any):
        native = {"weight_decay": weight_decay} if optimizer.decay == "native" else {}
        inner = optimizer.build(learning_rate, **native, **hyperparameters)

        def decay(updates: optax.Updates, params: Any, state: optax.OptState) -> optax.Updates:
            rate = learning_rate * weight_decay * optimizer.step_scale(state)
            return jax.tree.map(lambda update, param: update - rate * param, updates, params)

        return apply_decay(_only_needed(inner, optimizer.needs), decay)

    return build


def _only_needed(inner: optax.GradientTransformation, needs: frozenset[str]) -> optax.GradientTransformationExtraArgs:
    # sam refuses every argument but grad_fn, and lbfgs hands all others on to its value_fn.
    inner = optax.with_extra_args_support(inner)

    def update(updates, state, params=None, **extra_args):
        return inner.update(updates, state, params, **{name: extra_args[name] for name in needs & extra_args.keys()})

    return optax.GradientTransformationExtraArgs(inner.init, update)


def _wrapped(inner: optax.GradientTransformationExtraArgs, decay: _Decay) -> optax.GradientTransformationExtraArgs:
    def update(updates, state, params=None, **extra_args):
        updates, state = inner.update(updates, state, params, **extra_args)
        return decay(updates, params, state), state

    return optax.GradientTransformationExtraArgs(inner.init, update)


def _anchored(inner: optax.GradientTransformationExtraArgs, decay: _Decay) -> optax.GradientTransformationExtraArgs:
    def init(params):
        return AnchoredState(inner.init(params), params)

    def update(updates, state, params=None, **extra_args):
        updates, inner_state = inner.update(updates, state.inner, state.own_params, **extra_args)
        own_params = optax.apply_updates(state.own_params, updates)
        return decay(updates, params, inner_state), AnchoredState(inner_state, own_params)

    return optax.GradientTransformationExtraArgs(init, update)
