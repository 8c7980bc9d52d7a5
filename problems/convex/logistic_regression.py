"""Logistic regression with a ridge penalty: a line between two classes, or one score for each of many."""

import functools

import jax
import jax.numpy as jnp
import numpy as np
from jaxtyping import Array, Float

from optbench.problems import accept, section
from optbench.problems.convex._newton import smallest_loss
from optbench.problems.convex._targets import NearOptimum
from optbench.problems.data import classification, load
from optbench.problems.problem import Problem

RUNGS = ({"l2": 1e-1}, {"l2": 1e-3}, {"l2": 1e-5})

Weights = dict[str, Float[Array, "..."]]


def logistic_regression(
    data: str = "breast_cancer",
    l2: float = 1e-3,
    standardize: bool = True,
    test_fraction: float = 0.2,
    validation_fraction: float = 0.2,
) -> Problem:
    """Tell classes apart by a line: a convex loss whose curvature falls as the fit gets better.

    mean -log p(y | x) + l2/2 |W|^2 in nats, with bias b unpenalised and W, b = 0 at the start, so seeds differ in
    their batches alone. Two classes: p = sigmoid(x'w + b) with w[feature]; more: softmax(x'W + b) with
    W[feature, class]. The loss of a minibatch or a test split holds the penalty whole.
    `validation_fraction` of the rows that are no test rows are held out: settings are chosen by them.
    `data` is breast_cancer, another bundled set of classes, or a file. The optimum is unknown where Newton's
    method doesn't settle (classes that a line separates, with l2=0) or has beyond 2000 parameters.
    The target is a ten-thousandth of the initial gap.

    Optimum: Newton's method in float64.
    Source: D. R. Cox, The regression analysis of binary sequences, 1958.
    """
    accept.number("l2", l2)
    accept.flag("standardize", standardize)
    accept.number("test_fraction", test_fraction, below=1)
    accept.number("validation_fraction", validation_fraction, below=1)
    split = classification(
        load(data), standardize=standardize, test_fraction=test_fraction, validation_fraction=validation_fraction
    )
    x, y = split.train
    binary = split.num_classes == 2
    columns = () if binary else (split.num_classes,)

    def init(key: jax.Array) -> Weights:
        return {"weights": jnp.zeros((x.shape[1], *columns)), "bias": jnp.zeros(columns)}

    def metrics(params: Weights, rows: tuple[Array, Array]) -> dict[str, Float[Array, ""]]:
        features, labels = rows
        scores = features @ params["weights"] + jnp.expand_dims(params["bias"], 0)
        if binary:
            nats = jax.nn.softplus(jnp.where(labels == 1, -scores, scores))
            guesses = scores > 0
        else:
            nats = -jnp.take_along_axis(jax.nn.log_softmax(scores), labels[:, None], axis=1)
            guesses = jnp.argmax(scores, axis=1)
        penalty = 0.5 * l2 * jnp.sum(params["weights"] ** 2)
        return {"loss": jnp.mean(nats) + penalty, "accuracy": jnp.mean(guesses == labels, dtype=scores.dtype)}

    @functools.cache
    def optimum() -> float | None:
        return smallest_loss(x, y, split.num_classes, l2)

    return Problem(
        init=init,
        loss=lambda params, batch, key: metrics(params, batch)["loss"],
        metrics=metrics,
        source=section(logistic_regression, "Source"),
        train=split.train,
        validation=split.validation,
        test=split.test,
        steps=500,
        optimum=optimum,
        targets=NearOptimum(lambda: float(np.log(split.num_classes)), optimum),
    )
