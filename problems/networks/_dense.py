"""Dense layers as plain parameters, for the families that look inside them."""

import itertools

import jax
import jax.numpy as jnp
import numpy as np
from jaxtyping import Array, Float

Layers = list[dict[str, Float[Array, "..."]]]


def draw_layers(key: jax.Array, sizes: list[int]) -> Layers:
    """Return layers with normal weights of variance 1/fan-in, and biases at 0."""
    pairs = list(itertools.pairwise(sizes))
    return [
        {"weights": jax.random.normal(layer_key, pair) / np.sqrt(pair[0]), "bias": jnp.zeros(pair[1])}
        for layer_key, pair in zip(jax.random.split(key, len(pairs)), pairs, strict=True)
    ]


def apply_layers(layers: Layers, x: Float[Array, "row feature"]) -> Float[Array, "row output"]:
    """Return the outputs of rows after all layers, with tanh between them."""
    *hidden, last = layers
    for layer in hidden:
        x = jnp.tanh(x @ layer["weights"] + layer["bias"][None])
    return x @ last["weights"] + last["bias"][None]
