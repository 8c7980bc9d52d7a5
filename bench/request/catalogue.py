"""The catalogue of problems and optimizers as plain data, and the entries that a spec matches."""

import math
from collections.abc import Callable, Iterable, Mapping
from dataclasses import dataclass
from fnmatch import fnmatchcase
from typing import Any, NamedTuple

from optbench.errors import RequestError, nearest, quote
from optbench.request.grammar import LARGEST_INTEGER, DefaultRange, Spec, Value
from optbench.request.grid import check_rates, is_number, unique

#: Every optimizer takes these, whatever its own hyperparameters are.
RATES = ("learning_rate", "weight_decay")

#: Share of the parameters that a step's decay takes, learning rate times weight decay: over 200 steps 2 % and 87 %.
DECAYS_A_STEP = (1e-4, 1e-2)

_KINDS: dict[type, str] = {bool: "true or false", int: "an integer", float: "a number", str: "text"}


class OptimizerInfo(NamedTuple):
    """Learning rates and hyperparameters of an optimizer; with `open` it accepts any further keyword."""

    learning_rates: tuple[float, float]
    hyperparameters: Mapping[str, Any]
    open: bool = False
    #: Those of an optimizer whose weight decays don't follow from its learning rates.
    own_weight_decays: tuple[float, float] | None = None
    #: Whether the ranges are its own: a plain function as a plug-in brings none.
    has_own_range: bool = True

    @property
    def weight_decays(self) -> tuple[float, float]:
        """Lowest and highest weight decay worth trying.

        At the middle learning rate they take the same from the parameters whatever the optimizer: `DECAYS_A_STEP`.
        """
        if self.own_weight_decays:
            return self.own_weight_decays
        middle = math.prod(self.learning_rates) ** 0.5
        low, high = (float(f"{share / middle:.2g}") for share in DECAYS_A_STEP)
        return low, high


class Catalogue(NamedTuple):
    """Every problem family with its parameters' defaults, and every optimizer, by name."""

    problems: Mapping[str, Mapping[str, Any]]
    optimizers: Mapping[str, OptimizerInfo]


@dataclass(frozen=True)
class OptimizerMatch:
    """An optimizer that a spec matches; `traced` values share a program, `static` ones need their own."""

    name: str
    traced: dict[str, tuple[Any, ...]]
    static: dict[str, tuple[Value, ...]]


def match_problems(
    spec: Spec, problems: Mapping[str, Mapping[str, Any]]
) -> list[tuple[str, dict[str, tuple[Value, ...]]]]:
    """Return the families that a spec matches, with its values in the types of their defaults.

    Raises RequestError for a name, a parameter or a value that no family accepts.
    """
    matches = []
    for name in _names(spec, "problem", problems, lambda name: problems[name]):
        defaults = problems[name]
        matches.append((name, {key: _typed(name, key, spec, defaults[key]) for key in spec.parameters}))
    return matches


def match_optimizers(spec: Spec, optimizers: Mapping[str, OptimizerInfo]) -> list[OptimizerMatch]:
    """Return the optimizers that a spec matches, with its values split into traced and static ones.

    Raises RequestError for a name, a parameter or a value that no optimizer accepts.
    """

    def accepted(name: str) -> Iterable[str]:
        info = optimizers[name]
        return [*RATES, *info.hyperparameters, *(spec.parameters if info.open else ())]

    names = _names(spec, "optimizer", optimizers, accepted)
    return [_match_optimizer(name, spec, optimizers[name]) for name in names]


def _match_optimizer(name: str, spec: Spec, info: OptimizerInfo) -> OptimizerMatch:
    traced: dict[str, tuple[Any, ...]] = {}
    static: dict[str, tuple[Value, ...]] = {}
    for key, values in spec.parameters.items():
        if key in RATES:
            traced[key] = check_rates(values, key)
            continue
        default = info.hyperparameters.get(key)
        # Without a default to decide: a float is traced; an integer may be a shape, except of an unknown keyword.
        numbers = default is None and all(map(is_number, values))
        if numbers and (
            key.endswith("learning_rate")
            or key not in info.hyperparameters
            or any(isinstance(value, float) for value in values)
        ):
            default = 0.0
        (traced if isinstance(default, float) else static)[key] = _typed(name, key, spec, default)
    return OptimizerMatch(name, traced, static)


def _names(spec: Spec, noun: str, known: Iterable[str], accepted: Callable[[str], Iterable[str]]) -> list[str]:
    """Return the names that an exact name or a shell pattern matches, of entries that have the spec's parameters.

    Raises RequestError if there are none.
    """
    known = list(known)
    if spec.name in known:
        for key in spec.parameters:
            if key not in accepted(spec.name):
                raise RequestError(f"{spec.name}: unknown parameter {quote(key)}{nearest(key, accepted(spec.name))}")
        return [spec.name]
    if spec.name.endswith(".py"):
        raise RequestError(f"{quote(spec.name)} names a file; accepted: what it holds, as in {spec.name}:make")
    if "*" not in spec.name and "?" not in spec.name:
        raise RequestError(f"unknown {noun} {quote(spec.name)}{nearest(spec.name, known)}")
    # A plug-in needs a pattern with a colon: '*' matches the entries that optbench comes with.
    names = [name for name in known if fnmatchcase(name, spec.name) and (":" not in name or ":" in spec.name)]
    if spec.label and len(names) > 1:
        raise RequestError(
            f"{spec.label}={spec.name}: {spec.label} would be shown for {len(names)} {noun}s; accepted: one"
        )
    if not names:
        raise RequestError(f"no {noun} matches {quote(spec.name)}{nearest(spec.name, known)}")
    matches = [name for name in names if set(spec.parameters) <= set(accepted(name))]
    if not matches:
        parameters = {key for name in names for key in accepted(name)}
        unknown = next((key for key in spec.parameters if key not in parameters), "")
        missing = (
            f"parameter {quote(unknown)}{nearest(unknown, parameters)}"
            if unknown
            else f"all of {', '.join(spec.parameters)}"
        )
        raise RequestError(f"no {noun} that matches {quote(spec.name)} has {missing}")
    return matches


def _typed(owner: str, key: str, spec: Spec, default: Any) -> tuple[Value, ...]:
    return unique(_convert(owner, key, value, type(default)) for value in spec.parameters[key])


def _convert(owner: str, key: str, value: Value | DefaultRange, kind: type) -> Value:
    if isinstance(value, DefaultRange):
        raise RequestError(f"{owner}: {key} takes no default:{value.count}; only {' and '.join(RATES)} do")
    if kind not in _KINDS:
        return value
    if kind in (bool, str) and isinstance(value, kind):
        return value
    if kind in (int, float) and isinstance(value, int | float) and not isinstance(value, bool):
        if kind is float:
            return float(value)
        if value == int(value) and abs(value) <= LARGEST_INTEGER:
            return int(value)
    raise RequestError(f"{owner}: {key} takes {_KINDS[kind]}, got {quote(value)}")
