"""A user's optimizer as the sweep trains it: what its update and its state show, that its function couldn't say."""

import functools
import inspect
import itertools
import re
from collections.abc import Callable, Iterable, Mapping, Sequence
from dataclasses import replace
from typing import Any, NamedTuple

import jax
import jax.numpy as jnp
import numpy as np
import optax
from jaxtyping import PyTree

from optbench.optimizers.data_flow import Flow, flows
from optbench.optimizers.learning_rate_free import estimated_step, recording, step_of
from optbench.optimizers.optimizer import OFFERED, Optimizer
from optbench.optimizers.schedule_free import evaluated, nodes
from optbench.optimizers.state_types import check_state, path_text

_STATES = ("ScaleByZoomLinesearchState", "ScaleByBacktrackingLinesearchState")
_LINE_SEARCHES = tuple(getattr(optax, name) for name in _STATES if hasattr(optax, name))
_ONE = Optimizer.__dataclass_fields__["step_scale"].default
_ONE_EVALUATION = Optimizer.__dataclass_fields__["gradient_evaluations"].default
_NAMES = re.compile(r"'(\w+)'")


class _Traced(NamedTuple):
    """An optimizer traced once: its start and one update."""

    #: Of the leaves of the first state; inputs are the settings, then the parameters.
    start: list[Flow]
    #: Of the leaves of the updates and of the next state; inputs as `_places` counts them.
    updates: list[Flow]
    next_state: list[Flow]
    state: PyTree
    names: frozenset[str]
    #: How often the update called `grad_fn`.
    gradients: int


def adapted(
    optimizer: Optimizer, params: PyTree, static: Mapping[str, Any], traced: Iterable[str], scheduled: bool
) -> Optimizer:
    """Return an optimizer with what its update and its state show; one of optbench's own says all of it itself.

    `params` are shapes, `static` and `traced` the hyperparameters that it is built with. Where it is `scheduled`, a
    learning rate that lies in the state is written anew at each step. Raises ValueError where no schedule could reach
    it, or where it takes a weight decay and leaves it aside, and TypeError for an update that can't be called.
    """
    if not optimizer.adapts:
        return optimizer
    names = [name for name in traced if name != "weight_decay" or optimizer.decay == "native"]
    seen = _trace(optimizer, params, static, names)
    places = _places(len(names), params, seen.state)
    _check_decay(seen, names)
    refreshed = _rates_in_state(seen, places, names) if scheduled else frozenset()
    build = _refreshing(optimizer.build, refreshed) if refreshed else optimizer.build
    step = estimated_step(seen.state) if optimizer.step_scale is _ONE else None
    return replace(
        optimizer,
        build=_recording(build, step) if step else build,
        step_scale=step_of if step else optimizer.step_scale,
        needs=optimizer.needs | seen.names,
        decay=_decay(optimizer, seen, places),
        frozen=_frozen(seen, places),
        evaluation_params=optimizer.evaluation_params or (evaluated if nodes(seen.state) else None),
        gradient_evaluations=_gradient_evaluations(optimizer, seen),
    )


class _Places(NamedTuple):
    """The inputs of an update, by position: settings, gradients, state, parameters, and the loss at the end."""

    settings: range
    gradients: range
    state: range
    params: range


def _places(num_settings: int, params: PyTree, state: PyTree) -> _Places:
    ends = np.cumsum([num_settings, *(len(jax.tree.leaves(tree)) for tree in (params, state, params))])
    starts = [0, *map(int, ends)]
    return _Places(*(range(first, stop) for first, stop in itertools.pairwise(starts)))


def _trace(optimizer: Optimizer, params: PyTree, static: Mapping[str, Any], names: Sequence[str]) -> _Traced:
    """Trace an optimizer's start and its update. Raises TypeError for an update that can't be called."""
    built: list[optax.GradientTransformationExtraArgs] = []
    calls: list[None] = []
    fixed = dict(static) | ({"weight_decay": 0.0} if optimizer.decay == "native" else {})
    fixed |= {"seed": np.int32(0)} if "seed" in optimizer.needs else {}

    def build(values: Sequence[Any]) -> optax.GradientTransformationExtraArgs:
        transformation = optimizer.build(**fixed | dict(zip(names, values, strict=True)))
        built.append(optax.with_extra_args_support(transformation))
        return built[-1]

    def count_gradient(params: PyTree, _: Any) -> PyTree:
        calls.append(None)
        return jax.tree.map(jnp.ones_like, params)

    def step(values, gradients, state, params, value, wanted):
        offered = {"value": value, "grad": gradients, "value_fn": _square, "obj_fn": _square, "grad_fn": count_gradient}
        calls.clear()
        return build(values).update(gradients, state, params, **{name: offered[name] for name in wanted})

    values = [jax.ShapeDtypeStruct((), jax.dtypes.canonicalize_dtype(np.float64))] * len(names)
    start, state = flows(lambda values, params: build(values).init(params), values, params)
    per_example = "per_example_grad" in optimizer.needs
    gradients = jax.tree.map(lambda p: jax.ShapeDtypeStruct(((1,) if per_example else ()) + p.shape, p.dtype), params)
    loss = jax.ShapeDtypeStruct((), jax.dtypes.canonicalize_dtype(np.float64))
    wanted = optimizer.needs & OFFERED or _declared(built[-1].update)
    while True:
        try:
            call = functools.partial(step, wanted=wanted)
            outputs, (updates, after) = flows(call, values, gradients, state, params, loss)
            break
        except Exception as error:
            # An optimizer within another one may refuse what that one hands on to it.
            refused = wanted & set(_NAMES.findall(str(error))) if "nexpected keyword" in str(error) else ()
            if not refused:
                raise
            wanted = wanted - refused
    check_state(state, after)
    num = len(jax.tree.leaves(updates))
    return _Traced(start, outputs[:num], outputs[num:], state, frozenset(wanted), len(calls))


