"""Optimizers that find their step size: the learning rate caps or multiplies it."""

from collections.abc import Callable
from typing import Any, NamedTuple

import jax
import jax.numpy as jnp
import optax
import optax.contrib

from optbench.optimizers.optimizer import Optimizer


class SteppedState(NamedTuple):
    """An optimizer's own state, and what its last step multiplied the learning rate by."""

    inner: optax.OptState
    step: jax.Array


def step_of(state: Any) -> jax.Array:
    """Return what the last step multiplied the learning rate by, of a state that keeps it."""
    return state.step


def recording(
    inner: optax.GradientTransformation, step: Callable[[Any, Any], Any]
) -> optax.GradientTransformationExtraArgs:
    """Return an optimizer that keeps its last step size, which `step` reads off its states before and after."""
    transformation = optax.with_extra_args_support(inner)

    def init(params):
        return SteppedState(transformation.init(params), jnp.zeros((), optax.tree.dtype(params, "lowest")))

    def update(updates, state, params=None, **extra_args):
        updates, after = transformation.update(updates, state.inner, params, **extra_args)
        return updates, SteppedState(after, jnp.asarray(step(state.inner, after), state.step.dtype))

    return optax.GradientTransformationExtraArgs(init, update)


def _estimate_before(before, after):
    # optax and the papers take the step with the estimate as it was, and correct Adam's bias on top: AdamW's decay
    # does without that correction.
    return before.estim_lr


def _dog_step(before, after, eps: Any = 1e-8):
    return after.max_dist / jnp.sqrt(after.sum_sq_norm_grads + eps)


def _dowg_step(before, after, eps: Any = 1e-4):
    return after.estim_sq_dist / (jnp.sqrt(after.weighted_sq_norm_grads) + eps)


#: Where a state lies that an estimate of the step stands in, by its class -> how it is read off, before and after.
_ESTIMATES: dict[str, Callable[[Any, Any], Any]] = {
    "DAdaptAdamWState": _estimate_before,
    "ProdigyState": _estimate_before,
    "DoGState": _dog_step,
    "DoWGState": _dowg_step,
    "MechanicState": lambda before, after: jnp.sum(after.s),
}


def estimated_step(state: Any) -> Callable[[Any, Any], Any] | None:
    """Return what reads the estimate of the step off the states before and after one; None where there is none."""
    is_estimate = lambda node: type(node).__name__ in _ESTIMATES  # noqa: E731

    def first(tree: Any) -> Any:
        return next(filter(is_estimate, jax.tree.leaves(tree, is_leaf=is_estimate)), None)

    node = first(state)
    if node is None:
        return None
    return lambda before, after: _ESTIMATES[type(node).__name__](first(before), first(after))


def polyak_sgd(learning_rate, f_min: float = 0.0, eps: float = 0.0, variant: str = "sps+"):
    """Return gradient descent with the Polyak step size, capped by the learning rate."""
    # Not optax's "sps": where a batch's loss is below f_min, it steps uphill.
    return optax.polyak_sgd(learning_rate, f_min=f_min, eps=eps, variant=variant)


def dadapt_adamw(learning_rate, b1: float = 0.9, b2: float = 0.999, eps: float = 1e-8, estim_lr0: float = 1e-6):
    """Return AdamW with D-Adaptation."""
    return recording(optax.contrib.dadapt_adamw(learning_rate, (b1, b2), eps, estim_lr0), _estimate_before)


def prodigy(
    learning_rate,
    b1: float = 0.9,
    b2: float = 0.999,
    beta3: float | None = None,
    eps: float = 1e-8,
    estim_lr0: float = 1e-6,
    estim_lr_coef: float = 1.0,
    safeguard_warmup: bool = False,
):
    """Return Prodigy."""
    inner = optax.contrib.prodigy(
        learning_rate, (b1, b2), beta3, eps, estim_lr0, estim_lr_coef, safeguard_warmup=safeguard_warmup
    )
    return recording(inner, _estimate_before)


def dog(learning_rate, init_step: float = 1e-6, eps: float = 1e-8):
    """Return DoG, distance over gradients, from a heuristic first step."""
    step = lambda before, after: _dog_step(before[1], after[1], eps)  # noqa: E731
    return recording(optax.contrib.dog(learning_rate, ("heuristic", init_step), eps), step)


def dowg(learning_rate, init_estim_sq_dist: float | None = None, eps: float = 1e-4):
    """Return DoWG, distance over weighted gradients."""
    step = lambda before, after: _dowg_step(before[1], after[1], eps)  # noqa: E731
    return recording(optax.contrib.dowg(learning_rate, init_estim_sq_dist, eps), step)


