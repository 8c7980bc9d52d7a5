"""Optimizers that model the curvature."""

import jax
import optax
import optax.contrib

from optbench.optimizers.optimizer import Optimizer

# The paper's k. Not settable: gradient_evaluations sees the state alone, which doesn't hold it.
_HESSIAN_EVERY = 10


def lbfgs(learning_rate, memory_size: int = 10, scale_init_precond: bool = True, max_linesearch_steps: int = 20):
    """Return L-BFGS with a zoom line search from a step of 1, times the learning rate."""
    linesearch = optax.scale_by_zoom_linesearch(max_linesearch_steps, initial_guess_strategy="one")
    return optax.lbfgs(learning_rate, memory_size, scale_init_precond, linesearch)


def sophia(
    learning_rate,
    weight_decay: float = 0.0,
    seed=0,
    b1: float = 0.965,
    b2: float = 0.99,
    eps: float = 1e-8,
    gamma: float = 0.01,
    clip_threshold: float = 1.0,
):
    """Return Sophia, with a Hessian estimate every so many steps."""
    return optax.contrib.sophia(
        learning_rate,
        b1,
        b2,
        eps,
        weight_decay,
        gamma=gamma,
        clip_threshold=clip_threshold,
        update_interval=_HESSIAN_EVERY,
        hessian_diagonal_fn=optax.contrib.hutchinson_estimator_diag_hessian(jax.random.key(seed)),
    )


def _lbfgs_evaluations(state):
    return 1 + state[-1].info.num_linesearch_steps


def _sophia_evaluations(state):
    return 1 + ((state[0].count - 1) % _HESSIAN_EVERY == 0)


TABLE = {
    "lbfgs": Optimizer(
        build=lbfgs,
        learning_rates=(0.1, 10.0),
        default_learning_rate=1.0,  # the quasi-Newton step as it is
        source="Liu, Nocedal, On the limited memory BFGS method for large scale optimization, 1989; "
        "multiplies the quasi-Newton step that the line search tries first, naturally 1: shorter where batches are "
        "noisy, longer where the search may shorten it",
        needs=frozenset({"value", "grad", "value_fn"}),
        gradient_evaluations=_lbfgs_evaluations,
    ),
    "sophia": Optimizer(
        build=sophia,
        learning_rates=(1e-4, 3e-2),
        default_learning_rate=1e-4,  # the authors' code
        source="Liu, Li, Hall, Liang, Ma, Sophia: A Scalable Stochastic Second-order Optimizer for Language Model "
        "Pre-training, 2023; between lion's and adam's, for its steps are clipped at the rate",
        needs=frozenset({"obj_fn", "seed"}),
        decay="native",
        gradient_evaluations=_sophia_evaluations,
        period=lambda hyperparameters: _HESSIAN_EVERY,
    ),
}
