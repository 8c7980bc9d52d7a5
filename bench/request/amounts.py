"""Amounts in a request: a duration, and counts that may be written as 1e6."""

import re

from optbench.errors import RequestError, quote
from optbench.request.grammar import parse_values

_SECONDS = {"ms": 1e-3, "s": 1.0, "min": 60.0}
#: No machine has memory for more.
_LARGEST_COUNT = 10**12
#: Fewer calls have no exact 95 % interval.
_FEWEST_REPEATS = 6
_DURATION = re.compile(r"(\d+\.?\d*(?:e[+-]?\d+)?|\.\d+)\s*(ms|s|min)?", re.ASCII)


def parse_seconds(text: str, name: str) -> float:
    """Return the seconds of a duration such as 200ms, 1s or 2min; a bare number is in seconds.

    Raises RequestError for anything else, and for more than an hour.
    """
    match = _DURATION.fullmatch(text.strip())
    seconds = float(match[1]) * _SECONDS[match[2] or "s"] if match else 0.0
    if not 0 < seconds <= 3600:
        raise RequestError(f"{name}: {quote(text)} is not accepted; accepted: 200ms, 1s, 2min, up to an hour")
    return seconds


def parse_counts(text: str, name: str) -> tuple[int, ...]:
    """Return the counts of a comma list such as 1e6,1e7, without repetitions.

    Raises RequestError for any that is no whole number from 1 to 1e12.
    """
    try:
        values = parse_values(text)
    except RequestError as error:
        raise RequestError(f"{name}: {error}; as in 1e6,1e7") from None
    counts = []
    for value in values:
        number = 0.0 if isinstance(value, bool) or not isinstance(value, int | float) else float(value)
        if not 1 <= number <= _LARGEST_COUNT or not number.is_integer():
            accepted = "whole numbers from 1 to 1e12, as in 1e6,1e7"
            raise RequestError(f"{name}: {quote(text)} is not accepted; accepted: {accepted}")
        counts.append(int(number))
    return tuple(dict.fromkeys(counts))


def check_repeats(repeats: int) -> None:
    """Raise RequestError for fewer repetitions than a 95 % interval needs."""
    if repeats < _FEWEST_REPEATS:
        raise RequestError(f"repeats: {repeats} is not accepted; accepted: 6 or more, fewer have no 95 % interval")
