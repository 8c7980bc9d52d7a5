"""What a model holds beside its parameters, such as BatchNorm's running statistics: drawn, updated, checked.

A problem without any has `()` here, an empty tree: it leaves no trace in a compiled program.
"""

from collections.abc import Callable
from typing import Any

import jax
import jax.numpy as jnp
from jax.interpreters.partial_eval import dce_jaxpr
from jaxtyping import Array, PyTree

from optbench.problems.problem import Batch, Params, Problem, State

#: What linen and nnx call their running statistics.
_LINEN, _NNX = "batch_stats", "BatchStat"
#: linen's other collections that no gradient descends, told by the "params" that they lie beside.
_COLLECTIONS = (_LINEN, "cache", "intermediates")
_HAND_OVER = (
    "hand it over as Problem(state=...), with loss(params, batch, key, state) -> (loss, state) and "
    "metrics(params, data, state), or let optbench.problems.supervised do so"
)


def initial_state(problem: Problem) -> Callable[[Array], State]:
    """Return what draws a problem's initial state, `()` where it has none."""
    return problem.state or (lambda key: ())


def stateful_loss(problem: Problem) -> Callable[[Params, Batch, Array, State], tuple[Array, State]]:
    """Return a problem's loss as (parameters, batch, key, state) -> (loss, state), whether or not it has a state."""
    if problem.state is None:
        return lambda params, batch, key, state: (problem.loss(params, batch, key), state)

    def loss(params: Params, batch: Batch, key: Array, state: State) -> tuple[Array, State]:
        result: Any = problem.loss(params, batch, key, state)  # pyright: ignore[reportCallIssue]
        if not isinstance(result, tuple) or len(result) != 2:
            what = f"a tuple of {len(result)}" if isinstance(result, tuple) else type(result).__name__
            raise TypeError(f"loss returned {what}; expected (loss, state), since the problem has a state")
        return result[0], _like(result[1], state)

    return loss


def stateful_metrics(problem: Problem) -> Callable[[Params, Batch, State], Any]:
    """Return a problem's metrics as (parameters, data, state) -> values, whether or not it has a state."""
    if problem.state is None:
        return lambda params, data, state: problem.metrics(params, data)
    return problem.metrics


def _like(new: State, old: State) -> State:
    """Return the new state in the precision of the old one. Raises TypeError where their shapes differ."""
    before, after = (jax.tree_util.tree_flatten_with_path(tree) for tree in (old, new))
    if before[1] != after[1]:
        raise TypeError("loss returned a state of another structure than it was called with; expected the same")
    leaves = []
    for (path, was), (_, leaf) in zip(before[0], after[0], strict=True):
        leaf = jnp.asarray(leaf)
        is_float = all(jnp.issubdtype(a.dtype, jnp.floating) for a in (was, leaf))
        if leaf.shape != was.shape or not (is_float or leaf.dtype == was.dtype):
            change = f"{was.dtype}{list(was.shape)} to {leaf.dtype}{list(leaf.shape)}"
            raise TypeError(f"loss changed the state's {_name(path)} from {change}; expected one kind and shape")
        leaves.append(leaf.astype(was.dtype) if is_float else leaf)
    return jax.tree.unflatten(before[1], leaves)


def refuse_state_in_params(problem: Problem, params: PyTree[jax.ShapeDtypeStruct], train: Batch, batch: Batch) -> None:
    """Raise ValueError where parameters hold a model's state: it would be decayed, and never follow the batches.

    `params`, `train` and `batch` are shapes. By the names that flax has for it, and by what it does: the loss doesn't
    depend on it, and the metrics do.
    """
    if problem.state is not None:
        return
    name = _named_state(params)
    module = getattr(problem.loss, "__module__", None) or ""
    # optbench's own problems hold none, but for models of one's own, and tracing takes a while.
    if name is None and (not module.startswith("optbench.") or module == "optbench.problems.own_model"):
        name = _unused_state(problem, params, train, batch)
    if name:
        raise ValueError(f"parameters hold {name}, a model's state that no optimizer may touch; {_HAND_OVER}")


def _named_state(params: PyTree) -> str | None:
    is_stat = lambda leaf: any(kind.__name__ == _NNX for kind in type(leaf).__mro__)  # noqa: E731
    for path, leaf in jax.tree_util.tree_flatten_with_path(params, is_leaf=is_stat)[0]:
        keys = [getattr(part, "key", None) for part in path]
        if is_stat(leaf):
            return f"nnx.BatchStat {_name(path)}"
        if _LINEN in keys or (keys[0:1] and keys[0] in _COLLECTIONS and "params" in params):
            return f"linen's {next(key for key in keys if key in _COLLECTIONS)}"
    return None


def _unused_state(problem: Problem, params: PyTree, train: Batch, batch: Batch) -> str | None:
    """Name the first floating-point leaf that the metrics depend on and the loss doesn't."""
    leaves = jax.tree_util.tree_leaves_with_path(params)
    loss = jax.make_jaxpr(lambda p, b: problem.loss(p, b, jax.random.key(0)))(params, batch).jaxpr
    metrics = jax.make_jaxpr(lambda p, d: problem.metrics(p, d))(params, train).jaxpr
    used, shown = (dce_jaxpr(jaxpr, [True] * len(jaxpr.outvars))[1][: len(leaves)] for jaxpr in (loss, metrics))
    for (path, leaf), in_loss, in_metrics in zip(leaves, used, shown, strict=True):
        if in_metrics and not in_loss and jnp.issubdtype(leaf.dtype, jnp.floating):
            return f"{_name(path)}, which the metrics depend on and the loss doesn't"
    return None


def _name(path: tuple[Any, ...]) -> str:
    parts = [part for part in path if not isinstance(part, jax.tree_util.GetAttrKey) or part.name != "value"]
    return jax.tree_util.keystr(tuple(parts), simple=True, separator="/") or "value"
