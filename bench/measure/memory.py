"""What programs hold in memory, by the compiler's own analysis."""

from typing import Any

import jax
from jaxtyping import PyTree


def memory_bytes(compiled: Any) -> int:
    """Count what one call of a compiled program holds at its peak."""
    use = compiled.memory_analysis()
    inputs_outputs = use.argument_size_in_bytes + use.output_size_in_bytes - use.alias_size_in_bytes
    return inputs_outputs + use.temp_size_in_bytes


def tree_bytes(tree: PyTree) -> int:
    """Count the bytes of a tree of arrays or of their shapes."""
    return sum(leaf.size * leaf.dtype.itemsize for leaf in jax.tree.leaves(tree))
