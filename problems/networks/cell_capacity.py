"""Capacity and energy of a lithium-ion cell, learned from a table of collinear properties."""

from typing import Literal, get_args

import jax
import jax.numpy as jnp
import numpy as np
from jaxtyping import Array, Float

from optbench.problems import accept, section
from optbench.problems.data import num_held_out
from optbench.problems.networks._dense import Layers, apply_layers, draw_layers
from optbench.problems.networks._porous_electrode import DERIVED, RANGES, capacity_mah_per_cm2, draw, energy_mwh_per_cm2
from optbench.problems.problem import Problem

RUNGS = (
    {"head": "linear", "condition": 1e2},
    {"head": "linear", "condition": 1e4},
    {"head": "linear", "condition": 1e5},
)

Head = Literal["linear", "mlp"]
Rows = tuple[Float[np.ndarray, "cell column"], Float[np.ndarray, "cell output"]]

#: The share of the initial gap that the linear target leaves, and the mlp's loss, from tuned adamw and momentum.
LINEAR_SHARE, MLP_TARGET = 1e-3, 0.01


def cell_capacity(
    head: Head = "mlp",
    condition: float = 1e3,
    width: int = 16,
    depth: int = 1,
    rows: int = 256,
    noise: float = 0.02,
    seed: int = 0,
    validation_fraction: float = 0.2,
) -> Problem:
    """Learn what a lithium-ion cell delivers from collinear properties: conditioning as measured tables have it.

    Mean squared error over two outputs, capacity in mAh/cm2 and energy in mWh/cm2, standardised on the training rows,
    plus normal noise of standard deviation `noise`; `rows` cells to train on and as many to test on, from `seed`.
    Inputs are logarithms, standardised: conductivity, porosity, the diffusivities of electrolyte and particles,
    thickness, particle radius and C-rate, and five columns that follow from these (DERIVED, in _porous_electrode.py,
    with their equations). The five carry an error of measurement such that the second moments of all twelve have the
    condition number `condition`, at least 30, as the twelve are correlated at any error. `head` is linear, from 0,
    or an mlp of `depth` tanh layers of `width`.
    Of an mlp `validation_fraction` of the training rows are held out: settings are chosen by them.
    The linear target leaves a thousandth of the initial gap: at 1e4 sgd_momentum gets there in 172 of the 500 steps
    and adamw in 398, and sgd stays 7 times above it. The mlp's is 0.01: adamw takes 144, sgd ends at 0.026.

    Optimum: closed form for the linear head; unknown for the mlp.
    Source: M. Doyle, J. Newman, Analysis of capacity-rate data for lithium batteries using simplified models of the
    discharge process, 1997; K. G. Gallagher and others, Optimizing areal capacities through understanding the
    limitations of lithium-ion electrodes, 2016.
    """
    accept.choice("head", head, get_args(Head))
    accept.number("condition", condition, low=30, below=1e12)
    accept.whole("width", width)
    accept.whole("depth", depth)
    accept.whole("rows", rows, low=64)
    accept.number("noise", noise)
    accept.whole("seed", seed, low=0)
    accept.number("validation_fraction", validation_fraction, below=1)
    # A linear head is about conditioning: its optimum is that of all rows, and no choice is made by others.
    num_validation = 0 if head == "linear" else num_held_out(rows, validation_fraction)
    (x, y), validation, test = split_cells(condition, rows, num_validation, noise, seed)
    sizes = [x.shape[1], *([width] * depth if head == "mlp" else []), y.shape[1]]

    def init(key: jax.Array) -> Layers:
        layers = draw_layers(key, sizes)
        return layers if head == "mlp" else jax.tree.map(jnp.zeros_like, layers)

    def metrics(params: Layers, data: tuple[Array, Array]) -> dict[str, Float[Array, ""]]:
        columns, outputs = data
        return {"loss": jnp.mean((apply_layers(params, columns) - outputs) ** 2)}

    linear = head == "linear"
    solution, floor = least_squares(x, y)
    return Problem(
        init=init,
        loss=lambda params, batch, key: metrics(params, batch)["loss"],
        metrics=metrics,
        source=section(cell_capacity, "Source"),
        train=(x, y),
        validation=validation if num_validation else None,
        test=test,
        steps=500,
        optimum=lambda: floor if linear else None,
        minimiser=(lambda: solution) if linear else None,
        targets={"train_loss": floor + LINEAR_SHARE * (float(np.mean(y**2)) - floor) if linear else MLP_TARGET},
    )


def split_cells(condition: float, rows: int, num_validation: int, noise: float, seed: int) -> tuple[Rows, Rows, Rows]:
    """Return drawn cells to train on, to validate on and to test on, standardised by those to train on.

    The first two are `rows` together, and so are the last.
    """
    num_train = rows - num_validation
    random = np.random.RandomState(seed)
    cells = draw(2 * rows, random)
    outputs = np.c_[capacity_mah_per_cm2(cells), energy_mwh_per_cm2(cells)]
    properties = np.log(np.stack([getattr(cells, name) for name in RANGES], axis=1))
    derived = np.log(np.stack([getattr(cells, name) for name in DERIVED], axis=1))
    errors = random.standard_normal(derived.shape)

    def columns(log_error: float) -> Float[np.ndarray, "cell column"]:
        return standardised(np.c_[properties, derived + np.exp(log_error) * errors], num_train)

    low, high = -20.0, 5.0  # the smaller the error of measurement, the worse the condition
    for _ in range(60):
        middle = (low + high) / 2
        low, high = (middle, high) if condition_number(columns(middle)[:num_train]) > condition else (low, middle)
    x, y = columns(low), standardised(outputs, num_train)
    y += noise * random.standard_normal(y.shape)
    train, validation, test = (
        (x[some], y[some]) for some in (slice(num_train), slice(num_train, rows), slice(rows, None))
    )
    return train, validation, test


def standardised(table: Float[np.ndarray, "cell column"], rows: int) -> Float[np.ndarray, "cell column"]:
    """Return columns with mean 0 and standard deviation 1 over the first `rows` cells."""
    return (table - table[:rows].mean(axis=0)) / table[:rows].std(axis=0)


def condition_number(x: Float[np.ndarray, "cell column"]) -> float:
    """Return the condition of the columns' second moments: the square of that of the table."""
    return float(np.linalg.cond(x) ** 2)


def least_squares(x: Float[np.ndarray, "cell column"], y: Float[np.ndarray, "cell output"]) -> tuple[Layers, float]:
    """Return the linear layer of the smallest mean squared error, and that error."""
    design = np.c_[x, np.ones(len(x))]
    solution = np.linalg.lstsq(design, y)[0]
    loss = float(np.mean((design @ solution - y) ** 2))
    return [{"weights": solution[:-1], "bias": solution[-1]}], loss  # pyright: ignore
