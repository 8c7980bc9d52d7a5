"""Amounts in a request: a duration, and counts that may be written as 1e6."""

import re

from bench.request.errors import RequestError, quote
from bench.request.grammar import parse_values

_SECONDS = {"ms": 1e-3, "s": 1.0, "min": 60.0}
_DURATION = re.compile(r"(\d+\.?\d*(?:e[+-]?\d+)?|\.\d+)\s*(ms|s|min)?", re.ASCII)


def parse_seconds(text: str, name: str) -> float:
    """Read a duration such as 200ms, 1s or 2min; a bare number is in seconds."""
    read = _DURATION.fullmatch(text.strip())
    seconds = float(read[1]) * _SECONDS[read[2] or "s"] if read else 0.0
    if not 0 < seconds <= 3600:
        raise RequestError(f"{name}: {quote(text)} is not accepted; accepted: 200ms, 1s, 2min, up to an hour")
    return seconds


def parse_counts(text: str, name: str) -> tuple[int, ...]:
    """Read a comma list of counts of at least 1, such as 1e6,1e7 or 1e6:1e8:3."""
    values = parse_values(text)
    counts = []
    for value in values:
        if isinstance(value, bool) or not isinstance(value, int | float) or value < 1 or value != int(value):
            raise RequestError(f"{name}: {quote(text)} is not accepted; accepted: whole numbers >= 1, as in 1e6,1e7")
        counts.append(int(value))
    return tuple(dict.fromkeys(counts))
