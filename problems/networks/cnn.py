"""A convolutional network on images of classes."""

import math
from typing import get_args

import jax
import jax.numpy as jnp
import numpy as np
from flax import nnx
from jaxtyping import Array, Float

from optbench.problems import accept, section
from optbench.problems.networks._classification import Regularisers, classifier, split_rows
from optbench.problems.networks.mlp import Activation, Normalization
from optbench.problems.problem import Problem

#: Images up to this size are convolved by a matrix; its size grows with the square of theirs.
MAX_PIXELS = 64

RUNGS = ({"depth": 1}, {"depth": 4}, {"depth": 8})


def cnn(
    data: str = "digits",
    width: int = 8,
    depth: int = 2,
    activation: Activation = "relu",
    normalization: Normalization = "none",
    residual: bool = False,
    init_scale: float = 1.0,
    label_noise: float = 0.0,
    dropout: float = 0.0,
    label_smoothing: float = 0.0,
    mixup: float = 0.0,
    augmentation: int = 0,
    standardize: bool = True,
    test_fraction: float = 0.2,
    validation_fraction: float = 0.2,
) -> Problem:
    """Train a convolutional network: locality as a bias, and how depth without normalisation makes it hard to fit.

    mean -log p(y | x) in nats. A 3 x 3 convolution at every other place, `depth` - 1 more at all of its places, each
    with `width` channels and zeros around the image, and p the softmax of a linear layer on all that the last one
    finds; no penalty. `residual` adds what goes into a convolution, but the first, to what comes out. Layer
    normalisation, over the channels of a place, comes before each activation. `data` is digits or a file's images.
    Rows, their split, the initial scale, wrong labels, regularisers and targets are those of `mlp`, so that the two
    compare; `dropout` drops what the linear layer sees.
    On digits the first of ten tuned optimizers, schedule-free adamw, takes 78 steps to the target at depth 1, 114 at
    depth 4, where three others reach it too, and 148 at depth 8, where it alone does.

    Optimum: unknown; targets instead.
    Source: Y. LeCun, B. Boser, J. S. Denker, D. Henderson, R. E. Howard, W. Hubbard, L. D. Jackel, Backpropagation
    applied to handwritten zip code recognition, 1989; residual: K. He, X. Zhang, S. Ren, J. Sun, Deep residual learning
    for image recognition, 2016.
    """
    accept.whole("width", width)
    accept.whole("depth", depth)
    accept.choice("activation", activation, get_args(Activation))
    accept.choice("normalization", normalization, get_args(Normalization))
    accept.flag("residual", residual)
    accept.number("label_noise", label_noise, below=1)
    accept.positive("init_scale", init_scale)
    split = split_rows(data, standardize, test_fraction, validation_fraction, label_noise)
    image = split.image
    if image is None:
        raise accept.refuse("data", data, "images: digits, an IDX file, or an .npz file of x[row, height, width]")
    return classifier(
        split,
        lambda rngs: Cnn(image, width, depth, split.num_classes, activation, normalization, residual, rngs),
        regularisers=Regularisers(dropout, label_smoothing, mixup, augmentation),
        num_units=_num_positions(image) * width,
        init_scale=init_scale,
        label_noise=label_noise,
        steps=200,
        batch_size=64,
        source=section(cnn, "Source"),
    )


class Cnn(nnx.Module):
    """Stack 3 x 3 convolutions, the first at every other place, and a linear layer on all outputs of the last one."""

    def __init__(
        self,
        image: tuple[int, ...],
        width: int,
        depth: int,
        num_classes: int,
        activation: Activation,
        normalization: Normalization,
        residual: bool,
        rngs: nnx.Rngs,
    ):
        dtype = jnp.result_type(float)
        sizes = [9 * math.prod(image[2:])] + [9 * width] * (depth - 1)
        self.layers = nnx.List([nnx.Linear(size, width, param_dtype=dtype, rngs=rngs) for size in sizes])
        normalised = depth if normalization == "layer" else 0
        self.norms = nnx.List([nnx.LayerNorm(width, param_dtype=dtype, rngs=rngs) for _ in range(normalised)])
        self.last = nnx.Linear(_num_positions(image) * width, num_classes, param_dtype=dtype, rngs=rngs)
        self.activation = getattr(jax.nn, activation)
        self.image = image
        self.residual = residual

    def __call__(
        self, x: Float[Array, "row pixel"], keep: Float[Array, "row unit"] | None = None
    ) -> Float[Array, "row class"]:
        """Map pixels to logits; `keep` multiplies the linear layer's inputs."""
        x = x.reshape(len(x), *self.image[:2], -1)
        for index, layer in enumerate(self.layers):
            output = _convolve(x, layer, stride=1 if index else 2)
            output = self.activation(self.norms[index](output) if self.norms else output)
            x = x + output if self.residual and index else output
        x = x.reshape(len(x), -1)
        return self.last(x if keep is None else x * keep)


def _num_positions(image: tuple[int, ...]) -> int:
    return int(np.prod([(side + 1) // 2 for side in image[:2]]))


def _convolve(x: Float[Array, "row y x channel"], layer: nnx.Linear, stride: int) -> Float[Array, "row y x output"]:
    """Return a layer's outputs of the 3 x 3 neighbourhood of each position, with zeros around the image.

    Each trial of a sweep has kernels of its own, so that XLA's convolution is a grouped one. Eight trials of digits at
    width 8 and depth 3 took 7 times as much processor time to train with it as with one matrix from all pixels to all
    positions, and 6 times as much to evaluate; with a product of patches, for matrices too large, it was 1.3 times
    as much to train and 6 to evaluate.
    """
    num_rows, height, width, channels = x.shape
    if height * width > MAX_PIXELS:
        padded = jnp.pad(x, ((0, 0), (1, 1), (1, 1), (0, 0)))
        slices = [padded[:, dy : dy + height : stride, dx : dx + width : stride] for dy in range(3) for dx in range(3)]
        return layer(jnp.concatenate(slices, axis=-1))
    kernel = layer.kernel[...].reshape(9, channels, layer.out_features)
    matrix = jnp.einsum("tps,tco->scpo", jnp.asarray(_taps(height, width, stride), x.dtype), kernel)
    outputs = x.reshape(num_rows, -1) @ matrix.reshape(height * width * channels, -1)
    shape = (num_rows, -(-height // stride), -(-width // stride), layer.out_features)
    bias = jnp.zeros(layer.out_features, x.dtype) if layer.bias is None else layer.bias[...]
    return outputs.reshape(shape) + bias[None, None, None, :]


def _taps(height: int, width: int, stride: int) -> Float[np.ndarray, "tap position source"]:
    """Return 1 for the source pixel of each of the nine taps of each position, 0 for the others."""
    position = np.indices((-(-height // stride), -(-width // stride))).reshape(2, -1, 1) * stride
    source = np.indices((height, width)).reshape(2, 1, -1)
    down, right = source - position
    return np.stack([(down == dy) & (right == dx) for dy in (-1, 0, 1) for dx in (-1, 0, 1)]).astype(float)
