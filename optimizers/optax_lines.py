"""Write the lines of Python that build an optimizer with its settings, for a training script of one's own."""

import ast
import inspect
import textwrap
from collections.abc import Mapping
from functools import partial
from operator import attrgetter
from typing import Any

import optax
import optax.contrib

from optbench.optimizers import catalogue
from optbench.optimizers.optimizer import Optimizer

#: Calls of entries whose functions do more than return one call of optax, and what they pass on by other names.
_CALLS = {"muon": ("optax.contrib.muon", {"adam_weight_decay": "weight_decay"})}
#: Optax's own take no schedule, or weigh its rates in another way than the sweep, which hands over one a step.
_CONSTANT = ("sm3", "schedule_free_sgd", "schedule_free_adamw")
#: The rate is that of the first step alone, before any schedule.
_RATE_AT_START = ("rprop",)
#: The share of the steps that "wsd" spends on its linear decay, as the sweep has it.
_WSD_DECAY = 0.2
#: What a schedule is called in the lines.
_SCHEDULE = "schedule"


def optax_lines(name: str, settings: Mapping[str, Any], schedule: str, warmup: float, steps: int) -> list[str]:
    """Return lines that leave an `optimizer` behind: optax's own where they say the same, else this project's entry.

    Comments say what a loop has to do for it beside the usual. `settings` are the learning rate, the weight decay and
    hyperparameters. Raises KeyError for an unknown name.
    """
    return [*_optimizer_lines(name, settings, schedule, warmup, steps), *_comments(catalogue()[name])]


def _comments(entry: Optimizer) -> list[str]:
    """Return what a training script must do for an optimizer, beside calling `update(gradients, state, params)`."""
    lines = []
    if entry.needs:
        lines.append(f"# its update takes {', '.join(f'{name}=...' for name in sorted(entry.needs))} besides")
    if entry.evaluation_params is not None:
        name = entry.evaluation_params.__name__
        lines.append(
            f"# evaluate at optax.contrib.{name}(state, params), not at the params that gradients are taken at"
        )
    return lines


def _optimizer_lines(name: str, settings: Mapping[str, Any], schedule: str, warmup: float, steps: int) -> list[str]:
    entry = catalogue()[name]
    rate, decay = settings["learning_rate"], settings.get("weight_decay", 0.0)
    own = {key: value for key, value in settings.items() if key not in ("learning_rate", "weight_decay")}
    is_constant = schedule == "constant" and not warmup
    rates = [] if is_constant else schedule_lines(rate, schedule, warmup, steps)
    argument = _Name(repr(rate) if is_constant or name in _RATE_AT_START else _SCHEDULE)
    # Optax has decays of its own that are not zero.
    call = _call(name, argument, own | ({"weight_decay": decay} if entry.decay == "native" else {}))
    is_beside = bool(decay) and entry.decay != "native"
    if (
        call is None
        or (name in _CONSTANT and not is_constant)
        or (is_beside and (entry.decay == "anchored" or _estimates_step(entry)))
    ):
        arguments = {**({"weight_decay": decay} if decay else {}), **own}
        words = ", ".join(filter(None, ["learning_rate", _arguments(arguments)]))
        make = f"lambda learning_rate: build({words})"
        return [
            *("import optax", "", "from optbench.optimizers import catalogue, decoupled", ""),
            *rates,
            f"build = decoupled(catalogue()[{name!r}])",
            f"optimizer = optax.inject_hyperparams({make})({argument})",
        ]
    lines = ["import optax", *(["import optax.contrib"] if "optax.contrib" in call else []), "", *rates]
    if not is_beside:
        return [*lines, f"optimizer = {call}"]
    if is_constant:
        return [*lines, f"optimizer = optax.chain({call}, optax.add_decayed_weights(-{rate!r} * {decay!r}))"]
    decayed = f"optax.inject_hyperparams(optax.add_decayed_weights)(lambda step: -{decay!r} * {_SCHEDULE}(step))"
    return [*lines, f"decay = {decayed}", f"optimizer = optax.chain({call}, decay)"]


