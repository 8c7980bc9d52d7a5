"""When a target counts as reached: from there on most of what was measured meets it, to the end.

Without jax: tables count with it too.
"""

import numpy as np
from jaxtyping import Bool, Int

#: Records that a running median spans: a share of the curve, and where there are so many at least a few. By simulation
#: of `noisy_quadratic`, whose expected loss is known, such a span counts alike on 50 and on 500 records (318 and 320
#: steps where 289 are expected); the first touch comes after 212 and 175.
SPAN, FEWEST = 0.05, 5


def half_span(num: int) -> int:
    """Return the records on each side of a running median's middle, on a curve of so many records."""
    return max(round(SPAN * num), FEWEST) // 2


def reached(
    met: Bool[np.ndarray, "trial record"], lengths: Int[np.ndarray, " trial"] | None = None
) -> Int[np.ndarray, " trial"]:
    """Return the first record of each trial from which on its running median meets a target; -1 if there is none.

    `met`: whether a record does. Of an odd number of records the median meets it where most of them do. Spans are
    shorter towards the ends of a curve, so that a trial that ends beyond the target never reaches it, and one that
    only approaches it reaches it where it first meets it. `lengths`: records of each trial; None: all.
    """
    lasts = np.full(len(met), met.shape[1] - 1) if lengths is None else lengths - 1
    first = np.full(len(met), -1)
    # Only of trials that end within the target the way there matters.
    ending = np.flatnonzero((lasts >= 0) & met[np.arange(len(met)), lasts])
    for last in np.unique(lasts[ending]).tolist():
        trials = ending[lasts[ending] == last]
        first[trials] = _first_lasting(met[trials, : last + 1])
    return first


def _first_lasting(met: Bool[np.ndarray, "trial record"]) -> Int[np.ndarray, " trial"]:
    """Return `reached` of trials that all end within the target."""
    num = met.shape[1]
    records = np.arange(num)
    reach = np.minimum(min(half_span(num), num), np.minimum(records, num - 1 - records))
    counts = np.zeros((len(met), num + 1), np.int32)
    np.cumsum(met, axis=1, out=counts[:, 1:])
    missed = counts[:, records + reach + 1] - counts[:, records - reach] <= reach
    return np.where(missed.any(axis=1), num - np.argmax(missed[:, ::-1], axis=1), 0)
