"""What programs hold in memory, by the compiler's own analysis."""

from typing import Any

import jax
from jax.extend.core import jaxprs_in_params
from jaxtyping import PyTree


def memory_bytes(compiled: Any) -> int:
    """Count what one call of a compiled program holds at its peak."""
    use = compiled.memory_analysis()
    inputs_outputs = use.argument_size_in_bytes + use.output_size_in_bytes - use.alias_size_in_bytes
    return inputs_outputs + use.temp_size_in_bytes


def tree_bytes(tree: PyTree) -> int:
    """Count the bytes of a tree of arrays or of their shapes."""
    return sum(leaf.size * leaf.dtype.itemsize for leaf in jax.tree.leaves(tree))


def num_elements(tree: PyTree) -> int:
    """Count the elements of a tree of arrays or of their shapes."""
    return sum(leaf.size for leaf in jax.tree.leaves(tree))


def primitives(jaxpr: Any) -> frozenset[str]:
    """Name the primitives of a traced function, at any depth."""
    held = [primitives(inner) for equation in jaxpr.eqns for inner in jaxprs_in_params(equation.params)]
    return frozenset(equation.primitive.name for equation in jaxpr.eqns).union(*held)


def largest_bytes(jaxpr: Any) -> int:
    """Count the bytes of the largest array that a traced function makes on its way."""
    outputs = [variable.aval for equation in jaxpr.eqns for variable in equation.outvars]
    sizes = [array.size * array.dtype.itemsize for array in outputs if hasattr(array, "size")]
    held = [largest_bytes(inner) for equation in jaxpr.eqns for inner in jaxprs_in_params(equation.params)]
    return max([1, *sizes, *held])
