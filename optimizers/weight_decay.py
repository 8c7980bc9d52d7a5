"""Decoupled weight decay for any entry: x <- x - learning_rate * weight_decay * x beside its own update.

Where an entry estimates its step, its `step_scale` is a further factor: the rate that it was not given, but found.
A user's optimizer decays what it moves: nothing that it freezes, and no step that accumulates alone.
"""

from collections.abc import Callable, Sequence
from typing import Any, NamedTuple

import jax
import jax.numpy as jnp
import optax

from optbench.optimizers.optimizer import Optimizer
from optbench.optimizers.schedule_free import is_averaging, is_left_out, nodes

#: (updates, parameters, state after the step, gradients) -> what decay adds to each leaf of the parameters.
_Decay = Callable[[optax.Updates, Any, optax.OptState, optax.Updates], optax.Updates]


class AnchoredState(NamedTuple):
    """The state of an optimizer without decay: its own, and the parameters it would have."""

    inner: optax.OptState
    own_params: optax.Params


def decoupled(optimizer: Optimizer) -> Callable[..., optax.GradientTransformationExtraArgs]:
    """Return `build(learning_rate, weight_decay, **hyperparameters)` with decoupled decay.

    Updates accept any extra argument and see only those the entry needs. The state is the entry's own,
    except for anchored entries.
    """
    ways = {"native": lambda inner, decay: inner, "wrapped": _wrapped, "anchored": _anchored, "averaged": _averaged}

    def build(learning_rate: Any, weight_decay: Any = 0.0, **hyperparameters: Any):
        native = {"weight_decay": weight_decay} if optimizer.decay == "native" else {}
        inner = optimizer.build(learning_rate, **native, **hyperparameters)

        def decay(updates: optax.Updates, params: Any, state: optax.OptState, gradients: Any) -> optax.Updates:
            rate = learning_rate * weight_decay * optimizer.step_scale(state)
            if not optimizer.adapts:
                return jax.tree.map(lambda param: -rate * param, params)
            leaves, structure = jax.tree.flatten(params)
            moves = _moves(jax.tree.leaves(gradients), jax.tree.leaves(updates), optimizer.frozen)
            return structure.unflatten(jnp.where(m, -rate * leaf, 0) for m, leaf in zip(moves, leaves, strict=True))

        return ways[optimizer.decay](_only_needed(inner, optimizer.needs), decay)

    return build


def _moves(gradients: Sequence[Any], updates: Sequence[Any], frozen: frozenset[int]) -> list[Any]:
    """Return for each leaf whether an optimizer moves it in a step.

    It doesn't where its update is zero although its gradient isn't; nor, where no leaf is moved, while any is not.
    """
    zero = [~jnp.any(update != 0) for update in updates]
    flat = [~jnp.any(gradient != 0) for gradient in gradients]
    idle = jnp.all(jnp.stack(zero)) & ~jnp.all(jnp.stack(flat))
    return [
        jnp.bool_(False) if leaf in frozen else ~(still & (~level | idle))
        for leaf, (still, level) in enumerate(zip(zero, flat, strict=True))
    ]


def _only_needed(inner: optax.GradientTransformation, needs: frozenset[str]) -> optax.GradientTransformationExtraArgs:
    # sam refuses every argument but grad_fn, and lbfgs hands all others on to its value_fn.
    inner = optax.with_extra_args_support(inner)

    def update(updates, state, params=None, **extra_args):
        return inner.update(updates, state, params, **{name: extra_args[name] for name in needs & extra_args.keys()})

    return optax.GradientTransformationExtraArgs(inner.init, update)


def _wrapped(inner: optax.GradientTransformationExtraArgs, decay: _Decay) -> optax.GradientTransformationExtraArgs:
    def update(updates, state, params=None, **extra_args):
        gradients = updates
        updates, state = inner.update(gradients, state, params, **extra_args)
        return _sum(updates, decay(updates, params, state, gradients)), state

    return optax.GradientTransformationExtraArgs(inner.init, update)


def _anchored(inner: optax.GradientTransformationExtraArgs, decay: _Decay) -> optax.GradientTransformationExtraArgs:
    def init(params):
        return AnchoredState(inner.init(params), params)

    def update(updates, state, params=None, **extra_args):
        gradients = updates
        updates, inner_state = inner.update(gradients, state.inner, state.own_params, **extra_args)
        own_params = optax.apply_updates(state.own_params, updates)
        decays = decay(updates, params, inner_state, gradients)
        return _sum(updates, decays), AnchoredState(inner_state, own_params)

    return optax.GradientTransformationExtraArgs(init, update)


def _sum(updates: optax.Updates, decays: optax.Updates) -> optax.Updates:
    return jax.tree.map(lambda update, decay: update + decay, updates, decays)


def _averaged(inner: optax.GradientTransformationExtraArgs, decay: _Decay) -> optax.GradientTransformationExtraArgs:
    """Decay what schedule-free steps at: as in the paper z loses what decay takes, and y by averaging its share."""

    def update(updates, state, params=None, **extra_args):
        gradients = updates
        updates, after = inner.update(gradients, state, params, **extra_args)
        leaves, structure = jax.tree.flatten(decay(updates, params, after, gradients))
        decayed = []
        for old, new in zip(nodes(state), nodes(after), strict=True):
            # The weight of this step in the average.
            weight = jnp.nan_to_num((new.weight_sum - old.weight_sum) / new.weight_sum)
            steps = structure.flatten_up_to(new.z)
            inside = [not is_left_out(z) for z in steps]
            z = [z + leaf if own else z for z, leaf, own in zip(steps, leaves, inside, strict=True)]
            decayed.append(new._replace(z=structure.unflatten(z)))
            share = new.b1 * weight + 1.0 - new.b1
            leaves = [share * leaf if own else leaf for leaf, own in zip(leaves, inside, strict=True)]
        queue = iter(decayed)
        state = jax.tree.map(lambda part: next(queue) if is_averaging(part) else part, after, is_leaf=is_averaging)
        return _sum(updates, structure.unflatten(leaves)), state

    return optax.GradientTransformationExtraArgs(inner.init, update)
