"""Models of several libraries as pure functions of one training run: flax.nnx, flax.linen, equinox, plain functions.

A library is told by where a class comes from, so that none is imported that isn't used.
"""

import inspect
from collections.abc import Callable, Mapping
from typing import Any, NamedTuple

import jax
import jax.numpy as jnp
from jaxtyping import Array, PyTree

from optbench.problems.problem import Params, State

#: Parameters of a model's call that say that it trains, and those that say that it doesn't.
_TRAINS, _RESTS = ("train", "training", "is_training"), ("deterministic", "inference", "use_running_average")
ACCEPTED = (
    "a flax.nnx class or function of `rngs`, a flax.linen module, an equinox module or function of `key`, "
    "or functions (init, apply)"
)


class Functions(NamedTuple):
    """A model as functions."""

    init: Callable[[Array], Params]
    #: None where a model holds nothing but parameters.
    state: Callable[[Array], State] | None
    #: (parameters, state, inputs, key, whether it trains) -> predictions, state
    apply: Callable[[Params, State, PyTree, Array, bool], tuple[Any, State]]
    #: False where a model does in training what it does in evaluation.
    is_noisy: bool


def functions_of(model: Any, example: PyTree) -> Functions:
    """Return a model as functions; `example` holds one row of its inputs. Raises ValueError for what is no model."""
    if isinstance(model, tuple):
        return _at_run_precision(_plain(model))
    if _is_of(model, "flax.linen") or (isinstance(model, type) and _is_of(model, "flax.linen", model)):
        return _at_run_precision(_linen(model() if isinstance(model, type) else model, example))
    make = _factory(model)
    start = make(jax.random.key(0)) if not _is_nnx_class(model) else None
    if start is None or _is_of(start, "flax.nnx"):
        return _at_run_precision(_nnx(make))
    module = start[0] if isinstance(start, tuple) and start else start
    if _is_of(module, "equinox"):
        return _at_run_precision(_equinox(make, start))
    raise ValueError(f"model: {_describe(model)} made {_describe(start)}; accepted: {ACCEPTED}")


def _factory(model: Any) -> Callable[[Array], Any]:
    """Return what makes a model of a key; a model that was made already starts each seed from its own weights."""
    if _is_of(model, "flax.nnx"):
        from flax import nnx

        return lambda key: nnx.clone(model)
    if _is_of(model, "equinox"):
        return lambda key: model
    if not callable(model):
        raise ValueError(f"model: {_describe(model)} is no model; accepted: {ACCEPTED}")
    try:
        # Metaclasses take anything, and hand it on.
        signature = dict(inspect.signature(model.__init__ if isinstance(model, type) else model).parameters)
    except (TypeError, ValueError):
        signature = {}
    if isinstance(model, type):
        signature.pop("self", None)
    name = next((name for name in ("rngs", "key") if name in signature), None)
    if name is None:
        raise ValueError(f"model: {_describe(model)} takes neither `rngs` nor `key`; accepted: {ACCEPTED}")
    empty = inspect.Parameter.empty
    missing = [
        other
        for other, parameter in signature.items()
        if other != name and parameter.default is empty and parameter.kind.name not in ("VAR_POSITIONAL", "VAR_KEYWORD")
    ]
    if missing:
        raise ValueError(
            f"model: {_describe(model)} needs {', '.join(missing)} too; give them in a function of `{name}`, "
            f"lambda {name}: {_describe(model)}(..., {name}={name})"
        )
    if name == "key":
        return lambda key: model(key=key)

    def of_rngs(key: Array) -> Any:
        from flax import nnx

        return model(rngs=nnx.Rngs(key))

    return of_rngs


def _nnx(make: Callable[[Array], Any]) -> Functions:
    from flax import nnx

    def parts(module: Any) -> tuple[Any, ...]:
        graph, *states = nnx.split(module, nnx.Param, nnx.RngState, ...)
        return graph, *map(nnx.to_pure_dict, states)

    def graph_of(module: Any, trains: bool) -> Any:
        module.train() if trains else module.eval()
        return parts(module)[0]

    module = nnx.eval_shape(lambda: make(jax.random.key(0)))
    graphs = {trains: graph_of(module, trains) for trains in (True, False)}
    _, _, random, others = parts(module)
    call = type(module).__call__

    def apply(params: Params, state: State, x: PyTree, key: Array, trains: bool) -> tuple[Any, State]:
        net = nnx.merge(graphs[trains], params, _reseeded(random, key), state)
        predictions = net(x, **_flags(call, trains))
        return predictions, parts(net)[3]

    has_state = bool(jax.tree.leaves(others))
    return Functions(
        init=lambda key: parts(make(key))[1],
        state=(lambda key: parts(make(key))[3]) if has_state else None,
        apply=apply if has_state else lambda p, s, x, k, t: (apply(p, others, x, k, t)[0], s),
        is_noisy=has_state or bool(jax.tree.leaves(random)) or bool(_flags(call, True)),
    )


def _reseeded(random: PyTree, key: Array) -> PyTree:
    """Return nnx's streams of random numbers with keys folded from this step's: each step and trial has its own."""
    leaves, structure = jax.tree.flatten(random)

    def fresh(index: int, leaf: Any) -> Array:
        if not jnp.issubdtype(leaf.dtype, jax.dtypes.prng_key):
            return jnp.zeros(leaf.shape, leaf.dtype)
        own = jax.random.fold_in(key, index)
        return jax.random.split(own, leaf.shape) if leaf.shape else own

    return jax.tree.unflatten(structure, [fresh(index, leaf) for index, leaf in enumerate(leaves)])


