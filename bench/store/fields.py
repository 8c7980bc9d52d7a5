"""Records as JSON holds them: fields read by name and checked by type, one object kept of each text."""

from collections.abc import Mapping
from dataclasses import MISSING, Field, fields
from functools import cache
from sys import intern
from types import NoneType
from typing import Any, TypeVar

#: What JSON holds for a field of a type.
KINDS = {
    int: int,
    bool: bool,
    str: str,
    float: (int, float),
    float | None: (int, float, NoneType),
    int | str | None: (int, str, NoneType),
    tuple[str, ...]: list,
    tuple[float, ...]: list,
    Mapping[str, Any]: dict,
    Mapping[str, float]: dict,
    Mapping[str, bool | None]: dict,
    Mapping[str, float | str]: dict,
}

Record = TypeVar("Record")


def read_record(kind: type[Record], values: Mapping[str, Any], **others: Any) -> Record:
    """Return a record of a dataclass by what JSON says, and by `others`, which are taken as they are.

    A field that is lacking takes its default, and what is no field is left out. Raises KeyError for a field without a
    default, TypeError for a value of another type.
    """
    wanted = [(name, field) for name, field in _fields(kind).items() if name not in others]
    needed = {name for name, field in wanted if field.default is MISSING and field.default_factory is MISSING}
    chosen = {name: _checked(field, values[name]) for name, field in wanted if name in values or name in needed}
    return kind(**chosen, **others)


def plain_record(record: Any) -> dict[str, Any]:
    """Return a record as JSON holds it, in the order of its fields."""
    values = {name: getattr(record, name) for name in _fields(type(record))}
    return {name: [*value] if isinstance(value, tuple) else value for name, value in values.items()}


@cache
def _fields(kind: type) -> dict[str, Field]:
    return {field.name: field for field in fields(kind)}


def _checked(field: Field, value: Any) -> Any:
    """Return a value of JSON as a record holds it. Raises TypeError where it is none of the field's type."""
    if not isinstance(value, KINDS[field.type]):
        raise TypeError(f"{field.name}: {value!r} is no {field.type}")
    return _shared(value)


def _shared(value: Any) -> Any:
    """Keep one object of each text: the names in a record are those in all others, and half of what it takes."""
    if isinstance(value, dict):
        return {intern(name): _shared(inner) for name, inner in value.items()}
    if isinstance(value, list):
        return tuple(map(_shared, value))
    return intern(value) if isinstance(value, str) else value
