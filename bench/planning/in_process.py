"""Functions and objects that are handed over from Python in place of text: optimizers=[make]."""

import functools
import inspect
import os
import re
import sys
from collections.abc import Callable, Iterator, Mapping
from dataclasses import fields, is_dataclass
from hashlib import sha256
from pathlib import Path
from types import BuiltinFunctionType, CodeType, FunctionType, ModuleType
from typing import Any

import numpy as np

from optbench.errors import RequestError
from optbench.optimizers.optimizer import Optimizer
from optbench.planning.plugin_sources import Sources, is_users, sources_of

#: What the text of a plug-in begins with that is no text.
_PREFIX = "python."
#: Text -> what was handed over; the last one of a name, as in a notebook whose cell runs again.
_values: dict[str, Any] = {}


def as_specs(entries: Any, noun: str, taken: Callable[[str], bool]) -> list[Any]:
    """Return the entries of a suite's "optimizers" or "problems" with text in place of functions.

    Names for which `taken` holds are another's.
    A mapping gives names: {"Cautious": make}. Raises RequestError for what is neither text nor a function.
    """
    names: dict[str, Any] = {}

    def text_of(value: Any) -> str:
        if isinstance(value, str):
            return value
        name = _own_name(value, names)
        names[name] = value
        text = f"{_PREFIX}{noun}:{name}"
        _values[text] = value
        return f"{name} (own)={text}" if taken(name) else f"{name}={text}"

    def entry_of(entry: Any) -> Any:
        if isinstance(entry, Mapping):
            return {**entry, "spec": text_of(entry["spec"])} if "spec" in entry else entry
        return entry if hasattr(entry, "spec") else text_of(entry)

    if isinstance(entries, Mapping) and "spec" not in entries:
        texts = {label: text_of(value) for label, value in entries.items()}
        return [f"{label}={text.rpartition('=')[2] if _PREFIX in text else text}" for label, text in texts.items()]
    return [entry_of(entry) for entry in (entries if isinstance(entries, list) else [entries])]


def _own_name(value: Any, names: Mapping[str, Any]) -> str:
    """Return a name for a function that no other has. Raises RequestError for what is no function."""
    if not callable(value) and not isinstance(value, Optimizer):
        raise RequestError(
            f"{type(value).__name__} is not accepted here; accepted: a name, ./file.py:make, or a function, as in "
            "lambda learning_rate: optax.adam(learning_rate)"
        )
    name, number = _name_of(value), 1
    numbered = name
    while names.get(numbered, value) is not value:
        number += 1
        numbered = f"{name} {number}"
    return numbered


def _name_of(value: Any) -> str:
    value = value.build if isinstance(value, Optimizer) else value
    while isinstance(value, functools.partial):
        value = value.func
    return re.sub(r"\W", "", getattr(value, "__name__", type(value).__name__)) or "function"


def is_in_process(text: str) -> bool:
    """Return whether a plug-in's text stands for what was handed over from Python."""
    return text.startswith(_PREFIX)


def handed_over(text: str) -> tuple[Any, Sources, tuple[str, ...]]:
    """Return what a text stands for, what its code consists of, and a digest of all that it holds.

    Raises RequestError in a process that it wasn't handed over to.
    """
    if text not in _values:
        raise RequestError(f"{text} is a function that another process was handed; accepted here: ./file.py:make")
    value = _values[text]
    return value, _sources(value), (sha256("\n".join(_identity(value, set())).encode()).hexdigest(),)


def _sources(value: Any) -> Sources:
    function = value.build if isinstance(value, Optimizer) else value
    while isinstance(function, functools.partial):
        function = function.func
    function = inspect.unwrap(function)
    try:
        path = Path(inspect.getsourcefile(function) or "").resolve()
    except (OSError, TypeError):
        path = Path()
    if not path.is_file():
        # Typed into an interpreter or a notebook.
        return Sources({}, frozenset(), {})
    return sources_of(function.__module__, path, path.parent)


def _identity(value: Any, seen: set[int]) -> Iterator[str]:
    """Write all that a value's behaviour depends on: of a function its code, and what it reads outside of it."""
    if isinstance(value, int | float | complex | str | bytes | None):
        yield repr(value)
        return
    if id(value) in seen:
        return
    seen.add(id(value))
    yield type(value).__name__
    if isinstance(value, FunctionType):
        yield from _function_identity(value, seen)
    elif isinstance(value, ModuleType):
        yield value.__name__
    elif isinstance(value, type | BuiltinFunctionType):
        yield f"{value.__module__}.{value.__qualname__}"
    elif isinstance(value, functools.partial):
        yield from _identity([value.func, value.args, value.keywords], seen)
    elif isinstance(value, Mapping):
        yield from (text for item in value.items() for text in _identity(item, seen))
    elif isinstance(value, list | tuple):
        yield from (text for item in value for text in _identity(item, seen))
    elif is_dataclass(value):
        yield from _identity([getattr(value, field.name) for field in fields(value)], seen)
    elif hasattr(value, "__array__"):
        yield _array_identity(np.asarray(value))
    elif hasattr(value, "__dict__"):
        yield from _identity(vars(value), seen)
    else:
        # What can't be told from another is trained anew each time.
        yield os.urandom(16).hex()


def _function_identity(function: FunctionType, seen: set[int]) -> Iterator[str]:
    yield f"{function.__module__}.{function.__qualname__}"
    module = sys.modules.get(function.__module__)
    file = getattr(module, "__file__", None)
    if file is not None and not is_users(Path(file).resolve()):
        return
    yield from _code_identity(function.__code__)
    closure = [cell.cell_contents for cell in function.__closure__ or ()]
    outside = [function.__globals__[name] for name in _names(function.__code__) if name in function.__globals__]
    yield from _identity([function.__defaults__, function.__kwdefaults__, closure, outside], seen)


def _code_identity(code: CodeType) -> Iterator[str]:
    yield code.co_code.hex()
    yield repr(code.co_names)
    for constant in code.co_consts:
        yield from _code_identity(constant) if isinstance(constant, CodeType) else [repr(constant)]


def _names(code: CodeType) -> Iterator[str]:
    yield from code.co_names
    for constant in code.co_consts:
        if isinstance(constant, CodeType):
            yield from _names(constant)


def _array_identity(array: np.ndarray) -> str:
    values = repr(array.tolist()).encode() if array.dtype.hasobject else array.tobytes()
    return f"{array.dtype} {array.shape} {sha256(values).hexdigest()}"
