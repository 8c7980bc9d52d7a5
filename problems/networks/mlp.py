"""A multilayer perceptron on tabular classes."""

import itertools
import math
from typing import Literal, get_args

import jax
import jax.numpy as jnp
from flax import nnx
from jaxtyping import Array, Float, PyTree

from problems import accept, section
from problems.data import classification, load
from problems.problem import Problem

RUNGS = ({"depth": 1}, {"depth": 4}, {"depth": 12})

Activation = Literal["relu", "gelu", "tanh", "silu"]


def mlp(
    data: str = "digits",
    width: int = 64,
    depth: int = 1,
    activation: Activation = "relu",
    label_noise: float = 0.0,
    init_scale: float = 1.0,
    standardize: bool = True,
    test_fraction: float = 0.2,
) -> Problem:
    """Train a multilayer perceptron: a small non-convex problem that can be fitted perfectly.

    mean -log p(y | x) in nats, p = softmax of `depth` hidden layers of `width` and a linear one; no penalty.
    Weight matrices start normal with variance 1/fan-in, truncated, times `init_scale` squared; biases at 0.
    `data` is digits, another bundled set of classes, or a file. `label_noise` replaces that share of the training
    labels by another class; the test labels stay true. The target is 0.01 above what knowing the true labels and
    the share gives; tuned adam and momentum get there on digits, and to the test accuracy of 0.97, in 60 to 150 steps.

    Optimum: unknown; targets instead.
    Source: D. E. Rumelhart, G. E. Hinton, R. J. Williams, Learning representations by back-propagating errors, 1986;
    digits: E. Alpaydin, C. Kaynak, Optical Recognition of Handwritten Digits, 1998.
    """
    accept.whole("width", width)
    accept.whole("depth", depth, low=0)
    accept.choice("activation", activation, get_args(Activation))
    accept.number("label_noise", label_noise, below=1)
    accept.positive("init_scale", init_scale)
    accept.flag("standardize", standardize)
    accept.number("test_fraction", test_fraction, below=1)
    split = classification(load(data), standardize=standardize, test_fraction=test_fraction, label_noise=label_noise)
    sizes = [split.train[0].shape[1], *[width] * depth, split.num_classes]
    graph, _ = nnx.split(nnx.eval_shape(lambda: Mlp(sizes, activation, nnx.Rngs(0))))

    def init(key: jax.Array) -> PyTree[Array]:
        params = nnx.to_pure_dict(nnx.state(Mlp(sizes, activation, nnx.Rngs(key))))
        return jax.tree.map(lambda p: p * init_scale if p.ndim == 2 else p, params)

    def metrics(params: PyTree[Array], rows: tuple[Array, Array]) -> dict[str, Float[Array, ""]]:
        features, labels = rows
        logits = nnx.merge(graph, params)(features)
        logits = logits.astype(jnp.promote_types(logits.dtype, jnp.float32))
        nats = -jnp.take_along_axis(jax.nn.log_softmax(logits), labels[:, None], axis=1)
        hits = jnp.argmax(logits, axis=1) == labels
        return {"loss": jnp.mean(nats), "accuracy": jnp.mean(hits, dtype=logits.dtype)}

    return Problem(
        init=init,
        loss=lambda params, batch, key: metrics(params, batch)["loss"],
        metrics=metrics,
        source=section(mlp, "Source"),
        train=split.train,
        test=split.test,
        steps=200,
        batch_size=min(128, len(split.train[0])),
        targets={"train_loss": 0.01 + _noise_entropy(label_noise, split.num_classes), "test_accuracy": 0.97},
        mixed_precision=True,
    )


def _noise_entropy(share: float, num_classes: int) -> float:
    """Compute the nats per label that no one can know."""
    return -(1 - share) * math.log(1 - share) - (share * math.log(share / (num_classes - 1)) if share else 0)


class Mlp(nnx.Module):
    """Stack linear layers with an activation between them, in the precision of the run."""

    def __init__(self, sizes: list[int], activation: Activation, rngs: nnx.Rngs):
        pairs = itertools.pairwise(sizes)
        dtype = jnp.result_type(float)
        self.layers = nnx.List([nnx.Linear(a, b, param_dtype=dtype, rngs=rngs) for a, b in pairs])
        self.activation = getattr(jax.nn, activation)

    def __call__(self, x: Float[Array, "row feature"]) -> Float[Array, "row class"]:
        *hidden, last = self.layers
        for layer in hidden:
            x = self.activation(layer(x))
        return last(x)
