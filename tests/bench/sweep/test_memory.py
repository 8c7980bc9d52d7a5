"""What a traced function holds, counted from its equations."""

import jax
import jax.numpy as jnp
import pytest

from optbench.sweep.memory import largest_bytes


@pytest.mark.parametrize(
    ("function", "expected"),
    [
        (lambda x: x, 1),
        (lambda x: x + 1, 12),
        (lambda x: jnp.sum(x[:, None] * x[None]), 36),
        (jax.jit(lambda x: jnp.sum(x[:, None] * x[None])), 36),
    ],
    ids=["nothing", "itself", "square", "inner"],
)
def test_the_largest_array_on_the_way_counts(function, expected):
    assert largest_bytes(jax.make_jaxpr(function)(jnp.ones(3, jnp.float32))) == expected
