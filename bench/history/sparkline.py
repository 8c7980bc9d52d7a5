"""A series as a line of text."""

import numpy as np
from jaxtyping import Float

BARS = "▁▂▃▄▅▆▇█"
#: Entries that are shown, the newest.
LONGEST = 30
#: Differences of less than that share are none.
LEAST = 1e-3


def sparkline(values: Float[np.ndarray, " entry"]) -> str:
    """Draw a series in the logarithm: a bar an entry, a cross for infinity, a blank for what isn't known."""
    shown = np.asarray(values, dtype=float)[-LONGEST:]
    positive = shown[np.isfinite(shown) & (shown > 0)]
    low, high = (np.log(positive.min()), np.log(positive.max())) if len(positive) else (0.0, 0.0)
    return "".join(_bar(value, low, high) for value in shown)


def _bar(value: float, low: float, high: float) -> str:
    if np.isnan(value):
        return " "
    if np.isposinf(value):
        return "×"
    if value <= 0:
        return BARS[0]
    share = 0.5 if high - low < LEAST else (np.log(value) - low) / (high - low)
    return BARS[min(int(share * len(BARS)), len(BARS) - 1)]
