"""Floating-point operations against counts made by hand."""

import jax
import jax.numpy as jnp
import optax
import optax.contrib
import pytest
from jax import lax

from optbench.timing.flops import count

M, N, K = 3, 4, 5


def array(*shape, dtype=jnp.float32):
    return jax.ShapeDtypeStruct(shape, dtype)


def conv(x, kernel, stride=1, **fields):
    numbers = ("NHWC", "HWIO", "NHWC")
    return lax.conv_general_dilated(x, kernel, (stride, stride), "SAME", dimension_numbers=numbers, **fields)


@pytest.mark.parametrize(
    ("function", "example", "expected"),
    [
        (lambda a, b: a @ b, [array(M, K), array(K, N)], 2 * M * N * K),
        (jax.vmap(lambda a, b: a @ b), [array(7, M, K), array(7, K, N)], 7 * 2 * M * N * K),
        # One factor for the whole batch.
        (jax.vmap(lambda a, b: a @ b, (0, None)), [array(7, M, K), array(K, N)], 7 * 2 * M * N * K),
        (lambda a, b: a @ b, [array(M, K, dtype=jnp.int32), array(K, N, dtype=jnp.int32)], 0),
        (conv, [array(2, 8, 8, 6), array(3, 3, 6, 4)], 2 * (2 * 8 * 8 * 4) * (3 * 3 * 6)),
        # Each of two groups of outputs sees half of the features.
        (
            lambda x, kernel: conv(x, kernel, feature_group_count=2),
            [array(2, 8, 8, 6), array(3, 3, 3, 4)],
            2 * (2 * 8 * 8 * 4) * (3 * 3 * 3),
        ),
        # The convolution, and as much again for the derivative by each of its factors; its sum of outputs.
        (
            jax.value_and_grad(lambda x, kernel: jnp.sum(conv(x, kernel, 2)), (0, 1)),
            [array(2, 8, 8, 6), array(2, 2, 6, 4)],
            3 * 2 * (2 * 4 * 4 * 4) * (2 * 2 * 6) + 2 * 4 * 4 * 4,
        ),
    ],
    ids=["product", "batched", "shared", "integers", "convolution", "grouped", "strided"],
)
def test_products(function, example, expected):
    assert count(function, *example) == expected


@pytest.mark.parametrize(
    ("function", "expected"),
    [
        (jnp.tanh, 12),
        (lambda x: jnp.sqrt(x + 1) / x, 3 * 12),
        (lambda x: jnp.maximum(x, 0), 12),
        # Moving, comparing, selecting and converting are no arithmetic, nor is that of integers.
        (lambda x: jnp.where(x > 0, x.T.reshape(3, 4), 0).astype(jnp.int32) + 1, 0),
        (lambda x: jnp.sum(x, axis=0), 12),
        (lambda x: jnp.cumsum(x, axis=0), 12),
        (lambda x: lax.reduce_window(x, 0.0, lax.add, (2, 2), (1, 1), "VALID"), 2 * 3 * 4),
        # A row of four taken twice: the sum, and its gradient added twice to where it came from.
        (jax.grad(lambda x: jnp.sum(x[jnp.array([0, 0])])), 2 * 4 + 2 * 4),
    ],
    ids=["tanh", "three", "relu", "none", "sum", "cumsum", "window", "rows"],
)
def test_elements(function, expected):
    assert count(function, array(3, 4)) == expected


ONCE = 2 * K**3


@pytest.mark.parametrize(
    ("function", "expected"),
    [
        (lambda x: lax.scan(lambda c, _: (c @ c, None), x, None, length=9)[0], 9 * ONCE),
        (lambda x: lax.fori_loop(0, 9, lambda _, c: c @ c, x), 9 * ONCE),
        # Scans of scans multiply.
        (lambda x: lax.fori_loop(0, 3, lambda _, c: lax.fori_loop(0, 9, lambda _, c: c @ c, c), x), 27 * ONCE),
        # Once, however often it may turn: its body, and the sum in its condition.
        (lambda x: lax.while_loop(lambda c: jnp.sum(c) > 0, lambda c: c @ c, x), ONCE + K**2),
        (lambda x: lax.cond(x[0, 0] > 0, lambda c: c @ c @ c, lambda c: c @ c, x), 2 * ONCE),
        (lambda x: lax.switch(1, [lambda c: c, lambda c: c + c, lambda c: c @ c], x), ONCE),
        (jax.jit(jax.jit(lambda x: x @ x)), ONCE),
        (jax.checkpoint(lambda x: x @ x), ONCE),
        (jax.nn.relu, K**2),
        (optax.projections.projection_non_negative, K**2),
    ],
    ids=["scan", "fori", "nested", "while", "cond", "switch", "jit", "checkpoint", "custom_jvp", "optax"],
)
def test_what_holds_functions(function, expected):
    assert count(function, array(K, K)) == expected


