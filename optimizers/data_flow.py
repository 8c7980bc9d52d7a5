"""What the outputs of a traced function depend on, and which of them are inputs as they were."""

from collections.abc import Callable, Sequence
from typing import Any, NamedTuple

import jax
from jax.extend.core import Literal
from jaxtyping import PyTree


class Flow(NamedTuple):
    """Where a value comes from."""

    #: Positions of the inputs that it depends on, at the most.
    sources: frozenset[int] = frozenset()
    #: The input that it is, unchanged.
    same: int | None = None


#: Primitives that hand on what they are given, where its shape and dtype stay.
_COPIES = {"convert_element_type", "copy", "copy_p", "reshape", "squeeze", "broadcast_in_dim", "stop_gradient"}
#: Primitives that call another program, and the parameter that holds it.
_CALLS = {
    "jit": "jaxpr",
    "pjit": "jaxpr",
    "closed_call": "call_jaxpr",
    "core_call": "call_jaxpr",
    "remat": "jaxpr",
    "remat2": "jaxpr",
    "checkpoint": "jaxpr",
    "custom_jvp_call": "call_jaxpr",
    "custom_vjp_call": "call_jaxpr",
}


def flows(function: Callable, *arguments: PyTree) -> tuple[list[Flow], PyTree]:
    """Return where each leaf of what a function returns comes from, and the shapes that it returns.

    Positions count the leaves of all arguments, which may be shapes. Of a loop every output depends on every input.
    """
    closed, shapes = jax.make_jaxpr(function, return_shape=True)(*arguments)
    inputs = [Flow(frozenset({place}), place) for place in range(len(closed.jaxpr.invars))]
    return _follow(closed.jaxpr, inputs), shapes


def _follow(jaxpr: Any, inputs: Sequence[Flow]) -> list[Flow]:
    known = dict(zip(jaxpr.invars, inputs, strict=True))

    def read(value: Any) -> Flow:
        return Flow() if isinstance(value, Literal) else known.get(value, Flow())

    for equation in jaxpr.eqns:
        known.update(zip(equation.outvars, _outputs(equation, [read(value) for value in equation.invars]), strict=True))
    return [read(value) for value in jaxpr.outvars]


def _outputs(equation: Any, inputs: Sequence[Flow]) -> list[Flow]:
    """Return where the outputs of one equation come from."""
    name, num = equation.primitive.name, len(equation.outvars)
    if name in _COPIES and len(inputs) == 1:
        is_same = equation.invars[0].aval.dtype == equation.outvars[0].aval.dtype
        is_same = is_same and equation.invars[0].aval.shape == equation.outvars[0].aval.shape
        return [inputs[0] if is_same else Flow(inputs[0].sources)]
    if name == "select_n":
        return [_either(inputs[0], inputs[1:])]
    if name == "cond":
        branches = [_follow(branch.jaxpr, inputs[1:]) for branch in equation.params["branches"]]
        return [_either(inputs[0], outputs) for outputs in zip(*branches, strict=True)]
    inner = equation.params.get(_CALLS.get(name, ""))
    if inner is not None:
        inner = getattr(inner, "jaxpr", inner)
        if len(inner.invars) == len(inputs):
            return _follow(inner, inputs)
    return [Flow(_union(inputs))] * num


def _either(chooses: Flow, choices: Sequence[Flow]) -> Flow:
    """Return where a value comes from that is one of several."""
    same = {choice.same for choice in choices}
    if len(same) == 1 and None not in same:
        return choices[0]
    return Flow(_union([chooses, *choices]))


def _union(flows_in: Sequence[Flow]) -> frozenset[int]:
    return frozenset().union(*(flow.sources for flow in flows_in))
