"""Least squares with a ridge penalty, on data with a known or a chosen conditioning."""

import functools

import jax
import jax.numpy as jnp
import numpy as np
from jaxtyping import Array, Float

from optbench.problems import accept, section
from optbench.problems.convex._targets import NearOptimum
from optbench.problems.data import load, regression
from optbench.problems.data_files import Table
from optbench.problems.problem import Problem

RUNGS = (
    {"data": "synthetic", "condition": 1e2},
    {"data": "synthetic", "condition": 1e3},
    {"data": "synthetic", "condition": 1e5},
)

Weights = dict[str, Float[Array, "..."]]


def linear_regression(
    data: str = "diabetes",
    l2: float = 1e-3,
    standardize: bool = True,
    standardize_target: bool = True,
    test_fraction: float = 0.2,
    validation_fraction: float = 0.2,
    rows: int = 1000,
    dim: int = 50,
    condition: float = 1e3,
    noise: float = 0.1,
    seed: int = 0,
) -> Problem:
    """Fit a line to data: speed on a quadratic whose conditioning is that of real, correlated features.

    1/2 mean (x'w + b - y)^2 + l2/2 |w|^2 for weights w[feature] and an intercept b, both 0 at the start, so
    seeds differ in their batches alone. The loss of a minibatch or a test split holds the penalty whole.
    `data` is diabetes, another bundled set, a file, or synthetic. `standardize_target` gives the target mean 0 and
    standard deviation 1 as well: the raw 152 +- 77 of diabetes is out of reach for steps of a bounded size.
    `validation_fraction` of the rows that are no test rows are held out: settings are chosen by them.
    The last five are for data=synthetic: y = x'w + noise, where the eigenvalues of the features' covariance
    are log-spaced from 1/condition to 1, before they are standardised.
    The target is a ten-thousandth of the initial gap.

    Optimum: closed form, by least squares in float64.
    Source: B. Efron, T. Hastie, I. Johnstone, R. Tibshirani, Least Angle Regression, 2004.
    """
    accept.number("l2", l2)
    accept.flag("standardize", standardize)
    accept.flag("standardize_target", standardize_target)
    accept.number("test_fraction", test_fraction, below=1)
    if data == "synthetic":
        table = _synthetic(rows, dim, condition, noise, seed)
    else:
        if (rows, dim, condition, noise, seed) != (1000, 50, 1e3, 0.1, 0):
            raise accept.refuse("data", data, "synthetic, where rows, dim, condition, noise or seed are set")
        table = load(data, also=("synthetic",))
    accept.number("validation_fraction", validation_fraction, below=1)
    split = regression(
        table,
        standardize=standardize,
        standardize_target=standardize_target,
        test_fraction=test_fraction,
        validation_fraction=validation_fraction,
    )
    x, y = split.train

    def init(key: jax.Array) -> Weights:
        return {"weights": jnp.zeros(x.shape[1]), "intercept": jnp.zeros(())}

    def metrics(params: Weights, rows: tuple[Array, Array]) -> dict[str, Float[Array, ""]]:
        features, targets = rows
        residual = features @ params["weights"] + params["intercept"] - targets
        return {"loss": 0.5 * jnp.mean(residual**2) + 0.5 * l2 * jnp.sum(params["weights"] ** 2)}

    @functools.cache
    def optimum() -> float:
        return _least_squares(x, y, l2)

    return Problem(
        init=init,
        loss=lambda params, batch, key: metrics(params, batch)["loss"],
        metrics=metrics,
        source=section(linear_regression, "Source"),
        train=split.train,
        validation=split.validation,
        test=split.test,
        steps=500,
        optimum=optimum,
        targets=NearOptimum(lambda: float(0.5 * np.mean(y**2)), optimum),
    )


def _least_squares(x: Float[np.ndarray, "row feature"], y: Float[np.ndarray, " row"], l2: float) -> float:
    """Return the smallest loss, from one least-squares system, which squares no condition number."""
    num_rows, dim = x.shape
    design = np.c_[x, np.ones(num_rows)] / np.sqrt(num_rows)
    penalty = np.sqrt(l2) * np.eye(dim, dim + 1)
    left, right = np.r_[design, penalty], np.r_[y / np.sqrt(num_rows), np.zeros(dim)]
    solution = np.linalg.lstsq(left, right)[0]
    return float(0.5 * np.sum((left @ solution - right) ** 2))


def _synthetic(rows: int, dim: int, condition: float, noise: float, seed: int) -> Table:
    accept.whole("rows", rows, low=2)
    accept.whole("dim", dim)
    accept.number("condition", condition, low=1)
    accept.number("noise", noise)
    accept.whole("seed", seed, low=0)
    random = np.random.RandomState(seed)
    rotation = np.linalg.qr(random.standard_normal((dim, dim)))[0]
    x = random.standard_normal((rows, dim)) * np.geomspace(1, 1 / condition, dim) ** 0.5 @ rotation
    y = x @ random.standard_normal(dim) + noise * random.standard_normal(rows)
    return Table("synthetic", x, y, np.arange(rows) + 1)