def test_custom_derivative_counts_once():
    twice = jax.custom_vjp(lambda x: x + x)
    twice.defvjp(lambda x: (twice(x), None), lambda _, g: (2 * g,))
    assert count(twice, array(K)) == K
    # Doubled, summed, doubled backward.
    assert count(jax.value_and_grad(lambda x: jnp.sum(twice(x))), array(K)) == 3 * K


@pytest.mark.parametrize(
    ("function", "expected"),
    [
        (lambda a: jnp.linalg.svd(a, full_matrices=False), 22 * 6**3),
        (jnp.linalg.qr, 8 * 6**3 // 3),
        (lambda a: jnp.linalg.cholesky(a, symmetrize_input=False), 6**3 // 3),
        (lambda a: jnp.linalg.eigh(a, symmetrize_input=False), 9 * 6**3),
        (lambda a: jax.scipy.linalg.solve_triangular(a, a), 6**3),
        # An LU and a solve with each of its triangles; not what it would take to check it or to differentiate it.
        (lambda a: jnp.linalg.solve(a, a), 2 * 6**3 // 3 + 2 * 6**3),
    ],
    ids=["svd", "qr", "cholesky", "eigh", "triangular", "solve"],
)
def test_factorizations(function, expected):
    assert count(function, array(6, 6)) == expected
    assert count(jax.vmap(function), array(2, 6, 6)) == 2 * expected


def test_a_network_and_its_gradient():
    """Three products per layer, but none for the derivative by the inputs of the first."""
    batch, features, hidden, classes = 16, 8, 5, 3

    def loss(weights, x):
        return jnp.sum(jax.nn.relu(x @ weights[0]) @ weights[1])

    first, second = 2 * batch * features * hidden, 2 * batch * hidden * classes
    example = [array(features, hidden), array(hidden, classes)], array(batch, features)
    # One maximum per hidden unit and the sum over the outputs; the gradient only selects and copies there.
    elements = batch * hidden + batch * classes
    assert count(loss, *example) == first + second + elements
    assert count(jax.value_and_grad(loss), *example) == 2 * first + 3 * second + elements


def test_adam():
    """Count one update of n parameters: 16 n and the two bias corrections."""

    def update(params, state, gradient):
        updates, state = optimizer.update(gradient, state, params)
        return optax.apply_updates(params, updates), state

    optimizer = optax.adam(1e-3)
    n = 1000
    mean, square = 4, 4  # b m + (1 - b) g^k: a power, two products, a sum
    step = 2 + 4 + 1 + 1  # over both corrections; sqrt(v + 0) + eps and the quotient; the learning rate; the update
    corrections = 2 * 2  # 1 - b^t
    state = jax.eval_shape(optimizer.init, array(n))
    assert count(update, array(n), state, array(n)) == (mean + square + step) * n + corrections


@pytest.mark.parametrize("shape", [(4, 7), (7, 4)], ids=str)
def test_muon_counts_every_iteration(shape):
    """Count muon's X <- aX + (bA + cAA)X with A = XX', on the shorter side, beside what no iteration costs."""

    def muon(iterations):
        optimizer = optax.contrib.scale_by_muon(ns_steps=iterations)
        return count(optimizer.update, array(*shape), jax.eval_shape(optimizer.init, array(*shape)))

    rows, columns = min(shape), max(shape)
    products = 2 * rows**2 * columns + 2 * rows**3 + 2 * rows**2 * columns
    elements = 3 * rows**2 + 2 * rows * columns
    assert muon(5) - muon(0) == 5 * (products + elements)


def test_a_branch_taken_once_in_a_period_counts_so_often():
    def step(x):
        return jax.lax.cond(x[0] > 0, lambda x: x @ x.T @ x, lambda x: x, x[None])

    counted = [count(step, jnp.ones(4), period=period) for period in (1, 2, 10)]
    assert counted == [16, 8, 1]
