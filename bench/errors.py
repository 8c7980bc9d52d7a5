"""Errors that end in one line: a mistake in a request, a file that can't be read or written."""

import difflib
from collections.abc import Iterable
from typing import Any

_MANY = 12
_LONG = 80


class RequestError(ValueError):
    """A mistake in what was asked; its text is one line."""


class StoreError(Exception):
    """A file that can't be read or written; its text is one line."""


def refused(name: str, value: Any, accepted: str) -> RequestError:
    """Return the error that says what was given, and what is accepted in its place."""
    return RequestError(f"{name}: {value} is not accepted; accepted: {accepted}")


def check_name(name: str, accepted: Iterable[str], noun: str) -> None:
    """Raise RequestError, with the nearest match, where a name is none of those accepted, which are told in order."""
    names = list(accepted)
    if name not in names:
        raise RequestError(f"unknown {noun} {name!r}{_closest(name, names)} accepted: {', '.join(names)}")


def nearest(name: str, accepted: Iterable[str]) -> str:
    """Return the tail of a message: the accepted name that is closest, and what else is accepted."""
    names = sorted(set(accepted))
    if not names:
        return "; none is accepted here"
    more = f", ... ({len(names)} in all)" if len(names) > _MANY else ""
    return f"{_closest(name, names)} accepted: {', '.join(names[:_MANY])}{more}"


def _closest(name: str, accepted: Iterable[str]) -> str:
    lowered = {known.lower(): known for known in accepted}
    close = difflib.get_close_matches(name[:_LONG].lower(), lowered, n=1)
    return f"; did you mean {lowered[close[0]]!r}?" if close else ";"


def quote(value: Any) -> str:
    """Show a value as given, on one line and not at length; of a long path both ends tell."""
    text = repr(value)
    return text if len(text) <= _LONG else f"{text[: _LONG // 2]}...{text[-_LONG // 2 :]}"


def one_line(error: BaseException) -> str:
    """Say what an exception is and the first line of what it says."""
    return f"{type(error).__name__}: {(str(error).strip().splitlines() or [''])[0]}"


def reason(error: Exception) -> str:
    """Say in one line what an error says, or what it is where it says nothing."""
    text = getattr(error, "strerror", None) or str(error) or type(error).__name__
    return " ".join(str(text).split())