def _linen(module: Any, example: PyTree) -> Functions:
    call = type(module).__call__

    def variables(key: Array) -> dict[str, Any]:
        drawn = module.init(key, jax.tree.map(jnp.asarray, example), **_flags(call, False))
        return {name: held for name, held in drawn.items() if name != "intermediates"}

    def state_of(key: Array) -> dict[str, Any]:
        return {name: held for name, held in variables(key).items() if name != "params"}

    held = sorted(jax.eval_shape(state_of, jax.random.key(0)))

    def apply(params: Params, state: State, x: PyTree, key: Array, trains: bool) -> tuple[Any, State]:
        variables, flags = {"params": params, **(state or {})}, _flags(call, trains)
        # One key serves all streams: linen takes for a stream's what it finds under "params".
        predictions = module.apply(variables, x, rngs={"params": key}, mutable=held if trains else False, **flags)
        return predictions if trains and held else (predictions, state)

    def apply_without(params: Params, state: State, x: PyTree, key: Array, trains: bool) -> tuple[Any, State]:
        flags = _flags(call, trains)
        return module.apply({"params": params}, x, rngs={"params": key}, **flags), state

    return Functions(
        init=lambda key: variables(key).get("params", {}),
        state=state_of if held else None,
        apply=apply if held else apply_without,
        is_noisy=bool(held) or bool(_flags(call, True)),
    )


def _equinox(make: Callable[[Array], Any], start: Any) -> Functions:
    """Return an equinox module, which maps one row, or (module, state) as `make_with_state` returns them."""
    import importlib

    inference_mode = importlib.import_module("equinox").nn.inference_mode
    has_state = isinstance(start, tuple)
    model_of = (lambda made: made[0]) if has_state else (lambda made: made)
    leaves, structure = jax.tree.flatten(model_of(start))
    takes_key = "key" in inspect.signature(type(model_of(start)).__call__).parameters

    def init(key: Array) -> Params:
        return [leaf for leaf in jax.tree.leaves(model_of(make(key))) if _is_float(leaf)]

    def apply(params: Params, state: State, x: PyTree, key: Array, trains: bool) -> tuple[Any, State]:
        floats = iter(params)
        model = structure.unflatten([next(floats) if _is_float(leaf) else leaf for leaf in leaves])
        model = inference_mode(model, value=not trains)
        num_rows = len(jax.tree.leaves(x)[0])
        keys = jax.random.split(key, num_rows) if takes_key else None
        if has_state:
            one = lambda row, key, state: model(row, state, **({"key": key} if takes_key else {}))  # noqa: E731
            mapped = jax.vmap(one, (0, 0 if takes_key else None, None), (0, None), axis_name="batch")
            return mapped(x, keys, state)
        one = lambda row, key: model(row, **({"key": key} if takes_key else {}))  # noqa: E731
        return jax.vmap(one, (0, 0 if takes_key else None), axis_name="batch")(x, keys), state

    return Functions(init, (lambda key: make(key)[1]) if has_state else None, apply, has_state or takes_key)


def _plain(model: tuple[Any, ...]) -> Functions:
    """Return `(init, apply)`: init(key) -> parameters, apply(parameters, x) -> predictions.

    With a third function, state(key), apply(parameters, x, state) returns (predictions, state). Where `apply` has
    parameters called `key` or `train` it is given them.
    """
    if len(model) not in (2, 3) or not all(map(callable, model)):
        raise ValueError(f"model: a tuple of {len(model)} is no model; accepted: (init, apply) or (init, apply, state)")
    init, run, *rest = model
    parameters: Mapping[str, Any] = inspect.signature(run).parameters
    given = (lambda state: (state,)) if rest else (lambda state: ())

    def apply(params: Params, state: State, x: PyTree, key: Array, trains: bool) -> tuple[Any, State]:
        words = _flags(run, trains) | ({"key": key} if "key" in parameters else {})
        result = run(params, x, *given(state), **words)
        if rest and not (isinstance(result, tuple) and len(result) == 2):
            raise ValueError("model: apply(parameters, x, state) must return (predictions, state)")
        return result if rest else (result, state)

    is_noisy = bool(rest) or "key" in parameters or bool(_flags(run, True))
    return Functions(init, rest[0] if rest else None, apply, is_noisy)


def _at_run_precision(functions: Functions) -> Functions:
    """Draw parameters and state at the precision of the run: libraries draw float32, whatever it is."""

    def cast(tree: PyTree) -> PyTree:
        precision = jnp.result_type(float)
        return jax.tree.map(lambda a: jnp.asarray(a).astype(precision) if _is_float(a) else a, tree)

    state = functions.state
    return functions._replace(
        init=lambda key: cast(functions.init(key)), state=None if state is None else lambda key: cast(state(key))
    )


def _flags(call: Callable[..., Any], trains: bool) -> dict[str, bool]:
    """Return the words that tell a model's call whether it trains, of those that it takes."""
    parameters = inspect.signature(call).parameters
    return {name: trains for name in _TRAINS if name in parameters} | {
        name: not trains for name in _RESTS if name in parameters
    }


def _is_float(leaf: Any) -> bool:
    return hasattr(leaf, "dtype") and jnp.issubdtype(leaf.dtype, jnp.inexact)


def _is_of(model: Any, package: str, kind: type | None = None) -> bool:
    """Return whether a model is a module of a library."""
    kinds = (kind or type(model)).__mro__
    return any(one.__name__ == "Module" and one.__module__.startswith(package) for one in kinds)


def _is_nnx_class(model: Any) -> bool:
    return isinstance(model, type) and _is_of(model, "flax.nnx", model)


def _describe(model: Any) -> str:
    return getattr(model, "__name__", None) or type(model).__name__
