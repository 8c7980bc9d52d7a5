"""The one grammar of names, parameters and values; nothing in it is evaluated.

values  0,1e-4:1e-1:4    numbers, and start:stop:count, which is geometric and includes both ends
        true,relu,"a,b"  text needs quotes where it holds one of , : = [ ] "
        default:8        the optimizer's own learning-rate range in 8 values; of weight decay 0 and 7 values
spec    adamw[b1=0.8:0.95:3,weight_decay=0,0.1]
        Cautious=./mine.py:make[momentum=0.8]    shown as Cautious
"""

import math
import re
from collections.abc import Iterable, Mapping
from dataclasses import dataclass
from decimal import Decimal
from itertools import pairwise
from typing import Any

from optbench.errors import RequestError, quote

Value = bool | int | float | str

_QUOTED = re.compile(r'"(?:\\.|[^"\\])*"')
_NUMBER = re.compile(r"[+-]?(?:\d+\.?\d*|\.\d+)(?:[eE][+-]?\d+)?", re.ASCII)
_INTEGER = re.compile(r"[+-]?\d+", re.ASCII)
_NOT_FINITE = re.compile(r"[+-]?(?:nan|inf|infinity)", re.IGNORECASE)
_KEY = re.compile(r"[A-Za-z_]\w*", re.ASCII)
_BARE = re.compile(r"(?:[A-Za-z_/~]|\.\.?/)[\w./~+*?-]*", re.ASCII)
_LABEL = re.compile(r"\w[\w .()+-]*")
_RESERVED = {"true", "false", "nan", "inf", "infinity"}
LARGEST_INTEGER = 2**63 - 1
_LARGEST_COUNT = 10_000


@dataclass(frozen=True)
class DefaultRange:
    """The optimizer's own range, of learning rates in `count` geometric values, of weight decay in 0 and one fewer."""

    count: int


@dataclass(frozen=True)
class Spec:
    """A name (or pattern, or plug-in), the requested values of its parameters, and what it is shown as."""

    name: str
    parameters: dict[str, tuple[Value | DefaultRange, ...]]
    #: "" where it is shown by its name.
    label: str = ""


def parse_values(text: str) -> tuple[Value | DefaultRange, ...]:
    """Return the values of a comma list of numbers, ranges, true/false and text. Raises RequestError for other text."""
    return tuple(value for item in split(text) for value in _parse_item(item))


def is_range(text: str) -> bool:
    """Return whether all values of a text are those of one range."""
    items = split(text)
    return len(items) == 1 and ":" in items[0] and not items[0].startswith('"')


def parse_spec(text: str) -> Spec:
    """Return the spec of `name` or `name[key=values,...]`; an item without `=` continues the key before it.

    With `Label=` before it, that is what it is shown as. Raises RequestError for other text.
    """
    try:
        mask = _mask(text)
        end = mask.find("[")
        label, named, name = text[: end if end >= 0 else len(text)].rpartition("=")
        label, name = _check_label(label.strip()) if named else "", name.strip()
        if not name:
            raise RequestError("the name is missing")
        if any(mark in name for mark in '",=]'):
            raise RequestError('a name holds none of , = ] " (give one name at a time, parameters in [brackets])')
        if end < 0:
            return Spec(name, {}, label)
        if mask.count("[") != 1 or mask.count("]") != 1 or not mask.rstrip().endswith("]"):
            raise RequestError("the brackets do not match")
        return Spec(name, _parse_parameters(text[end + 1 : mask.index("]")]), label)
    except RequestError as error:
        raise RequestError(f"{quote(text)}: {error}") from None


def _check_label(label: str) -> str:
    """Return what something is to be shown as. Raises RequestError for what tables and patterns couldn't hold."""
    if not _LABEL.fullmatch(label):
        accepted = "accepted: letters, digits, spaces and . _ + - ( ), as in Cautious=./mine.py:make"
        raise RequestError(f"{quote(label)} is no name to be shown by; {accepted}")
    return label


def split(text: str) -> list[str]:
    """Return the items between the commas outside quotes and brackets. Raises RequestError for an empty item."""
    depth, cuts = 0, [-1]
    for position, mark in enumerate(_mask(text)):
        depth += (mark == "[") - (mark == "]")
        if mark == "," and depth == 0:
            cuts.append(position)
    items = [text[start + 1 : stop].strip() for start, stop in pairwise([*cuts, len(text)])]
    if "" in items:
        raise RequestError(f"{quote(text)}: a value is missing")
    return items


def geometric(start: float, stop: float, count: int) -> tuple[float, ...]:
    """Return `count` values spaced evenly in the logarithm, with both ends exact; a single value is the start."""
    if count == 1:
        return (float(start),)
    shares = [index / (count - 1) for index in range(1, count - 1)]
    # 12 digits hide the rounding of the powers: 1e-4:1e-1:4 holds 0.001, not 0.0010000000000000002.
    between = [float(f"{start ** (1 - share) * stop**share:.12g}") for share in shares]
    return (float(start), *between, float(stop))


