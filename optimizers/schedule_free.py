"""Averaging in place of a schedule: gradients are taken at y, steps at z, evaluation at the average x."""

import optax.contrib

from optbench.optimizers.optimizer import Optimizer


def schedule_free_sgd(learning_rate, weight_decay: float = 0.0, b1: float = 0.9, weight_lr_power: float = 2.0):
    """Return schedule-free gradient descent."""
    return optax.contrib.schedule_free_sgd(
        learning_rate, b1=b1, weight_decay=weight_decay, weight_lr_power=weight_lr_power
    )


def schedule_free_adamw(
    learning_rate,
    weight_decay: float = 0.0,
    b1: float = 0.9,
    b2: float = 0.999,
    eps: float = 1e-8,
    weight_lr_power: float = 2.0,
):
    """Return schedule-free AdamW."""
    return optax.contrib.schedule_free_adamw(
        learning_rate, b1=b1, b2=b2, eps=eps, weight_decay=weight_decay, weight_lr_power=weight_lr_power
    )


_DEFAZIO = "Defazio, Yang, Mehta, Mishchenko, Khaled, Cutkosky, The Road Less Scheduled, 2024; "

# Native, but not x <- x - learning_rate * weight_decay * x: as in the paper, z loses learning_rate * weight_decay * y,
# and what is evaluated follows by averaging.
TABLE = {
    "schedule_free_sgd": Optimizer(
        build=schedule_free_sgd,
        learning_rates=(1e-1, 3e1),
        default_learning_rate=1.0,  # the authors' code, and optax's
        source=_DEFAZIO + "the authors advise 10 to 50 times the rate of sgd with momentum",
        decay="native",
        evaluation_params=optax.contrib.schedule_free_eval_params,
    ),
    "schedule_free_adamw": Optimizer(
        build=schedule_free_adamw,
        learning_rates=(1e-3, 1.0),
        default_learning_rate=2.5e-3,  # the authors' code, and optax's
        source=_DEFAZIO + "the authors advise 1 to 10 times the rate of adamw",
        decay="native",
        evaluation_params=optax.contrib.schedule_free_eval_params,
    ),
}
