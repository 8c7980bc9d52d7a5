"""Steps scaled or shaped per layer: by the norm of its parameters or gradient, or as a matrix."""

from typing import Any

import optax
import optax.contrib

from optbench.optimizers.optimizer import Optimizer


def muon(
    learning_rate,
    weight_decay: float = 0.0,
    ns_steps: int = 5,
    beta: float = 0.95,
    eps: float = 1e-8,
    nesterov: bool = True,
    adaptive: bool = False,
    adam_b1: float = 0.9,
    adam_b2: float = 0.999,
    adam_learning_rate: float | None = None,
    consistent_rms: float | None = None,
):
    """Return Muon for matrices, with nadamw for all other parameters, at its own rate where that is given."""
    # Older optax, which a history may be filled with, knows neither.
    later = {"consistent_rms": consistent_rms, "adam_learning_rate": adam_learning_rate}
    given: dict[str, Any] = {name: value for name, value in later.items() if value is not None}
    # Decay reaches both parts, each at its rate.
    return optax.contrib.muon(
        learning_rate,
        ns_steps=ns_steps,
        beta=beta,
        eps=eps,
        weight_decay=weight_decay,
        nesterov=nesterov,
        adaptive=adaptive,
        adam_b1=adam_b1,
        adam_b2=adam_b2,
        adam_weight_decay=weight_decay,
        **given,
    )


def galore(
    learning_rate,
    weight_decay: float = 0.0,
    rank: int = 8,
    update_proj_gap: int = 200,
    scale: float = 1.0,
    b1: float = 0.9,
    b2: float = 0.999,
    eps: float = 1e-8,
):
    """Return Adam on gradients projected to a low rank, GaLore."""
    return optax.contrib.galore(
        learning_rate,
        rank=rank,
        update_proj_gap=update_proj_gap,
        scale=scale,
        base_optimizer=optax.scale_by_adam(b1, b2, eps),
        weight_decay=weight_decay,
    )


TABLE = {
    # optax's own weight decay enters the normalized direction here, except for muon and galore.
    "lars": Optimizer(
        build=optax.lars,
        learning_rates=(1e-1, 3e1),
        default_learning_rate=5.0,  # TensorFlow's for ResNet-50 with batches below 8192
        source="You, Gitman, Ginsburg, Large Batch Training of Convolutional Networks, 2017; "
        "the trust coefficient of 1e-3 divides it down to a relative step",
    ),
    "lamb": Optimizer(
        build=optax.lamb,
        learning_rates=(1e-3, 3e-1),
        default_learning_rate=1e-3,  # TensorFlow Addons'
        source="You, Li, Reddi, Hseu, Kumar, Bhojanapalli, Song, Demmel, Keutzer, Hsieh, Large Batch Optimization for "
        "Deep Learning: Training BERT in 76 minutes, 2019; a step relative to each layer's norm",
    ),
    # Starts slowly from zero parameters: a step is relative to their norm, floored at min_norm.
    "fromage": Optimizer(
        build=optax.fromage,
        learning_rates=(1e-3, 3e-1),
        default_learning_rate=1e-2,  # the paper's
        source="Bernstein, Vahdat, Yue, Liu, On the distance between two neural networks and the stability of "
        "learning, 2020; about the paper's 1e-2, a relative step",
    ),
    "novograd": Optimizer(
        build=optax.novograd,
        learning_rates=(1e-4, 1e-1),
        default_learning_rate=1e-2,  # the paper's
        source="Ginsburg, Castonguay, Hrinchuk, Kuchaiev, Lavrukhin, Leary, Li, Nguyen, Zhang, Cohen, Stochastic "
        "Gradient Methods with Layer-wise Adaptive Moments for Training of Deep Networks, 2019; about the paper's 1e-2",
    ),
    "muon": Optimizer(
        build=muon,
        learning_rates=(1e-3, 3e-1),
        default_learning_rate=2e-2,  # the authors'
        source="Jordan, Jin, Boza, You, Cesista, Newhouse, Bernstein, Muon: An optimizer for hidden layers in neural "
        "networks, 2024; about the authors' 2e-2",
        decay="native",
    ),
    "galore": Optimizer(
        build=galore,
        learning_rates=(1e-3, 3e-1),
        default_learning_rate=1e-2,  # the authors'
        source="Zhao, Zhang, Chen, Wang, Anandkumar, Tian, GaLore: Memory-Efficient LLM Training by Gradient Low-Rank "
        "Projection, 2024; as adam, which it runs in the projection",
        decay="native",
        period=lambda hyperparameters: hyperparameters.get("update_proj_gap", 200),
    ),
}
