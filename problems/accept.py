"""Checks of a factory's parameters: each raises ValueError with the name, the value and what is accepted."""

import math
from typing import Any


def refuse(name: str, value: object, accepted: str) -> ValueError:
    """Return the error for a value that is not accepted."""
    return ValueError(f"{name}={value!r} is not accepted: expected {accepted}")


def whole(name: str, value: Any, low: int = 1) -> None:
    """Accept whole numbers from `low` on. Raises ValueError for others."""
    if not isinstance(value, int) or isinstance(value, bool) or value < low:
        raise refuse(name, value, f"a whole number, at least {low}")


def number(name: str, value: Any, low: float = 0.0, below: float = math.inf) -> None:
    """Accept finite numbers in [low, below). Raises ValueError for others."""
    if not (_is_finite(value) and low <= value < below):
        upper = "" if below == math.inf else f" and below {below:g}"
        raise refuse(name, value, f"a number, at least {low:g}{upper}")


def positive(name: str, value: Any) -> None:
    """Accept finite numbers above 0. Raises ValueError for others."""
    if not (_is_finite(value) and value > 0):
        raise refuse(name, value, "a number above 0")


def flag(name: str, value: Any) -> None:
    """Accept true and false. Raises ValueError for others."""
    if not isinstance(value, bool):
        raise refuse(name, value, "true or false")


def choice(name: str, value: Any, options: tuple[str, ...]) -> None:
    """Accept one of `options`. Raises ValueError for others."""
    if value not in options:
        raise refuse(name, value, f"one of {', '.join(options)}")


def _is_finite(value: Any) -> bool:
    return isinstance(value, int | float) and not isinstance(value, bool) and math.isfinite(value)
