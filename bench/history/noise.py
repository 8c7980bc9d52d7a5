"""How much a measure varies between entries of one version on one machine: what a change has to exceed."""
# pyarrow makes these functions when it is imported.
# pyright: reportAttributeAccessIssue=false

from collections.abc import Iterable
from math import pi, sqrt
from typing import Any, NamedTuple

import numpy as np
import pyarrow as pa
import pyarrow.compute as pc

from optbench.history import schema
from optbench.history.filters import distinct, where

#: Beside a series' own repeats its deviation counts so many of the average series of its measure and machine.
PRIOR = 4.0
#: Columns that noise is estimated from.
NEEDED = ("entry", "machine", "commit", *schema.SERIES, "key", "value", "least")
#: Chance that any of the rows of a check exceeds its noise by chance, one way or the other: a build fails by it.
LEVEL = 0.01

Key = tuple[Any, ...]


class Noise(NamedTuple):
    """Standard deviation of the logarithm of a value between entries of one version, and its degrees of freedom."""

    deviation: float
    freedom: float

    def threshold(self, before: int, now: int, rows: int) -> float:
        """Compute the logarithm of a ratio that none of so many rows exceeds by chance, in 99 % of all checks.

        Between the medians of so many entries before and now. Source: Smyth, Linear models and empirical Bayes methods
        for assessing differential expression in microarray experiments, 2004: the moderated t, with fewer degrees of
        freedom.
        """
        from scipy.special import stdtrit

        # The median of several varies by pi/2 as much as their mean, in squares.
        spread = sqrt(sum(min(num, pi / 2) / num for num in (before, now)))
        return float(stdtrit(self.freedom, 1 - LEVEL / 2 / max(rows, 1))) * self.deviation * spread


NONE = Noise(0.0, 0.0)


def noises(rows: pa.Table, kinds: Iterable[str], by_machine: bool) -> dict[Key, Noise]:
    """Estimate the noise of each series of some kinds of measures, where some version was added twice.

    By (machine, *series), where each leans on the others of its measure, and by (machine, measure) for those that have
    no repeats; without `by_machine` by ("", *series) alone.
    """
    groups = _repeats(rows, kinds, by_machine)
    ss, freedom = (np.asarray(groups[name], dtype=float) for name in ("ss", "freedom"))
    series = [tuple(row[name] for name in _NAMES) for row in groups.select(_NAMES).to_pylist()]
    own, pooled = _sums(series, ss, freedom), _sums([(key[0], key[-1]) for key in series], ss, freedom)
    noise: dict[Key, Noise] = {}
    for key, (total, count) in own.items():
        alike = (key[0], key[-1])
        average = np.divide(*pooled[alike]) if by_machine else 0.0
        prior = PRIOR if by_machine else 0.0
        # No more degrees of freedom than repeats: what slowed down one series of an entry slowed down them all.
        noise[key] = Noise(sqrt((total + prior * average) / (count + prior)), count)
        if by_machine and count > noise.get(alike, NONE).freedom:
            # A series without repeats of its own has the noise of the average one.
            noise[alike] = Noise(sqrt(average), count)
    return noise


_NAMES = ["machine", *schema.SERIES]


def _repeats(rows: pa.Table, kinds: Iterable[str], by_machine: bool) -> pa.Table:
    """Gather the entries of one version of one series: their squared deviations and degrees of freedom."""
    wanted = [name for name in distinct(rows, "measure") if schema.measure_of(name).kind in {*kinds}]
    rows = where(rows, "measure", wanted)
    value = pc.max_element_wise(rows["value"], rows["least"])
    known = pc.and_(pc.is_finite(value), pc.greater(value, 0))
    # Benchmarks that were imported have no key: their commit stands for it.
    version = pc.fill_null(pc.coalesce(rows["key"], rows["commit"]), "")
    machine = rows["machine"] if by_machine else pa.repeat("", rows.num_rows)
    series = {name: rows[name] for name in schema.SERIES}
    table = pa.table({"machine": machine, **series, "version": version, "log": pc.ln(value)})
    table = table.filter(pc.and_(known, pc.not_equal(version, "")))
    options = pc.VarianceOptions(ddof=1)
    groups = table.group_by([*_NAMES, "version"]).aggregate([("log", "variance", options), ("log", "count")])
    groups = groups.filter(pc.greater(groups["log_count"], 1))
    freedom = pc.cast(pc.subtract(groups["log_count"], 1), pa.float64())
    squares = pc.multiply(groups["log_variance"], freedom)
    return groups.append_column("freedom", freedom).append_column("ss", squares)


def _sums(keys: list[Key], ss: np.ndarray, freedom: np.ndarray) -> dict[Key, tuple[float, float]]:
    sums: dict[Key, tuple[float, float]] = {}
    for key, squares, degrees in zip(keys, ss.tolist(), freedom.tolist(), strict=True):
        total, count = sums.get(key, (0.0, 0.0))
        sums[key] = (total + squares, count + degrees)
    return sums
