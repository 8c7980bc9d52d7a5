"""An autoencoder whose code is narrow."""

import itertools
from typing import Literal, get_args

import jax
import jax.numpy as jnp
import numpy as np
from flax import nnx
from jaxtyping import Array, Float, PyTree

from optbench.problems import accept, section
from optbench.problems.data import classification, load
from optbench.problems.problem import Problem

RUNGS = ({"bottleneck": 4}, {"bottleneck": 8}, {"bottleneck": 16})

Activation = Literal["tanh", "relu", "gelu", "silu", "identity"]


def autoencoder(
    data: str = "digits",
    depth: int = 2,
    width: int = 32,
    bottleneck: int = 8,
    activation: Activation = "tanh",
    init_scale: float = 1.0,
    standardize: bool = False,
    test_fraction: float = 0.2,
    validation_fraction: float = 0.2,
) -> Problem:
    """Squeeze images through a narrow code: curvature so uneven that most methods don't even beat linear codes.

    mean |x - decode(encode(x))|^2, the squared error summed over the features of an example; pixels of digits go from
    0 to 1. Encoder and decoder have `depth` hidden layers of `width` each; code and output are linear. Weight
    matrices start normal with variance 1/fan-in, truncated, times `init_scale` squared; biases at 0.
    `validation_fraction` of the rows that are no test rows are held out: settings are chosen by them.
    The target is what as many principal components leave out of the training rows; where the network is linear, which
    can't get below, 1.1 times that. The wider the code, the harder it is to do better: tuned muon takes 80 steps to the
    target with bottleneck=4, 140 with 8 and 230 with 16; tuned adamw takes 200 with 4, and misses it with 8 and 16.

    Optimum: unknown, targets instead; of linear networks that of principal components, in closed form.
    Source: G. E. Hinton, R. R. Salakhutdinov, Reducing the dimensionality of data with neural networks, 2006;
    J. Martens, Deep learning via Hessian-free optimization, 2010.
    """
    accept.whole("depth", depth, low=0)
    accept.whole("bottleneck", bottleneck)
    accept.whole("width", width)
    accept.choice("activation", activation, get_args(Activation))
    accept.positive("init_scale", init_scale)
    accept.flag("standardize", standardize)
    accept.number("test_fraction", test_fraction, below=1)
    accept.number("validation_fraction", validation_fraction, below=1)
    split = classification(
        load(data), standardize=standardize, test_fraction=test_fraction, validation_fraction=validation_fraction
    )
    train, validation, test = (rows[0] if rows else None for rows in (split.train, split.validation, split.test))
    assert train is not None
    variances = np.linalg.eigvalsh(np.cov(train.T, bias=True))
    if bottleneck >= (rank := int(np.sum(variances > 1e-10 * variances[-1]))):
        raise accept.refuse("bottleneck", bottleneck, f"less than {rank}, the rank of {data}")
    floor = float(np.sum(variances[: -min(bottleneck, width) if depth else -bottleneck]))
    linear = activation == "identity" or depth == 0
    sizes = [train.shape[1], *[width] * depth, bottleneck]

    graph, _ = nnx.split(nnx.eval_shape(lambda: Autoencoder(sizes, activation, nnx.Rngs(0))))

    def init(key: jax.Array) -> PyTree[Array]:
        params = nnx.to_pure_dict(nnx.state(Autoencoder(sizes, activation, nnx.Rngs(key))))
        return jax.tree.map(lambda p: p * init_scale if p.ndim == 2 else p, params)

    def metrics(params: PyTree[Array], rows: Float[Array, "row feature"]) -> dict[str, Float[Array, ""]]:
        error = nnx.merge(graph, params)(rows) - rows
        error = error.astype(jnp.promote_types(error.dtype, jnp.float32))
        return {"loss": jnp.mean(jnp.sum(error**2, axis=1))}

    return Problem(
        init=init,
        loss=lambda params, batch, key: metrics(params, batch)["loss"],
        metrics=metrics,
        source=section(autoencoder, "Source"),
        train=train,
        validation=validation,
        test=test,
        steps=300,
        batch_size=min(64, len(train)),
        optimum=lambda: floor if linear else None,
        targets={"train_loss": 1.1 * floor if linear else floor},
        mixed_precision=True,
    )


class Autoencoder(nnx.Module):
    """Stack linear layers down to the code and back, with an activation between those of each half."""

    def __init__(self, sizes: list[int], activation: Activation, rngs: nnx.Rngs):
        dtype = jnp.result_type(float)
        self.encoder, self.decoder = (
            nnx.List([nnx.Linear(a, b, param_dtype=dtype, rngs=rngs) for a, b in itertools.pairwise(path)])
            for path in (sizes, sizes[::-1])
        )
        self.activation = (lambda x: x) if activation == "identity" else getattr(jax.nn, activation)

    def __call__(self, x: Float[Array, "row feature"]) -> Float[Array, "row feature"]:
        for half in (self.encoder, self.decoder):
            *hidden, last = half
            for layer in hidden:
                x = self.activation(layer(x))
            x = last(x)
        return x
