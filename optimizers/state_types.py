"""The state of an optimizer keeps its shapes and dtypes from one step to the next."""

from collections.abc import Sequence
from typing import Any

import jax
import jax.numpy as jnp
from jaxtyping import PyTree


def check_state(before: PyTree, after: PyTree) -> None:
    """Raise TypeError, which names the component, where an update's state isn't of the shapes and dtypes it had."""
    old, new = (jax.tree_util.tree_flatten_with_path(state) for state in (before, after))
    if old[1] != new[1]:
        raise TypeError(f"an update changes the structure of its state: {_differing(old[0], new[0])}")
    for (path, was), (_, now) in zip(old[0], new[0], strict=True):
        was, now = jax.typeof(was), jax.typeof(now)
        both_float = jnp.issubdtype(was.dtype, jnp.floating) and jnp.issubdtype(now.dtype, jnp.floating)
        if was.shape != now.shape or (was.dtype != now.dtype and not both_float):
            raise TypeError(
                f"an update changes the type of {path_text(path)}: {was.str_short()} at the start, "
                f"{now.str_short()} after it; give it one type"
            )


def _differing(old: Sequence[Any], new: Sequence[Any]) -> str:
    before, after = ([path_text(path) for path, _ in leaves] for leaves in (old, new))
    gone = [f"{path} is gone" for path in before if path not in after]
    come = [f"{path} is new" for path in after if path not in before]
    return ", ".join([*gone[:1], *come[:1]]) or "other containers"


def path_text(path: Any) -> str:
    """Return how a component of a state is written: state[0].count."""
    return f"state{jax.tree_util.keystr(path)}"


def as_before(before: PyTree, after: PyTree) -> PyTree:
    """Return a state with the precision that it had: a swept number may have raised it. Raises TypeError otherwise."""
    check_state(before, after)
    return jax.tree.map(lambda was, now: now if was.dtype == now.dtype else now.astype(was.dtype), before, after)
