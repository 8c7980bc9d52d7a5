"""Optimizers that find their step size: the learning rate caps or multiplies it."""

import optax
import optax.contrib

from optbench.optimizers.optimizer import Optimizer


def polyak_sgd(learning_rate, f_min: float = 0.0, eps: float = 0.0, variant: str = "sps"):
    """Return gradient descent with the Polyak step size, capped by the learning rate."""
    return optax.polyak_sgd(learning_rate, f_min=f_min, eps=eps, variant=variant)


def dadapt_adamw(learning_rate, b1: float = 0.9, b2: float = 0.999, eps: float = 1e-8, estim_lr0: float = 1e-6):
    """Return AdamW with D-Adaptation."""
    return optax.contrib.dadapt_adamw(learning_rate, (b1, b2), eps, estim_lr0)


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
    return optax.contrib.prodigy(
        learning_rate, (b1, b2), beta3, eps, estim_lr0, estim_lr_coef, safeguard_warmup=safeguard_warmup
    )


def dog(learning_rate, init_step: float = 1e-6, eps: float = 1e-8):
    """Return DoG, distance over gradients, from a heuristic first step."""
    return optax.contrib.dog(learning_rate, ("heuristic", init_step), eps)


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
    return optax.contrib.mechanize(inners[inner](learning_rate), tuner_decay, eps, s_init, num_betas)


_MOMO = "Schaipp, Ohana, Eickenberg, Defazio, Gower, MoMo: Momentum Models for Adaptive Learning Rates, 2023; "

TABLE = {
    "polyak_sgd": Optimizer(
        build=polyak_sgd,
        learning_rates=(1e-1, 1e2),
        source="Loizou, Vaswani, Laradji, Lacoste-Julien, Stochastic Polyak Step-size for SGD: An Adaptive Learning "
        "Rate for Fast Convergence, 2020; the cap of the step, from sgd's up to hardly ever reached",
        needs=frozenset({"value"}),
    ),
    # optax's own weight decay is the proximal one, divided by 1 + learning_rate * weight_decay.
    "momo": Optimizer(
        build=optax.contrib.momo,
        learning_rates=(1e-1, 1e2),
        source=_MOMO + "the cap of the step, about the paper's 1",
        needs=frozenset({"value"}),
    ),
    "momo_adam": Optimizer(
        build=optax.contrib.momo_adam,
        learning_rates=(3e-3, 3.0),
        source=_MOMO + "the cap of the step, above adam's, about the paper's 1e-2",
        needs=frozenset({"value"}),
    ),
    # Blind to the scale of gradients, so to the rate: what it sets is decay and, by a schedule, their weights.
    "cocob": Optimizer(
        build=optax.contrib.cocob,
        learning_rates=(0.5, 2.0),
        source="Orabona, Tommasi, Training Deep Networks without Learning Rates Through Coin Betting, 2017; "
        "naturally 1",
        decay="anchored",
    ),
    # optax's own weight decay is multiplied by the estimated step size as well; so is prodigy's.
    "dadapt_adamw": Optimizer(
        build=dadapt_adamw,
        learning_rates=(0.3, 3.0),
        source="Defazio, Mishchenko, Learning-Rate-Free Learning by D-Adaptation, 2023; multiplies, naturally 1",
    ),
    "prodigy": Optimizer(
        build=prodigy,
        learning_rates=(0.3, 3.0),
        source="Mishchenko, Defazio, Prodigy: An Expeditiously Adaptive Parameter-Free Learner, 2023; "
        "multiplies, naturally 1",
    ),
    "dog": Optimizer(
        build=dog,
        learning_rates=(0.3, 3.0),
        source="Ivgi, Hinder, Carmon, DoG is SGD's Best Friend: A Parameter-Free Dynamic Step Size Schedule, 2023; "
        "multiplies, naturally 1",
    ),
    "dowg": Optimizer(
        build=optax.contrib.dowg,
        learning_rates=(0.3, 3.0),
        source="Khaled, Mishchenko, Jin, DoWG Unleashed: An Efficient Universal Parameter-Free Gradient Descent "
        "Method, 2023; multiplies, naturally 1",
    ),
    "mechanize": Optimizer(
        build=mechanize,
        learning_rates=(0.3, 3.0),
        source="Cutkosky, Defazio, Mehta, Mechanic: A Learning Rate Tuner, 2023; the tuner scales it, naturally 1",
        decay="anchored",
    ),
}
