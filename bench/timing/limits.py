"""Measure what the device can do at most: how fast it moves memory, and how fast it multiplies matrices."""

import time
from collections.abc import Callable
from functools import cache, partial
from typing import Any, NamedTuple

import jax
import jax.numpy as jnp
import numpy as np

from optbench.sweep import devices

#: Name -> (dtype of the arrays, matmul precision, the platforms that have it, or none for all). A float32 product means
#: full float32.
PRODUCTS: dict[str, tuple[str, str, tuple[str, ...]]] = {
    "float32": ("float32", "highest", ()),
    "tf32": ("float32", "tensorfloat32", ("gpu", "cuda")),
    "bfloat16": ("bfloat16", "default", ()),
    "float64": ("float64", "highest", ()),
}

#: Calls are repeated for so many seconds, and the fastest counts: whatever else runs on a machine only slows it down.
SECONDS = 0.3


class Limit(NamedTuple):
    """One measured ceiling, of the fastest call."""

    #: A name of PRODUCTS.
    dtype: str
    size: int
    seconds: float
    rate: float


def copy_limit(dtype: str, device: devices.Device) -> Limit:
    """Return the memory bandwidth: size in bytes of the array, rate in bytes read and written per second.

    The faster of a copy into another buffer and of a change of sign in place, as updates change parameters in place:
    the change of sign writes no cache line it has not read, and on a CPU reaches nearly twice the rate of the copy.
    """
    array_dtype = PRODUCTS[dtype][0]
    with devices.settings(array_dtype, device):
        size = int(min(2**28 if device.platform == "cpu" else 2**32, devices.memory_limit_bytes(device) // 8))
        x = _random((size // jnp.dtype(array_dtype).itemsize,), array_dtype)
        copy_into = jax.jit(lambda source, target: jnp.copy(source), donate_argnums=1, keep_unused=True)
        copy = _fastest(partial(copy_into, x), jnp.zeros_like(x))
        in_place = _fastest(jax.jit(jnp.negative, donate_argnums=0), x)
    seconds = min(copy, in_place)
    return Limit(dtype, x.nbytes, seconds, 2 * x.nbytes / seconds)


def product_limit(dtype: str, device: devices.Device) -> Limit:
    """Return the rate of a large square product of random matrices: size in rows, rate in operations per second."""
    array_dtype, precision, _ = PRODUCTS[dtype]
    with devices.settings(array_dtype, device), jax.default_matmul_precision(precision):
        size = 2048 if device.platform == "cpu" else 8192
        # Scaled, so that the product of products neither grows nor vanishes.
        a = _random((size, size), array_dtype) / jnp.asarray(size**0.5, array_dtype)
        multiply = jax.jit(lambda a, product: a @ product, donate_argnums=1)
        seconds = _fastest(partial(multiply, a), _random((size, size), array_dtype))
    return Limit(dtype, size, seconds, 2 * size**3 / seconds)


@cache
def limits(dtype: str, device: devices.Device) -> tuple[Limit, Limit]:
    """Return both limits at a run's dtype, (copy, product), measured once per process."""
    return copy_limit(dtype, device), product_limit(dtype, device)


def products(device: devices.Device) -> list[str]:
    """Return the names of the products that a device has."""
    return [name for name, (_, _, platforms) in PRODUCTS.items() if not platforms or device.platform in platforms]


def _random(shape: tuple[int, ...], dtype: str) -> jax.Array:
    """Return normal numbers, which repeat after a million: zeros would be multiplied faster than numbers are."""
    block = np.random.default_rng(0).standard_normal(2**20).astype(dtype)
    return jnp.resize(block, shape)


def _fastest(call: Callable[[Any], Any], value: Any) -> float:
    """Return the fastest call's seconds; each call takes the result of the call before, which replaces its argument."""
    value = jax.block_until_ready(call(value))
    durations: list[float] = []
    while sum(durations) < SECONDS or len(durations) < 3:
        began = time.perf_counter()
        value = jax.block_until_ready(call(value))
        durations.append(time.perf_counter() - began)
    return min(durations)
