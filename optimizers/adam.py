"""Adam and its relatives: steps of about the learning rate in every coordinate."""

from functools import partial

import optax
import optax.contrib

from optbench.optimizers.optimizer import Optimizer


def nadam(learning_rate, b1: float = 0.9, b2: float = 0.999, eps: float = 1e-8, eps_root: float = 0.0):
    """Return Adam with Nesterov momentum."""
    return optax.nadam(learning_rate, b1, b2, eps, eps_root)


def nadamw(
    learning_rate,
    weight_decay: float = 0.0,
    b1: float = 0.9,
    b2: float = 0.999,
    eps: float = 1e-8,
    eps_root: float = 0.0,
):
    """Return Adam with Nesterov momentum and decoupled weight decay."""
    return optax.nadamw(learning_rate, b1, b2, eps, eps_root, weight_decay=weight_decay)


def optimistic_adam_v2(
    learning_rate,
    alpha: float = 1.0,
    beta: float = 1.0,
    b1: float = 0.9,
    b2: float = 0.999,
    eps: float = 1e-8,
    eps_root: float = 0.0,
    nesterov: bool = True,
):
    """Return optimistic Adam, in optax's second form."""
    # Looked up when it is built: optax 0.2.5 doesn't have it, and lacks this one entry.
    return optax.optimistic_adam_v2(
        learning_rate, alpha=alpha, beta=beta, b1=b1, b2=b2, eps=eps, eps_root=eps_root, nesterov=nesterov
    )


_DOZAT = "Dozat, Incorporating Nesterov Momentum into Adam, 2016; as adam"

TABLE = {
    "adam": Optimizer(
        build=optax.adam,
        learning_rates=(1e-4, 3e-1),
        default_learning_rate=1e-3,  # the paper's
        source="Kingma, Ba, Adam: A Method for Stochastic Optimization, 2014; from below the usual 1e-3 up to what "
        "small full-batch problems bear",
    ),
    "adamw": Optimizer(
        build=partial(optax.adamw, weight_decay=0.0),
        learning_rates=(1e-4, 3e-1),
        default_learning_rate=1e-3,  # adam's
        source="Loshchilov, Hutter, Decoupled Weight Decay Regularization, 2017; as adam",
        decay="native",
    ),
    "nadam": Optimizer(
        build=nadam,
        learning_rates=(1e-4, 3e-1),
        default_learning_rate=2e-3,  # Keras's at first, and PyTorch's
        source=_DOZAT,
    ),
    "nadamw": Optimizer(
        build=nadamw,
        learning_rates=(1e-4, 3e-1),
        default_learning_rate=2e-3,  # as nadam
        source=_DOZAT,
        decay="native",
    ),
    "amsgrad": Optimizer(
        build=optax.amsgrad,
        learning_rates=(1e-4, 3e-1),
        default_learning_rate=1e-3,  # adam's
        source="Reddi, Kale, Kumar, On the Convergence of Adam and Beyond, 2018; as adam",
    ),
    "adamax": Optimizer(
        build=optax.adamax,
        learning_rates=(1e-4, 3e-1),
        default_learning_rate=2e-3,  # the paper's
        source="Kingma, Ba, Adam: A Method for Stochastic Optimization, 2014; about the paper's 2e-3",
    ),
    "adamaxw": Optimizer(
        build=partial(optax.adamaxw, weight_decay=0.0),
        learning_rates=(1e-4, 3e-1),
        default_learning_rate=2e-3,  # as adamax
        source="Loshchilov, Hutter, Decoupled Weight Decay Regularization, 2017; as adamax",
        decay="native",
    ),
    "adabelief": Optimizer(
        build=optax.adabelief,
        learning_rates=(1e-4, 1e-1),
        default_learning_rate=1e-3,  # the paper's
        source="Zhuang, Tang, Ding, Tatikonda, Dvornek, Papademetris, Duncan, AdaBelief Optimizer: Adapting Stepsizes "
        "by the Belief in Observed Gradients, 2020; as adam",
    ),
    "radam": Optimizer(
        build=optax.radam,
        learning_rates=(1e-4, 3e-1),
        default_learning_rate=1e-3,  # the authors' code
        source="Liu, Jiang, He, Chen, Liu, Gao, Han, On the Variance of the Adaptive Learning Rate and Beyond, 2019; "
        "as adam",
    ),
    "yogi": Optimizer(
        build=optax.yogi,
        learning_rates=(1e-3, 1.0),
        default_learning_rate=1e-2,  # the paper's
        source="Zaheer, Reddi, Sachan, Kale, Kumar, Adaptive Methods for Nonconvex Optimization, 2018; "
        "10 times adam's, as the paper's 1e-2",
    ),
    "adan": Optimizer(
        build=optax.adan,
        learning_rates=(3e-4, 3e-1),
        default_learning_rate=1e-3,  # the authors' code
        source="Xie, Zhou, Li, Lin, Yan, Adan: Adaptive Nesterov Momentum Algorithm for Faster Optimizing Deep Models, "
        "2022; a few times adam's, as the paper advises",
        decay="native",
    ),
    "acprop": Optimizer(
        build=optax.contrib.acprop,
        learning_rates=(1e-4, 1e-1),
        default_learning_rate=1e-3,  # the authors' code
        source="Zhuang, Ding, Tang, Dvornek, Tatikonda, Duncan, Momentum Centering and Asynchronous Update for "
        "Adaptive Gradient Methods, 2021; as adam",
        decay="native",
    ),
    "ademamix": Optimizer(
        build=optax.contrib.ademamix,
        learning_rates=(1e-4, 1e-1),
        default_learning_rate=1e-3,  # the authors' code
        source="Pagliardini, Ablin, Grangier, The AdEMAMix Optimizer: Better, Faster, Older, 2024; "
        "as adam, for the slow average adds little in less than 1/(1 - b3) steps",
        decay="native",
    ),
    "simplified_ademamix": Optimizer(
        build=optax.contrib.simplified_ademamix,
        learning_rates=(1e-5, 1e-2),
        default_learning_rate=1e-4,  # adam's over 10, as the range
        source="Morwani, Vyas, Zhang, Kakade, Connections between Schedule-Free Optimizers, AdEMAMix, and Accelerated "
        "SGD Variants, 2025; adam's over 10, for its momentum sums gradients instead of averaging them",
        decay="native",
    ),
    "adopt": Optimizer(
        build=optax.contrib.adopt,
        learning_rates=(1e-4, 1e-1),
        default_learning_rate=1e-3,  # the authors' code
        source="Taniguchi, Harada, Minegishi, Oshima, Jeong, Nagahara, Iiyama, Suzuki, Iwasawa, Matsuo, ADOPT: "
        "Modified Adam Can Converge with Any beta2 with the Optimal Rate, 2024; as adam",
    ),
    "optimistic_adam_v2": Optimizer(
        build=optimistic_adam_v2,
        learning_rates=(1e-4, 3e-1),
        default_learning_rate=1e-3,  # adam's
        source="Daskalakis, Ilyas, Syrgkanis, Zeng, Training GANs with Optimism, 2017; as adam, whose steps it "
        "extrapolates",
    ),
}
