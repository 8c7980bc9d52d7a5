"""A decoder-only transformer, its attention written as plain matrix products."""

from typing import Literal

import jax
import jax.numpy as jnp
import numpy as np
from flax import nnx
from jaxtyping import Array, Float, Int, PyTree

Norm = Literal["pre", "post"]


def _linear(inputs: int, outputs: int, rngs: nnx.Rngs) -> nnx.Linear:
    scale = nnx.initializers.constant(inputs**-0.5)
    return nnx.Linear(inputs, outputs, use_bias=False, kernel_init=scale, param_dtype=jnp.result_type(float), rngs=rngs)


def randomised(params: PyTree[Array], key: Array) -> PyTree[Array]:
    """Return parameters with every matrix times normal numbers: a new decoder's matrices hold standard deviations.

    All are drawn at once, as a draw for each matrix takes seconds to compile.
    """
    leaves, tree = jax.tree.flatten(params)
    ends = np.cumsum([leaf.size if leaf.ndim == 2 else 0 for leaf in leaves])
    draws = jnp.split(jax.random.normal(key, (int(ends[-1]),)), ends[:-1])
    pairs = zip(leaves, draws, strict=True)
    return tree.unflatten([leaf * normals.reshape(leaf.shape) if leaf.ndim == 2 else leaf for leaf, normals in pairs])


class Decoder(nnx.Module):
    """Map a row of tokens to logits at each position, each a function of the tokens up to it."""

    def __init__(
        self, tokens: int, context: int, layers: int, heads: int, width: int, norm: Norm, tied: bool, rngs: nnx.Rngs
    ):
        dtype = jnp.result_type(float)
        self.tokens = nnx.Param(jnp.full((tokens, width), width**-0.5, dtype))
        self.positions = nnx.Param(jnp.full((context, width), width**-0.5, dtype))
        self.layers = nnx.List([Layer(heads, width, norm, rngs) for _ in range(layers)])
        self.norm = nnx.LayerNorm(width, param_dtype=dtype, rngs=rngs) if norm == "pre" else None
        self.output = None if tied else _linear(width, tokens, rngs)

    def __call__(self, x: Int[Array, "row position"]) -> Float[Array, "row position token"]:
        tokens, positions = self.tokens[...], self.positions[...]
        # a lookup: a product with one-hot rows took as long at a dozen tokens, and takes longer at 256
        x = tokens[x] + positions[None, : x.shape[1]]
        for layer in self.layers:
            x = layer(x)
        x = x if self.norm is None else self.norm(x)
        return x @ tokens.T if self.output is None else self.output(x)


class Layer(nnx.Module):
    """Attend to earlier positions, then transform each by itself; both are added to their input."""

    def __init__(self, heads: int, width: int, norm: Norm, rngs: nnx.Rngs):
        dtype = jnp.result_type(float)
        # separate matrices, as some optimizers treat each matrix as a whole
        self.query, self.key, self.value, self.mix = [_linear(width, width, rngs) for _ in range(4)]
        self.wide, self.narrow = _linear(width, 2 * width, rngs), _linear(2 * width, width, rngs)
        self.norms = nnx.List([nnx.LayerNorm(width, param_dtype=dtype, rngs=rngs) for _ in range(2)])
        self.heads, self.pre = heads, norm == "pre"

    def __call__(self, x: Float[Array, "row position width"]) -> Float[Array, "row position width"]:
        for norm, block in zip(self.norms, (self.attend, self.transform), strict=True):
            x = x + block(norm(x)) if self.pre else norm(x + block(x))
        return x

    def attend(self, x: Float[Array, "row position width"]) -> Float[Array, "row position width"]:
        """Return the attention of each position to those up to it, mixed over heads."""
        rows, positions, width = x.shape
        # three matrices, but one product: a fifth off the time of a step
        kernels = jnp.concatenate([layer.kernel[...] for layer in (self.query, self.key, self.value)], axis=1)
        parts = (x @ kernels).reshape(rows, positions, 3, self.heads, width // self.heads)
        query, key, value = parts[:, :, 0], parts[:, :, 1], parts[:, :, 2]
        scores = jnp.einsum("rihw,rjhw->rhij", query, key) / query.shape[-1] ** 0.5
        up_to = jnp.tril(jnp.ones((positions, positions), bool))[None, None]
        # in bfloat16 the shares are still summed in float32
        scores = jnp.where(up_to, scores.astype(jnp.promote_types(x.dtype, jnp.float32)), -jnp.inf)
        shares = jax.nn.softmax(scores).astype(x.dtype)
        return self.mix(jnp.einsum("rhij,rjhw->rihw", shares, value).reshape(x.shape))

    def transform(self, x: Float[Array, "row position width"]) -> Float[Array, "row position width"]:
        """Return the hidden layer of each position, mapped back to the width."""
        return self.narrow(jax.nn.relu(self.wide(x)))
