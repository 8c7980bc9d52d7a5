"""The ceilings of a device: which there are, that they are what they say, never how high."""

import math
from types import SimpleNamespace

import jax
import numpy as np
import pytest

from optbench.sweep import devices
from optbench.timing import limits


@pytest.fixture(autouse=True)
def _brief(monkeypatch):
    """Three calls each are enough where nobody looks at the rate."""
    monkeypatch.setattr(limits, "SECONDS", 0.0)


@pytest.fixture
def given(monkeypatch):
    """Take no time: keep what would be timed, as (call, value), and say that it took half a second."""
    kept = []

    def fastest(call, value):
        kept.append((call, value))
        return 0.5

    monkeypatch.setattr(limits, "_fastest", fastest)
    return kept


@pytest.mark.parametrize(
    ("platform", "names"),
    [
        ("cpu", ["float32", "bfloat16", "float64"]),
        ("gpu", ["float32", "tf32", "bfloat16", "float64"]),
        ("cuda", ["float32", "tf32", "bfloat16", "float64"]),
    ],
)
def test_products_of_a_device(platform, names):
    assert limits.products(SimpleNamespace(platform=platform)) == names


def test_rates_are_numbers(monkeypatch):
    monkeypatch.setattr(devices, "memory_limit_bytes", lambda device: 2**23)
    copy, product = (
        limits.copy_limit("float32", jax.devices("cpu")[0]),
        limits.product_limit("float32", jax.devices("cpu")[0]),
    )
    for limit in (copy, product):
        assert limit.dtype == "float32"
        assert limit.seconds > 0 and 0 < limit.rate < math.inf
    assert copy.rate == 2 * copy.size / copy.seconds
    assert product.rate == 2 * product.size**3 / product.seconds


@pytest.mark.parametrize(
    ("dtype", "memory", "size"),
    # An eighth of what is free, at most 256 MiB on a CPU; whole numbers of 2, 4 or 8 bytes.
    [("float32", 2**20, 2**17), ("bfloat16", 2**20, 2**17), ("float64", 2**20 + 8 * 7, 2**17), ("float32", 100, 12)],
    ids=["float32", "bfloat16", "float64-rest", "next-to-nothing"],
)
def test_copy_of_a_small_memory_is_small(monkeypatch, given, dtype, memory, size):
    monkeypatch.setattr(devices, "memory_limit_bytes", lambda device: memory)
    limit = limits.copy_limit(dtype, jax.devices("cpu")[0])
    assert limit == limits.Limit(dtype, size, 0.5, 2 * size / 0.5)
    assert {value.nbytes for _, value in given} == {size}
    assert {str(value.dtype) for _, value in given} == {dtype}


def test_copy_and_change_of_sign_do_what_they_say(monkeypatch, given):
    monkeypatch.setattr(devices, "memory_limit_bytes", lambda device: 8 * 4 * 1000)
    limits.copy_limit("float32", jax.devices("cpu")[0])
    (copy, zeros), (negate, x) = given
    before = np.array(x)
    assert not np.array(zeros).any() and np.count_nonzero(before) == before.size
    np.testing.assert_array_equal(copy(zeros), before)
    np.testing.assert_array_equal(negate(x), -before)


class TestProduct:
    @pytest.mark.parametrize(
        ("dtype", "array", "precision"),
        [
            ("float32", "f32[2048,2048]", "HIGHEST"),
            ("tf32", "f32[2048,2048]", "HIGH"),
            ("bfloat16", "bf16[2048,2048]", "DEFAULT"),
            ("float64", "f64[2048,2048]", "HIGHEST"),
        ],
    )
    @pytest.mark.parametrize("outside", ["default", "bfloat16"])
    def test_precision_is_its_own(self, monkeypatch, dtype, array, precision, outside):
        traced = []

        def trace(call, value):
            traced.append(" ".join(str(jax.make_jaxpr(call)(value)).split()))
            return 0.5

        monkeypatch.setattr(limits, "_fastest", trace)
        with jax.default_matmul_precision(outside):
            limits.product_limit(dtype, jax.devices("cpu")[0])
        assert traced[0].count("dot_general") == 1
        assert f"precision=(Precision.{precision}, Precision.{precision})" in traced[0]
        assert f"{array} = dot_general" in traced[0]

    def test_neither_grows_nor_vanishes(self, given):
        """A random matrix over the root of its size keeps the length of vectors."""
        limit = limits.product_limit("float32", jax.devices("cpu")[0])
        assert limit == limits.Limit("float32", 2048, 0.5, 2 * 2048**3 / 0.5)
        ((call, value),) = given
        before = np.array(value).std()
        after = np.array(call(value)).std()
        assert after == pytest.approx(before, rel=0.05)
        assert before == pytest.approx(1, rel=0.05)


def test_both_are_measured_once_a_process(monkeypatch, given):
    limits.limits.cache_clear()
    monkeypatch.setattr(devices, "memory_limit_bytes", lambda device: 2**20)
    first, second = (limits.limits("float32", jax.devices("cpu")[0]) for _ in range(2))
    limits.limits.cache_clear()
    assert first is second
    assert len(given) == 3
