"""Records as JSON holds them: fields read by name and checked by type, one object kept of each text."""

from collections.abc import Mapping
from dataclasses import MISSING, fields
from functools import cache
from sys import intern
from types import NoneType
from typing import Any, NamedTuple, TypeVar

#: What JSON holds for a field of a type.
KINDS = {
    int: int,
    bool: bool,
    str: str,
    float: (int, float),
    float | None: (int, float, NoneType),
    int | None: (int, NoneType),
    int | str | None: (int, str, NoneType),
    tuple[str, ...]: list,
    tuple[str, ...] | bool: (list, bool),
    tuple[float, ...]: list,
    Mapping[str, Any]: dict,
    Mapping[str, str]: dict,
    Mapping[str, float]: dict,
    Mapping[str, bool | None]: dict,
    Mapping[str, float | str]: dict,
}

Record = TypeVar("Record")


class Accepted(NamedTuple):
    """What JSON holds for a field, and whether it may lack it."""

    kinds: type | tuple[type, ...]
    lacking: bool


def read_record(kind: type[Record], values: Mapping[str, Any], **chosen: Any) -> Record:
    """Return a record of a dataclass by what JSON says, and by `chosen`, fields that are taken as they are.

    A field that is lacking takes its default, and what is no field is left out. Raises KeyError for a field without a
    default, TypeError for a value of another type.
    """
    for name, accepted in _fields(kind).items():
        if name in chosen or (accepted.lacking and name not in values):
            continue
        value = values[name]
        if not isinstance(value, accepted.kinds):
            raise TypeError(f"{name}: {value!r} is not accepted")
        chosen[name] = _shared(value)
    return kind(**chosen)


def plain_record(record: Any) -> dict[str, Any]:
    """Return a record as JSON holds it, in the order of its fields."""
    values = {field.name: getattr(record, field.name) for field in fields(record)}
    return {name: [*value] if isinstance(value, tuple) else value for name, value in values.items()}


@cache
def _fields(kind: type) -> dict[str, Accepted]:
    """Look up what is accepted once for thousands of records. A field of a type that is not in KINDS can't be read."""
    return {
        field.name: Accepted(
            KINDS.get(field.type, ()), field.default is not MISSING or field.default_factory is not MISSING
        )
        for field in fields(kind)
    }


def _shared(value: Any) -> Any:
    """Keep one object of each text: the names in a record are those in all others, and half of what it takes."""
    if isinstance(value, str):
        return intern(value)
    if isinstance(value, dict):
        return {intern(name): _shared(inner) for name, inner in value.items()}
    return tuple(map(_shared, value)) if isinstance(value, list) else value
