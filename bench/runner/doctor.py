"""Examine what a run would stand on, down to a tiny sweep that is checked against its closed form."""

import os
from importlib.metadata import version
from pathlib import Path

import jax
import numpy as np
import optax

from optbench.errors import StoreError
from optbench.optimizers.optimizer import Optimizer
from optbench.planning.jobs import choose_compile_cache, pick_device
from optbench.present.table import Table
from optbench.problems.problem import Problem
from optbench.store.locations import locate
from optbench.store.manifest import PACKAGES
from optbench.store.runs import check_writable
from optbench.sweep import devices
from optbench.sweep.problem_data import prepare
from optbench.sweep.step import Recipe
from optbench.sweep.sweep import Points, compile_sweep, sweep
from optbench.timing import limits

#: What was looked at, what was found, and whether that is as it should be (None: just so you know).
Check = tuple[str, str, bool | None]


def examine(device_kind: str | None, results: str | Path) -> list[Check]:
    """Look at everything a run depends on."""
    device = pick_device(device_kind)
    described = devices.describe(device)
    shown = ", ".join(f"{package} {version(package)}" for package in PACKAGES)
    error = closed_form_error(device)
    product = product_error(device)
    note = choose_compile_cache(True)
    return [
        ("device", f"{described['platform']}: {described['device']}, of {len(jax.devices())}", None),
        ("cpu", f"{described['cpu']}, {described['cpu_count']} cores", None),
        ("versions", shown, None),
        ("memory for a sweep", f"{devices.memory_limit_bytes(device) / 2**30:.1f} GiB", None),
        ("compilation cache", note or f"{devices.cache_folder()}, {_size(devices.cache_folder())}", note is None),
        ("results folder", *_writable(results)),
        ("float32 product", f"relative error {product:.1e}, below 1e-5 without TF32", product < 1e-5),
        ("sweep", f"off gradient descent's closed form by {error:.1e} relative, below 1e-5", error < 1e-5),
    ]


def limits_table(device_kind: str | None) -> Table:
    """Measure the memory bandwidth and the product rates of a device."""
    device = pick_device(device_kind)
    devices.refuse_compile_cache()
    rows = []
    for name in limits.products(device):
        copy, product = limits.limits(name, device)
        rows.append((name, copy.rate / 1e9, copy.size, product.rate / 1e9, product.size))
    described = devices.describe(device)
    notes = (
        "the fastest of the calls of 0.3 s, on random data; a copy counts bytes read and written, a product of n rows "
        "2 n^3 operations; float32 means full float32, tf32 is shown where a device has it",
    )
    columns = ("dtype", "copy_gigabytes_per_second", "copy_bytes", "product_gigaflops_per_second", "product_rows")
    return Table(f"limits of {described['device']}, {described['cpu']}", columns, tuple(rows), notes)


def closed_form_error(device: devices.Device) -> float:
    """Sweep gradient descent on f(x) = sum(h x^2)/2, whose iterates are (1 - lr h)^t x0; return the relative error."""
    curvature = np.array([1.0, 0.5, 0.1])
    problem = Problem(
        init=lambda key: jax.numpy.ones(3),
        loss=lambda x, batch, key: (x * curvature.astype(x.dtype) * x).sum() / 2,
        metrics=lambda x, data: {"loss": (x * curvature.astype(x.dtype) * x).sum() / 2},
        source="closed form",
    )
    rates, steps = np.array([0.1, 0.5, 1.0]), 20
    with devices.settings("float32", device):
        optimizer = Optimizer(optax.sgd, (0.1, 1.0), source="closed form")
        recipe = Recipe(prepare(problem, "float32", device), optimizer, "full", steps, record_every=5)
        points = Points({"learning_rate": rates}, np.zeros(3, int), np.ones((steps, 1)))
        compiled = compile_sweep(recipe, points, ["0/select/0"], devices.memory_limit_bytes(device))
        curves = sweep(compiled, points)
    power = (1 - rates[:, None, None] * curvature) ** (2 * curves.step[:, None])
    expected = (power * curvature).sum(-1) / 2
    return float(np.max(np.abs(curves.metrics["train_loss"][0] / expected - 1)))


def product_error(device: devices.Device) -> float:
    """Compare a float32 matrix product at the suite's precision with float64: TF32 would be off by 1e-3."""
    a, b = np.random.default_rng(0).standard_normal((2, 256, 256))
    with devices.settings("float32", device):
        product = np.asarray(jax.jit(lambda a, b: a @ b)(a.astype(np.float32), b.astype(np.float32)))
    return float(np.abs(product - a @ b).max() / np.abs(a @ b).max())


def _writable(results: str | Path) -> tuple[str, bool]:
    try:
        check_writable(locate(results))
    except StoreError as error:
        return str(error), False
    return f"{results} can be written", True


def _size(folder: Path) -> str:
    total = sum(entry.stat().st_size for entry in os.scandir(folder) if entry.is_file())
    return f"{total / 2**20:.0f} MiB"