def mechanize(
    learning_rate,
    inner: str = "adam",
    tuner_decay: float = 0.01,
    eps: float = 1e-8,
    s_init: float = 1e-6,
    num_betas: int = 6,
):
    """Return `inner` ("adam" or "sgd") with a tuned scale; `tuner_decay` acts on the tuner, not on the parameters.

    Raises ValueError for another `inner`.
    """
    inners = {"adam": optax.adam, "sgd": optax.sgd}
    if inner not in inners:
        raise ValueError(f"inner is {inner!r}; accepted: {', '.join(inners)}")
    scaled = optax.contrib.mechanize(inners[inner](learning_rate), tuner_decay, eps, s_init, num_betas)
    return recording(scaled, lambda before, after: jnp.sum(after.s))


_MOMO = "Schaipp, Ohana, Eickenberg, Defazio, Gower, MoMo: Momentum Models for Adaptive Learning Rates, 2023; "
_NATURALLY = "multiplies what is estimated, naturally 1; a decade to each side shows whether it had to be tuned at all"
#: Their rate is about 1 times an estimate of what adam, or sgd, would be given: a decay in the units of those.
_AS_ADAM = (1.8e-2, 1.8)
_AS_SGD = (3.2e-4, 3.2e-2)

TABLE = {
    "polyak_sgd": Optimizer(
        build=polyak_sgd,
        learning_rates=(1e-1, 1e2),
        default_learning_rate=1.0,  # optax's
        source="Loizou, Vaswani, Laradji, Lacoste-Julien, Stochastic Polyak Step-size for SGD: An Adaptive Learning "
        "Rate for Fast Convergence, 2020; the cap of the step, from sgd's up to hardly ever reached",
        needs=frozenset({"value"}),
        optimum_parameter="f_min",
    ),
    # optax's own weight decay is the proximal one, divided by 1 + learning_rate * weight_decay.
    "momo": Optimizer(
        build=optax.contrib.momo,
        learning_rates=(1e-1, 1e2),
        default_learning_rate=1.0,  # the paper's
        source=_MOMO + "the cap of the step, about the paper's 1",
        needs=frozenset({"value"}),
        optimum_parameter="lower_bound",
    ),
    "momo_adam": Optimizer(
        build=optax.contrib.momo_adam,
        learning_rates=(3e-3, 3.0),
        default_learning_rate=1e-2,  # the paper's
        source=_MOMO + "the cap of the step, above adam's, about the paper's 1e-2",
        needs=frozenset({"value"}),
        optimum_parameter="lower_bound",
    ),
    # Blind to the scale of gradients, so to the rate: what it sets is decay and, by a schedule, their weights.
    "cocob": Optimizer(
        build=optax.contrib.cocob,
        learning_rates=(0.1, 10.0),
        default_learning_rate=1.0,  # the paper's
        source="Orabona, Tommasi, Training Deep Networks without Learning Rates Through Coin Betting, 2017; "
        "naturally 1; a decade to each side reaches ten times less and more decay",
        decay="anchored",
    ),
    # Estimates the distance from gradients alone: a decay beside it is not seen, and needs no anchor.
    "dadapt_adamw": Optimizer(
        build=dadapt_adamw,
        learning_rates=(0.1, 10.0),
        default_learning_rate=1.0,  # the paper's
        weight_decays=_AS_ADAM,
        source="Defazio, Mishchenko, Learning-Rate-Free Learning by D-Adaptation, 2023; " + _NATURALLY,
        step_scale=step_of,
    ),
    "prodigy": Optimizer(
        build=prodigy,
        learning_rates=(0.1, 10.0),
        default_learning_rate=1.0,  # the paper's
        weight_decays=_AS_ADAM,
        source="Mishchenko, Defazio, Prodigy: An Expeditiously Adaptive Parameter-Free Learner, 2023; " + _NATURALLY,
        decay="anchored",
        step_scale=step_of,
    ),
    "dog": Optimizer(
        build=dog,
        learning_rates=(0.1, 10.0),
        default_learning_rate=1.0,  # the paper's
        weight_decays=_AS_SGD,
        source="Ivgi, Hinder, Carmon, DoG is SGD's Best Friend: A Parameter-Free Dynamic Step Size Schedule, 2023; "
        + _NATURALLY,
        decay="anchored",
        step_scale=step_of,
    ),
    "dowg": Optimizer(
        build=dowg,
        learning_rates=(0.1, 10.0),
        default_learning_rate=1.0,  # the paper's
        weight_decays=_AS_SGD,
        source="Khaled, Mishchenko, Jin, DoWG Unleashed: An Efficient Universal Parameter-Free Gradient Descent "
        "Method, 2023; " + _NATURALLY,
        decay="anchored",
        step_scale=step_of,
    ),
    "mechanize": Optimizer(
        build=mechanize,
        learning_rates=(0.1, 10.0),
        default_learning_rate=1.0,  # the paper's
        weight_decays=_AS_ADAM,
        source="Cutkosky, Defazio, Mehta, Mechanic: A Learning Rate Tuner, 2023; the tuner scales it: " + _NATURALLY,
        decay="anchored",
        step_scale=step_of,
    ),
}
