"""Measure what the device can do at most: how fast it moves memory, and how fast it multiplies matrices."""

import time
from collections.abc import Callable
from functools import cache, partial
from typing import Any, NamedTuple

import jax
import jax.numpy as jnp
import numpy as np

from optbench.sweep import devices

#: Name -> (dtype of the arrays, matmul precision, what only some platforms have). A float32 product means full float32.
PRODUCTS: dict[str, tuple[str, str, tuple[str, ...]]] = {
    "float32": ("float32", "highest", ()),
    "tf32": ("float32", "tensorfloat32", ("gpu", "cuda")),
    "bfloat16": ("bfloat16", "default", ()),
    "float64": ("float64", "highest", ()),
}

#: Calls are repeated for so long, and the fastest counts: whatever else runs on a machine only slows it down.
SECONDS = 0.3


class Limit(NamedTuple):
    """Hold one measured ceiling, of the fastest call."""

    #: A name of PRODUCTS.
    dtype: str
    size: int
    seconds: float
    rate: float


def copy_limit(dtype: str, device: devices.Device) -> Limit:
    """Measure the memory bandwidth: size in bytes of the array, rate in bytes read and written per second.

    The faster of a copy into another buffer and of a change of sign in place, as updates change parameters in place:
    that writes no line it has not read, and on a CPU reaches nearly twice the rate of the copy.
    """
    arrays = PRODUCTS[dtype][0]
    with devices.settings(arrays, device):
        size = int(min(2**28 if device.platform == "cpu" else 2**32, devices.memory_limit_bytes(device) // 8))
        x = _random((size // jnp.dtype(arrays).itemsize,), arrays)
        into = jax.jit(lambda source, target: jnp.copy(source), donate_argnums=1, keep_unused=True)
        copy = _fastest(partial(into, x), jnp.zeros_like(x))
        in_place = _fastest(jax.jit(jnp.negative, donate_argnums=0), x)
    seconds = min(copy, in_place)
    return Limit(dtype, x.nbytes, seconds, 2 * x.nbytes / seconds)


def product_limit(dtype: str, device: devices.Device) -> Limit:
    """Measure the rate of a large square product of random matrices: size in rows, rate in operations per second."""
    arrays, precision, _ = PRODUCTS[dtype]
    with devices.settings(arrays, device), jax.default_matmul_precision(precision):
        size = 2048 if device.platform == "cpu" else 8192
        # Scaled, so that the product of products neither grows nor vanishes.
        a = _random((size, size), arrays) / jnp.asarray(size**0.5, arrays)
        multiply = jax.jit(lambda a, product: a @ product, donate_argnums=1)
        seconds = _fastest(partial(multiply, a), _random((size, size), arrays))
    return Limit(dtype, size, seconds, 2 * size**3 / seconds)


@cache
def limits(dtype: str, device: devices.Device) -> tuple[Limit, Limit]:
    """Measure both, once per process: (copy, product) at a run's dtype."""
    return copy_limit(dtype, device), product_limit(dtype, device)


def products(device: devices.Device) -> list[str]:
    """Name the products that a device has."""
    return [name for name, (_, _, only) in PRODUCTS.items() if not only or device.platform in only]


def _random(shape: tuple[int, ...], dtype: str) -> jax.Array:
    """Fill an array with normal numbers, which repeat after a million: zeros would be faster than numbers are."""
    block = np.random.default_rng(0).standard_normal(2**20).astype(dtype)
    return jnp.resize(block, shape)


def _fastest(call: Callable[[Any], Any], value: Any) -> float:
    """Feed a call its own result, which takes the place of its argument; return the fastest call's seconds."""
    value = jax.block_until_ready(call(value))
    taken: list[float] = []
    while sum(taken) < SECONDS or len(taken) < 3:
        began = time.perf_counter()
        value = jax.block_until_ready(call(value))
        taken.append(time.perf_counter() - began)
    return min(taken)
