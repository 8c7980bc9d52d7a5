"""Gradient descent: plain, with momentum, by sign, with noise, sharpness-aware."""

from functools import partial

import jax
import optax
import optax.contrib

from optbench.optimizers.optimizer import Optimizer


def sgd(learning_rate):
    """Return plain gradient descent."""
    return optax.sgd(learning_rate)


def sgd_momentum(learning_rate, momentum: float = 0.9):
    """Return gradient descent with heavy-ball momentum."""
    return optax.sgd(learning_rate, momentum)


def sgd_nesterov(learning_rate, momentum: float = 0.9):
    """Return gradient descent with Nesterov momentum."""
    return optax.sgd(learning_rate, momentum, nesterov=True)


def signum(learning_rate, beta: float = 0.9):
    """Return descent by the sign of the momentum."""
    # Looked up when it is built, as optimistic_adam_v2.
    return optax.signum(learning_rate, beta)


def noisy_sgd(learning_rate, seed=0, eta: float = 0.01, gamma: float = 0.55):
    """Return gradient descent with Gaussian noise of falling variance in its gradient."""
    return optax.noisy_sgd(learning_rate, eta, gamma, key=jax.random.key(seed))


def dpsgd(learning_rate, seed=0, l2_norm_clip: float = 1.0, noise_multiplier: float = 1.0, momentum: float = 0.0):
    """Return differentially private gradient descent: per-example gradients clipped, their mean with noise."""
    # optax.contrib.dpsgd takes its seed only by an argument that warns of deprecation.
    return optax.chain(
        optax.contrib.differentially_private_aggregate(l2_norm_clip, noise_multiplier, key=jax.random.key(seed)),
        optax.trace(momentum),
        optax.scale_by_learning_rate(learning_rate),
    )


def sam(learning_rate, rho: float = 0.05, momentum: float = 0.9):
    """Return sharpness-aware minimisation, with gradient descent with momentum as its outer optimizer."""
    # Not optax.contrib.normalize: it divides by zero at a stationary point.
    ascent = optax.chain(optax.normalize_by_update_norm(eps=1e-12), optax.sgd(rho))
    return optax.contrib.sam(optax.sgd(learning_rate, momentum), ascent, opaque_mode=True)


_SIGN = "Bernstein, Wang, Azizzadenesheli, Anandkumar, signSGD: Compressed Optimisation for Non-Convex Problems, 2018; "

TABLE = {
    "sgd": Optimizer(
        build=sgd,
        learning_rates=(1e-2, 1e1),
        # Bengio, Practical recommendations for gradient-based training of deep architectures, 2012
        default_learning_rate=1e-2,
        source="Robbins, Monro, A Stochastic Approximation Method, 1951; stable below 2 where the curvature is 1, and "
        "flat networks bear more",
    ),
    "sgd_momentum": Optimizer(
        build=sgd_momentum,
        learning_rates=(1e-3, 3.0),
        default_learning_rate=1e-1,  # He, Zhang, Ren, Sun, Deep Residual Learning for Image Recognition, 2015
        source="Polyak, Some methods of speeding up the convergence of iteration methods, 1964; "
        "momentum 0.9 makes steps 10 times longer, and stable below 3.8 where the curvature is 1",
    ),
    "sgd_nesterov": Optimizer(
        build=sgd_nesterov,
        learning_rates=(1e-3, 3.0),
        default_learning_rate=1e-1,  # Zagoruyko, Komodakis, Wide Residual Networks, 2016
        source="Nesterov, A method for solving the convex programming problem with convergence rate O(1/k^2), 1983; "
        "stable below 1.36 with momentum 0.9 where the curvature is 1",
    ),
    "optimistic_gradient_descent": Optimizer(
        build=optax.optimistic_gradient_descent,
        learning_rates=(1e-2, 1.0),
        default_learning_rate=0.25,  # the paper's 1/4 of the inverse curvature, where that is 1
        source="Mokhtari, Ozdaglar, Pattathil, A Unified Analysis of Extra-gradient and Optimistic Gradient Methods "
        "for Saddle Point Problems, 2019; stable below 2/3 where the curvature is 1",
    ),
    "sign_sgd": Optimizer(
        build=optax.sign_sgd,
        learning_rates=(3e-5, 3e-2),
        default_learning_rate=1e-4,  # the paper's on ImageNet
        source=_SIGN + "every coordinate moves by the rate at every step",
    ),
    "signum": Optimizer(
        build=signum,
        learning_rates=(3e-5, 3e-2),
        default_learning_rate=1e-4,  # the paper's on ImageNet
        source=_SIGN + "every coordinate moves by the rate at every step",
    ),
    "lion": Optimizer(
        build=partial(optax.lion, weight_decay=0.0),
        learning_rates=(3e-5, 1e-1),
        default_learning_rate=1e-4,  # the authors' code
        source="Chen, Liang, Huang, Real, Wang, Liu, Pham, Dong, Luong, Hsieh, Lu, Le, Symbolic Discovery of "
        "Optimization Algorithms, 2023; 3 times below adam's, of the 3 to 10 that the paper advises",
        decay="native",
    ),
    # The rate is the first step size and lives in the state: schedules don't act on the update, only on decay.
    "rprop": Optimizer(
        build=optax.rprop,
        learning_rates=(1e-3, 1.0),
        default_learning_rate=1e-1,  # the paper's first step size
        source="Riedmiller, Braun, A Direct Adaptive Method for Faster Backpropagation Learning: The RPROP Algorithm, "
        "1993; around the paper's first step size of 0.1",
    ),
    "noisy_sgd": Optimizer(
        build=noisy_sgd,
        learning_rates=(1e-3, 3.0),
        default_learning_rate=1e-2,  # sgd's
        source="Neelakantan, Vilnis, Le, Sutskever, Kaiser, Kurach, Martens, Adding Gradient Noise Improves Learning "
        "for Very Deep Networks, 2015; as sgd, lower for the noise",
        needs=frozenset({"seed"}),
    ),
    "dpsgd": Optimizer(
        build=dpsgd,
        learning_rates=(1e-2, 3.0),
        default_learning_rate=1e-1,  # the paper's first on MNIST
        source="Abadi, Chu, Goodfellow, McMahan, Mironov, Talwar, Zhang, Deep Learning with Differential Privacy, "
        "2016; as sgd, of gradients clipped to norm 1",
        needs=frozenset({"per_example_grad", "seed"}),
    ),
    "sam": Optimizer(
        build=sam,
        learning_rates=(1e-3, 1.0),
        default_learning_rate=1e-1,  # sgd_momentum's
        source="Foret, Kleiner, Mobahi, Neyshabur, Sharpness-Aware Minimization for Efficiently Improving "
        "Generalization, 2020; as sgd_momentum, which takes the step",
        needs=frozenset({"grad_fn"}),
        gradient_evaluations=lambda state: 2,
    ),
}
