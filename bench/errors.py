"""Errors that end in one line: a mistake in a request, a file that can't be read or written."""

import difflib
from collections.abc import Iterable
from typing import Any

_MANY = 12
_LONG = 80


class RequestError(ValueError):
    """A mistake in a request; its text is one line."""


class PluginError(Exception):
    """A mistake in a user's code; its text is one line."""


class StoreError(Exception):
    """A file that can't be read or written; its text is one line."""


def refused(name: str, value: Any, accepted: str) -> RequestError:
    """Return the error for a value that is not accepted, with what is accepted in its place."""
    return RequestError(f"{name}: {value} is not accepted; accepted: {accepted}")


def check_name(name: str, accepted: Iterable[str], noun: str) -> None:
    """Check a name; raises RequestError, with the nearest match and the accepted names in order, for an unknown one."""
    names = list(accepted)
    if name not in names:
        raise RequestError(f"unknown {noun} {name!r}{_closest(name, names)} accepted: {', '.join(names)}")


def nearest(name: str, accepted: Iterable[str]) -> str:
    """Return the tail of a message: the closest accepted name, and the first of all accepted ones."""
    names = sorted(set(accepted))
    if not names:
        return "; none is accepted here"
    more = f", ... ({len(names)} in all)" if len(names) > _MANY else ""
    return f"{_closest(name, names)} accepted: {', '.join(names[:_MANY])}{more}"


def _closest(name: str, accepted: Iterable[str]) -> str:
    by_lower_case = {spelling.lower(): spelling for spelling in accepted}
    matches = difflib.get_close_matches(name[:_LONG].lower(), by_lower_case, n=1)
    return f"; did you mean {by_lower_case[matches[0]]!r}?" if matches else ";"


def quote(value: Any) -> str:
    """Return a value's repr on one line; a long one keeps both ends, which tell paths apart."""
    text = repr(value)
    return text if len(text) <= _LONG else f"{text[: _LONG // 2]}...{text[-_LONG // 2 :]}"


def one_line(error: BaseException) -> str:
    """Return an exception's type and the first line of its message; of a mistake in a user's code its text alone."""
    if isinstance(error, PluginError):
        return str(error)
    return f"{type(error).__name__}: {(str(error).strip().splitlines() or [''])[0]}"


def reason(error: Exception) -> str:
    """Return an error's message on one line, or its type if it has none."""
    text = getattr(error, "strerror", None) or str(error) or type(error).__name__
    return " ".join(str(text).split())
