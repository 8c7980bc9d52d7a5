"""Adaptive steps from sums of squared gradients other than Adam's."""

import optax
import optax.contrib

from optbench.optimizers.optimizer import Optimizer


def adafactor(
    learning_rate,
    min_dim_size_to_factor: int = 128,
    decay_rate: float = 0.8,
    clipping_threshold: float = 1.0,
    momentum: float | None = None,
    eps: float = 1e-30,
    multiply_by_parameter_scale: bool = True,
):
    """Return Adafactor, without its own weight decay."""
    # Leaves out weight_decay_rate, which would be a second decay, unscaled by the rate.
    return optax.adafactor(
        learning_rate,
        min_dim_size_to_factor=min_dim_size_to_factor,
        decay_rate=decay_rate,
        clipping_threshold=clipping_threshold,
        momentum=momentum,
        eps=eps,
        multiply_by_parameter_scale=multiply_by_parameter_scale,
    )


def madgrad(learning_rate, momentum: float = 0.9, eps: float = 1e-6):
    """Return MADGRAD."""
    # Looked up when it is built, as optimistic_adam_v2.
    return optax.contrib.madgrad(learning_rate, momentum, eps=eps)


TABLE = {
    "adagrad": Optimizer(
        build=optax.adagrad,
        learning_rates=(3e-3, 3.0),
        default_learning_rate=1e-2,  # PyTorch's
        source="Duchi, Hazan, Singer, Adaptive Subgradient Methods for Online Learning and Stochastic Optimization, "
        "2011; above adam's, for its steps only shrink",
    ),
    "adadelta": Optimizer(
        build=optax.adadelta,
        learning_rates=(1e-1, 3e1),
        default_learning_rate=1.0,  # the paper has none, which is 1
        source="Zeiler, ADADELTA: An Adaptive Learning Rate Method, 2012; about the 1 that the paper implies",
    ),
    "rmsprop": Optimizer(
        build=optax.rmsprop,
        learning_rates=(1e-4, 1e-1),
        default_learning_rate=1e-3,  # Keras's
        source="Tieleman, Hinton, Lecture 6.5: RMSProp, Neural Networks for Machine Learning, 2012; as adam",
    ),
    "adafactor": Optimizer(
        build=adafactor,
        learning_rates=(1e-3, 1.0),
        default_learning_rate=1e-2,  # the paper's largest relative step
        source="Shazeer, Stern, Adafactor: Adaptive Learning Rates with Sublinear Memory Cost, 2018; "
        "relative to the size of each parameter, the paper's 1e-2 within",
    ),
    "sm3": Optimizer(
        build=optax.sm3,
        learning_rates=(3e-3, 3.0),
        default_learning_rate=1e-1,  # the paper's for BERT
        source="Anil, Gupta, Koren, Singer, Memory-Efficient Adaptive Optimization, 2019; as adagrad, which it bounds",
    ),
    "madgrad": Optimizer(
        build=madgrad,
        learning_rates=(1e-4, 3e-1),
        default_learning_rate=1e-2,  # the authors' code
        source="Defazio, Jelassi, Adaptivity without Compromise: A Momentumized, Adaptive, Dual Averaged Gradient "
        "Method for Stochastic Optimization, 2021; the paper's rates lie between 2.5e-4 and 2.5e-2",
        decay="anchored",
    ),
}
