"""A table of embeddings under a linear classifier, whose tokens come with Zipf frequencies."""

import math

import jax
import jax.numpy as jnp
import numpy as np
from jaxtyping import Array, Float, Int
from scipy.special import log_softmax

from optbench.problems import accept, section
from optbench.problems.problem import Batch, Problem

RUNGS = ({"exponent": 2.0}, {"exponent": 1.5}, {"exponent": 1.0})

Weights = dict[str, Float[Array, "..."]]


def embedding(
    exponent: float = 1.0,
    vocabulary: int = 1024,
    classes: int = 8,
    width: int = 8,
    rank: int = 4,
    sharpness: float = 6.0,
    seed: int = 0,
) -> Problem:
    """Learn a table of embeddings whose rare rows seldom get a gradient: where a step size per coordinate pays.

    mean -log p(y | i) in nats, p = softmax of E_i W + b, for tokens i and classes y in fresh samples.
    Token i of `vocabulary` comes with a frequency proportional to i^-exponent. Its true scores are the product of two
    normal factors of `rank`, with standard deviation `sharpness`, from `seed`; the table has `width` columns, at
    least as many. Well above 1 the frequent tokens are all that matters; at 1 each doubling of i weighs alike, so that
    almost half of what is to learn sits in rows that are in less than one batch of four. 0 makes all alike.
    Both metrics are exact sums over the vocabulary: `loss` by frequency, `balanced_loss` with all tokens alike.
    The target leaves a twentieth of what lies between the entropy and log(classes), guessing: at
    exponents of 2, 1.5 and 1 schedule_free_adamw takes 50, 140 and 340 of the 500 steps; at 1 sgd ends at twice it.

    Optimum: the entropy of the classes given the token, a closed sum.
    Source: J. Duchi, E. Hazan, Y. Singer, Adaptive Subgradient Methods for Online Learning and Stochastic
    Optimization, 2011.
    """
    accept.number("exponent", exponent)
    accept.whole("vocabulary", vocabulary, low=2)
    accept.whole("classes", classes, low=2)
    accept.whole("width", width)
    accept.whole("rank", rank)
    if rank > width:
        raise accept.refuse("rank", rank, f"at most width={width}: a narrower table can't hold the true scores")
    accept.positive("sharpness", sharpness)
    accept.whole("seed", seed, low=0)

    random = np.random.RandomState(seed)
    frequency = np.arange(1, vocabulary + 1) ** -float(exponent)
    frequency /= frequency.sum()
    table = random.standard_normal((vocabulary, rank))
    head = sharpness / np.sqrt(rank) * random.standard_normal((rank, classes))
    truth = log_softmax(table @ head, axis=1)
    entropy = -np.sum(np.exp(truth) * truth, axis=1)
    token_bounds, class_bounds = np.cumsum(frequency)[:-1], np.cumsum(np.exp(truth), axis=1)[:, :-1]

    def init(key: jax.Array) -> Weights:
        table_key, head_key = jax.random.split(key)
        return {
            "table": 0.1 * jax.random.normal(table_key, (vocabulary, width)),
            "head": jax.random.normal(head_key, (width, classes)) / np.sqrt(width),
            "bias": jnp.zeros(classes),
        }

    def log_p(params: Weights, rows: Float[Array, "token width"]) -> Float[Array, "token class"]:
        return jax.nn.log_softmax(rows @ params["head"] + params["bias"][None])

    def loss(params: Weights, batch: Batch, key: jax.Array) -> Float[Array, ""]:
        tokens, labels = batch
        scores = log_p(params, params["table"][tokens])
        return -jnp.mean(jnp.take_along_axis(scores, labels[:, None], axis=1))

    def metrics(params: Weights, data: Batch) -> dict[str, Float[Array, ""]]:
        scores = log_p(params, params["table"])
        # the entropy and a sum of non-negative terms, so that it can't round to far below the entropy
        true_logs = jnp.asarray(truth, scores.dtype)
        gaps = jnp.sum(jnp.exp(true_logs) * (true_logs - scores), axis=1)
        floors = jnp.asarray(entropy, scores.dtype)
        weights = jnp.asarray(frequency, scores.dtype)
        return {"loss": jnp.sum(weights * (floors + gaps)), "balanced_loss": jnp.mean(floors + gaps)}

    def sample(key: jax.Array, batch_size: int, step: jax.Array) -> tuple[Int[Array, " token"], Int[Array, " token"]]:
        first, second = jax.random.uniform(key, (2, batch_size))
        tokens = jnp.searchsorted(jnp.asarray(token_bounds, first.dtype), first, side="right").astype(jnp.int32)
        bounds = jnp.asarray(class_bounds, first.dtype)[tokens]
        return tokens, jnp.sum(second[:, None] >= bounds, axis=1, dtype=jnp.int32)

    def minimiser() -> dict[str, np.ndarray]:
        """Return the true factors, in the first columns."""
        wide, tall = np.zeros((vocabulary, width)), np.zeros((width, classes))
        wide[:, :rank], tall[:rank] = table, head
        return {"table": wide, "head": tall, "bias": np.zeros(classes)}

    floor = float(frequency @ entropy)
    return Problem(
        init=init,
        loss=loss,
        metrics=metrics,
        source=section(embedding, "Source"),
        sample=sample,
        steps=500,
        batch_size=64,
        optimum=lambda: floor,
        minimiser=minimiser,
        targets={"train_loss": floor + 0.05 * (math.log(classes) - floor)},
        noisy_loss=True,
    )
