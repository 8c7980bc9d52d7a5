"""What a traced function holds, counted from its equations."""

from types import SimpleNamespace

import jax
import jax.numpy as jnp
import numpy as np
import pytest

from optbench.sweep.memory import largest_bytes, memory_bytes, num_elements, primitives, tree_bytes


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


def test_a_program_holds_what_goes_in_and_out_and_what_it_needs_on_its_way():
    """What comes out in place of what went in is there once."""
    sizes = {"argument_size_in_bytes": 1000, "output_size_in_bytes": 200, "alias_size_in_bytes": 30}
    use = SimpleNamespace(**sizes, temp_size_in_bytes=4)
    assert memory_bytes(SimpleNamespace(memory_analysis=lambda: use)) == 1000 + 200 - 30 + 4


def test_trees_are_counted_leaf_by_leaf():
    tree = {"a": np.zeros((2, 3), np.float32), "b": [jax.ShapeDtypeStruct((5,), np.int8), np.zeros((), np.float64)]}
    assert (tree_bytes(tree), num_elements(tree)) == (6 * 4 + 5 + 8, 6 + 5 + 1)
    assert (tree_bytes(()), num_elements(())) == (0, 0)


def test_primitives_are_those_at_any_depth():
    looped = jax.make_jaxpr(lambda x: jax.lax.fori_loop(0, x.shape[0], lambda i, y: jnp.sin(y) + i, x))(jnp.ones(3))
    assert {"sin", "add", "scan"} <= primitives(looped.jaxpr)
    assert primitives(jax.make_jaxpr(jnp.cos)(1.0).jaxpr) == {"cos"}
