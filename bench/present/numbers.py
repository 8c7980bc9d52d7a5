"""Numbers as people read them: as many digits as say something, and the same in a column."""

import math
from collections.abc import Sequence
from typing import Any

#: Significant digits of a number without an interval.
DIGITS = 3
#: Numbers from the first up to below the second are written without a power of ten.
PLAIN = (1e-3, 1e7)
#: Columns whose numbers are within such a factor share their decimals.
SHARED = 100.0


def number_texts(values: Sequence[Any], name: str = "") -> list[str]:
    """Return the texts of a column's values; numbers that are not whole share their decimals if they are alike."""
    sizes = [abs(value) for value in values if isinstance(value, float) and math.isfinite(value) and value]
    alike = sizes and PLAIN[0] <= min(sizes) and max(sizes) < 1000 and max(sizes) < SHARED * min(sizes)
    decimals = _decimals(sizes) if alike else None
    return [_text(value, name, decimals) for value in values]


def _decimals(sizes: Sequence[float]) -> int:
    """Return the decimals that show DIGITS of the largest number; fewer, where the last ones are zero in all."""
    decimals = max(0, DIGITS - 1 - math.floor(math.log10(max(sizes))))
    while decimals and all(round(size, decimals) == round(size, decimals - 1) for size in sizes):
        decimals -= 1
    return decimals


def _text(value: Any, name: str, decimals: int | None) -> str:
    if value is None or (isinstance(value, float) and math.isnan(value)):
        return "-"
    if isinstance(value, bool):
        return "yes" if value else ""
    if isinstance(value, list | tuple):
        return ", ".join(_text(item, name, None) for item in value)
    if isinstance(value, float):
        if math.isinf(value):
            return _infinity(value, name)
        return significant(value) if decimals is None else f"{value + 0.0:.{decimals}f}"
    return clean(str(value))


def _infinity(value: float, name: str) -> str:
    """Return what an infinite number of a column means."""
    if value > 0 and name.endswith("_to_target"):
        return "never"
    return "diverged" if value > 0 and (name.endswith("_loss") or name == "gap") else str(value)


def significant(value: float, digits: int = DIGITS) -> str:
    """Return a number with so many significant digits: whole ones in full, very small and large ones as powers."""
    size = abs(value)
    if not size:
        return "0"
    if 1000 <= size < PLAIN[1]:
        return f"{value:.0f}"
    text = f"{value:.{digits}g}"
    if "e" not in text and size < PLAIN[0]:
        text = f"{value:.{digits - 1}e}"
    mantissa, _, exponent = text.partition("e")
    if "." in mantissa and exponent:
        mantissa = mantissa.rstrip("0").rstrip(".")
    return f"{mantissa}e{int(exponent)}" if exponent else text


def interval_text(value: Any, low: Any, high: Any, text: str) -> str:
    """Return a number and its interval with two digits of the interval's width; `text` where there is none."""
    ends = (value, low, high)
    if any(end is None or math.isnan(end) for end in ends) or low == high:
        return text
    finite = [end for end in ends if math.isfinite(end)]
    width = high - low
    sizes = [abs(end) for end in finite if end]
    if not sizes or max(sizes) < 10 * PLAIN[0] or max(sizes) >= PLAIN[1] or not math.isfinite(width):
        texts = [significant(end, 2) if math.isfinite(end) else str(end) for end in ends]
    else:
        decimals = max(0, 1 - math.floor(math.log10(width)))
        texts = [f"{end + 0.0:.{decimals}f}" for end in ends]
    return f"{texts[0]} [{texts[1]}, {texts[2]}]"


def clean(text: str) -> str:
    """Return a text with blanks for line breaks and terminal escapes."""
    return text if text.isprintable() else "".join(mark if mark.isprintable() else " " for mark in text)
