"""Decoupled weight decay for any entry: x <- x - learning_rate * weight_decay * x beside its own update."""

from collections.abc import Callable
from typing import Any, NamedTuple

import jax
import optax

from optbench.optimizers.optimizer import Optimizer


class AnchoredState(NamedTuple):
    """The state of an optimizer without decay: its own, and the parameters it would have."""

    inner: optax.OptState
    own_params: optax.Params


def decoupled(optimizer: Optimizer) -> Callable[..., optax.GradientTransformationExtraArgs]:
    """Return `build(learning_rate, weight_decay, **hyperparameters)` with decoupled decay.

    Updates accept any extra argument and see only those the entry needs. The state is the entry's own,
    except for anchored entries.
    """
    apply_decay = {"native": lambda inner, rate: inner, "wrapped": _wrapped, "anchored": _anchored}[optimizer.decay]

    def build(learning_rate: Any, weight_decay: Any = 0.0, **hyperparameters: Any):
        native = {"weight_decay": weight_decay} if optimizer.decay == "native" else {}
        inner = optimizer.build(learning_rate, **native, **hyperparameters)
        return apply_decay(_only_needed(inner, optimizer.needs), learning_rate * weight_decay)

    return build


def _only_needed(inner: optax.GradientTransformation, needs: frozenset[str]) -> optax.GradientTransformationExtraArgs:
    # sam refuses every argument but grad_fn, and lbfgs hands all others on to its value_fn.
    inner = optax.with_extra_args_support(inner)

    def update(updates, state, params=None, **extra_args):
        return inner.update(updates, state, params, **{name: extra_args[name] for name in needs & extra_args.keys()})

    return optax.GradientTransformationExtraArgs(inner.init, update)


def _wrapped(inner: optax.GradientTransformationExtraArgs, rate: Any) -> optax.GradientTransformationExtraArgs:
    def update(updates, state, params=None, **extra_args):
        updates, state = inner.update(updates, state, params, **extra_args)
        return _decay(updates, params, rate), state

    return optax.GradientTransformationExtraArgs(inner.init, update)


def _anchored(inner: optax.GradientTransformationExtraArgs, rate: Any) -> optax.GradientTransformationExtraArgs:
    def init(params):
        return AnchoredState(inner.init(params), params)

    def update(updates, state, params=None, **extra_args):
        updates, inner_state = inner.update(updates, state.inner, state.own_params, **extra_args)
        own_params = optax.apply_updates(state.own_params, updates)
        return _decay(updates, params, rate), AnchoredState(inner_state, own_params)

    return optax.GradientTransformationExtraArgs(init, update)


def _decay(updates: optax.Updates, params: optax.Params | None, rate: Any) -> optax.Updates:
    return jax.tree.map(lambda update, param: update - rate * param, updates, params)