def schedule_lines(rate: float, name: str, warmup: float, steps: int) -> list[str]:
    """Return the lines that leave a `schedule` behind: the learning rate before each update."""
    rising = round(warmup * steps)
    rest = steps - rising
    down = {
        "constant": f"optax.constant_schedule({rate!r})",
        "linear": f"optax.linear_schedule({rate!r}, 0.0, {rest})",
        "cosine": f"optax.cosine_decay_schedule({rate!r}, {rest})",
        "wsd": f"optax.linear_schedule({rate!r}, 0.0, {round(_WSD_DECAY * rest)}, {rest - round(_WSD_DECAY * rest)})",
    }[name]
    if not rising:
        return [f"{_SCHEDULE} = {down}"]
    up = f"optax.linear_schedule({rate / rising:.6g}, {rate!r}, {max(rising - 1, 1)})"
    return [f"warmup = {up}", f"{_SCHEDULE} = optax.join_schedules([warmup, {down}], [{rising}])"]


class _Name(str):
    """A name of Python, which is written without quotes."""

    __slots__ = ()

    def __repr__(self) -> str:
        return str(self)


def _arguments(arguments: Mapping[str, Any]) -> str:
    return ", ".join(f"{key}={value!r}" for key, value in arguments.items())


def _estimates_step(entry: Any) -> bool:
    """Return whether an entry scales its decay by a step of its own."""
    return entry.step_scale is not type(entry).__dataclass_fields__["step_scale"].default


def _call(name: str, rate: _Name, settings: Mapping[str, Any]) -> str | None:
    """Return the call of optax that an entry comes to; None where it is more than that."""
    build = catalogue()[name].build
    build = build.func if isinstance(build, partial) else build
    path = next(
        (f"{path}.{build.__name__}" for path, each in _MODULES if vars(each).get(build.__name__) is build), None
    )
    if name in _CALLS:
        path, also = _CALLS[name]
        settings = {**settings, **{key: settings[value] for key, value in also.items() if value in settings}}
    if path is None:
        return _returned_call(build, {**settings, "learning_rate": rate})
    return f"{path}({', '.join(filter(None, [rate, _arguments(settings)]))})"


_MODULES = (("optax", optax), ("optax.contrib", optax.contrib))


def _returned_call(build: Any, settings: Mapping[str, Any]) -> str | None:
    """Return the call that a function consists of, with its parameters filled in; None where it does more."""
    (definition,) = ast.parse(textwrap.dedent(inspect.getsource(build))).body
    assert isinstance(definition, ast.FunctionDef)
    statements = [each for each in definition.body if not isinstance(each, ast.Expr)]
    if len(statements) != 1 or not isinstance(statements[0], ast.Return) or statements[0].value is None:
        return None
    defaults = {key: parameter.default for key, parameter in inspect.signature(build).parameters.items()}
    values = {**defaults, **settings}
    names = {node.id for node in ast.walk(statements[0]) if isinstance(node, ast.Name)}
    if not names <= {*values, "optax"}:
        return None
    return ast.unparse(_Filled(values).visit(statements[0].value))


class _Filled(ast.NodeTransformer):
    """Put values in the place of names."""

    def __init__(self, values: Mapping[str, Any]) -> None:
        self.values = values

    def visit_Name(self, node: ast.Name) -> ast.AST:
        if node.id not in self.values:
            return node
        return ast.parse(repr(self.values[node.id]), mode="eval").body

    def visit_Call(self, node: ast.Call) -> ast.AST:
        """Fill in a call, and write out what its arguments are called, beyond the learning rate."""
        self.generic_visit(node)
        function = attrgetter(ast.unparse(node.func).removeprefix("optax."))(optax)
        parameters = list(inspect.signature(function).parameters.values())[: len(node.args)]
        if any(parameter.kind != parameter.POSITIONAL_OR_KEYWORD for parameter in parameters):
            return node
        first = int(bool(parameters) and parameters[0].name == "learning_rate")
        named_arguments = [ast.keyword(each.name, value) for each, value in zip(parameters, node.args, strict=True)][
            first:
        ]
        return ast.Call(node.func, node.args[:first], [*named_arguments, *node.keywords])
