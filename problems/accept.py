"""Check what a factory was given: each check raises ValueError that says what is accepted."""

import math
from typing import Any


def refuse(name: str, value: object, accepted: str) -> ValueError:
    return ValueError(f"{name}={value!r} is not accepted: expected {accepted}")


def whole(name: str, value: Any, low: int = 1) -> None:
    if not isinstance(value, int) or isinstance(value, bool) or value < low:
        raise refuse(name, value, f"a whole number, at least {low}")


def number(name: str, value: Any, low: float = 0.0, below: float = math.inf) -> None:
    """Accept finite numbers in [low, below)."""
    if not (_is_finite(value) and low <= value < below):
        upper = "" if below == math.inf else f" and below {below:g}"
        raise refuse(name, value, f"a number, at least {low:g}{upper}")


def positive(name: str, value: Any) -> None:
    if not (_is_finite(value) and value > 0):
        raise refuse(name, value, "a number above 0")


def flag(name: str, value: Any) -> None:
    if not isinstance(value, bool):
        raise refuse(name, value, "true or false")


def choice(name: str, value: Any, options: tuple[str, ...]) -> None:
    if value not in options:
        raise refuse(name, value, f"one of {', '.join(options)}")


def _is_finite(value: Any) -> bool:
    return isinstance(value, int | float) and not isinstance(value, bool) and math.isfinite(value)