def _square(params: PyTree, **_: Any) -> jax.Array:
    """Return some loss of parameters, for the shape of it."""
    leaves = [leaf for leaf in jax.tree.leaves(params) if jnp.issubdtype(leaf.dtype, jnp.inexact)]
    return jnp.sum(jnp.stack([jnp.sum(jnp.real(leaf * jnp.conj(leaf))) for leaf in leaves]))


def _declared(update: Callable) -> frozenset[str]:
    """Return which of the arguments that are offered an update declares: all of them where it takes any keyword."""
    parameters = inspect.signature(update).parameters.values()
    if any(parameter.kind is parameter.VAR_KEYWORD for parameter in parameters):
        return OFFERED
    return OFFERED & {parameter.name for parameter in parameters}


def _check_decay(seen: _Traced, names: Sequence[str]) -> None:
    """Raise ValueError where an optimizer takes a weight decay that nothing it returns depends on."""
    if "weight_decay" not in names:
        return
    place = names.index("weight_decay")
    if not any(place in flow.sources for flow in (*seen.updates, *seen.start, *seen.next_state)):
        raise ValueError("weight_decay is a parameter that makes no difference; hand it on, or take none: it is added")


def _rates_in_state(seen: _Traced, places: _Places, names: Sequence[str]) -> frozenset[int]:
    """Return the leaves of the state that hold the learning rate as it was given, and that updates hand on.

    Raises ValueError where a leaf is made of the learning rate, and an update reads it and changes it.
    """
    rates = {place for place, name in enumerate(names) if name.endswith("learning_rate")}
    refreshed: set[int] = set()
    for leaf, flow in enumerate(seen.start):
        if not flow.sources & rates:
            continue
        place = places.state[leaf]
        handed_on = seen.next_state[leaf].same == place
        others = [*seen.updates, *(flow for other, flow in enumerate(seen.next_state) if other != leaf)]
        is_read = any(place in flow.sources for flow in (*others, *([] if handed_on else [seen.next_state[leaf]])))
        if handed_on and flow.sources <= set(range(len(names))):
            refreshed.add(leaf)
        elif is_read:
            component = path_text(jax.tree_util.tree_flatten_with_path(seen.state)[0][leaf][0])
            raise ValueError(
                f"the learning rate lies in the optimizer's state ({component}) and changes there, so no "
                "schedule reaches it; accepted: --schedule constant, or an update that reads learning_rate itself"
            )
    return frozenset(refreshed)


def _refreshing(build: Callable, leaves: frozenset[int]) -> Callable:
    """Wrap a function that builds an optimizer: at each update some leaves of its state are as at a start."""

    @functools.wraps(build)
    def refreshing(*arguments: Any, **settings: Any) -> optax.GradientTransformationExtraArgs:
        inner = optax.with_extra_args_support(build(*arguments, **settings))

        def update(updates, state, params: Any = None, **extra_args):
            now, structure = jax.tree.flatten(inner.init(params))
            current = jax.tree.leaves(state)
            mixed = [now[place] if place in leaves else current[place] for place in range(len(current))]
            return inner.update(updates, jax.tree.unflatten(structure, mixed), params, **extra_args)

        return optax.GradientTransformationExtraArgs(inner.init, update)

    return refreshing


def _recording(build: Callable, step: Callable[[Any, Any], Any]) -> Callable:
    """Wrap a function that builds an optimizer: its state keeps the step that it estimated."""
    return functools.wraps(build)(lambda *arguments, **settings: recording(build(*arguments, **settings), step))


def _decay(optimizer: Optimizer, seen: _Traced, places: _Places) -> Any:
    """Return how decay is applied, where nothing is said of it."""
    if optimizer.decay != "wrapped":
        return optimizer.decay
    if nodes(seen.state):
        return "averaged"
    first = len(places.settings)
    params = range(first, first + len(places.params))
    leaves = zip(seen.start, seen.next_state, places.state, strict=True)
    holds = any(start.same in params and after.same == place for start, after, place in leaves)
    return "anchored" if holds else "wrapped"


def _frozen(seen: _Traced, places: _Places) -> frozenset[int]:
    """Return the leaves of the parameters whose update follows from nothing: neither gradients nor a state move it."""
    settings = set(places.settings)
    return frozenset(leaf for leaf, flow in enumerate(seen.updates) if flow.sources <= settings)


def _gradient_evaluations(optimizer: Optimizer, seen: _Traced) -> Callable[[Any], Any]:
    """Return what counts the gradient evaluations of a step, where nothing is said of it."""
    if optimizer.gradient_evaluations is not _ONE_EVALUATION:
        return optimizer.gradient_evaluations
    is_search = lambda node: isinstance(node, _LINE_SEARCHES)  # noqa: E731
    if any(map(is_search, jax.tree.leaves(seen.state, is_leaf=is_search))):
        return lambda state: (
            1
            + sum(
                node.info.num_linesearch_steps for node in jax.tree.leaves(state, is_leaf=is_search) if is_search(node)
            )
        )
    return (lambda state: 1 + seen.gradients) if seen.gradients else _ONE_EVALUATION