def format_spec(name: str, parameters: Mapping[str, Any]) -> str:
    """Return the canonical text of a spec: sorted keys, shortest numbers; it parses back to the same spec."""
    if not parameters:
        return name
    return f"{name}[{','.join(f'{key}={format_values(parameters[key])}' for key in sorted(parameters))}]"


def label_of(spec: Spec, name: str, values: Mapping[str, Any]) -> str:
    """Return what one choice of a spec is shown as: its label, with what tells it from others of the same spec."""
    if not spec.label:
        return format_spec(name, values)
    return format_spec(spec.label, {key: value for key, value in values.items() if len(spec.parameters[key]) > 1})


def labelled(label: str, specs: Iterable[str]) -> tuple[str, Spec] | None:
    """Return the spec that gives a label, as it was written and read; None where none does."""
    read = ((text, parse_spec(text)) for text in specs)
    return next(((text, spec) for text, spec in read if spec.label and spec.label == label.partition("[")[0]), None)


def format_values(values: Any) -> str:
    """Return the text of one value, or the comma list of several."""
    return ",".join(map(format_value, values)) if isinstance(values, tuple | list) else format_value(values)


def format_value(value: Value | DefaultRange) -> str:
    """Return the text of one value, which parses back to itself, type included."""
    if isinstance(value, DefaultRange):
        return f"default:{value.count}"
    if isinstance(value, bool):
        return "true" if value else "false"
    if isinstance(value, float):
        return _format_float(value)
    if isinstance(value, str):
        if _BARE.fullmatch(value) and value.lower() not in _RESERVED:
            return value
        return '"' + re.sub(r'(["\\])', r"\\\1", value) + '"'
    return str(value)


def _format_float(value: float) -> str:
    plain = repr(value)
    scientific = f"{Decimal(plain).normalize():e}".replace("e+", "e")
    # 1e4 and 1e-4 read better than 10000.0 and 0.0001; 10.0 and 0.001 better than 1e1 and 1e-3.
    return scientific if "e" in plain or len(scientific) <= len(plain) - 2 else plain


def _mask(text: str) -> str:
    """Return text with its quoted parts blanked out, so that the remaining commas and brackets are structure.

    Raises RequestError for a character that can't be printed and for an open quotation.
    """
    if not text.isprintable():
        raise RequestError(f"{quote(text)} holds a character that cannot be printed")
    mask = _QUOTED.sub(lambda match: "_" * len(match[0]), text)
    if '"' in mask:
        raise RequestError(f"{quote(text)}: a quotation mark is not closed")
    return mask


def _parse_parameters(text: str) -> dict[str, tuple[Value | DefaultRange, ...]]:
    parameters: dict[str, tuple[Value | DefaultRange, ...]] = {}
    key = ""
    for item in split(text):
        position = _mask(item).find("=")
        if position >= 0:
            key, item = item[:position].strip(), item[position + 1 :].strip()
            if not _KEY.fullmatch(key):
                raise RequestError(f"{quote(key)} is not a parameter's name")
            if key in parameters:
                raise RequestError(f"{key} is given twice")
        if not key:
            raise RequestError(f"{quote(item)} has no key; write key={item}")
        if not item:
            raise RequestError(f"{key} has no value")
        parameters[key] = parameters.get(key, ()) + _parse_item(item)
    return parameters


def _parse_item(item: str) -> tuple[Value | DefaultRange, ...]:
    if _QUOTED.fullmatch(item):
        return (re.sub(r'\\(["\\])', r"\1", item[1:-1]),)
    if any(mark in item for mark in '"[]='):
        raise RequestError(f'{quote(item)}: text that holds one of , : = [ ] " needs quotes, as in "a,b"')
    if ":" in item:
        return _parse_range(item)
    if item.lower() in ("true", "false"):
        return (item.lower() == "true",)
    if _NOT_FINITE.fullmatch(item):
        raise RequestError(f"{quote(item)} is not a finite number")
    return (_parse_number(item) if _NUMBER.fullmatch(item) else item,)


def _parse_range(item: str) -> tuple[Value | DefaultRange, ...]:
    parts = [part.strip() for part in item.split(":")]
    if _INTEGER.fullmatch(parts[-1]) and 1 <= _parse_number(parts[-1]) <= _LARGEST_COUNT:
        count = int(parts[-1])
        if parts[:-1] == ["default"]:
            return (DefaultRange(count),)
        if len(parts) == 3 and all(_NUMBER.fullmatch(end) and _parse_number(end) > 0 for end in parts[:2]):
            return geometric(_parse_number(parts[0]), _parse_number(parts[1]), count)
    raise RequestError(
        f"{quote(item)} is not a range; accepted: start:stop:count, geometric, with start and stop above 0 "
        f"and a count from 1 to {_LARGEST_COUNT}, as in 1e-4:1e-1:4; or text in quotes"
    )


def _parse_number(text: str) -> int | float:
    if _INTEGER.fullmatch(text):
        # The length first: Python refuses to convert thousands of digits.
        if len(text) > 20 or abs(int(text)) > LARGEST_INTEGER:
            raise RequestError(f"{quote(text)} is too large an integer")
        return int(text)
    if math.isinf(float(text)):
        raise RequestError(f"{quote(text)} is too large a number")
    return float(text)
