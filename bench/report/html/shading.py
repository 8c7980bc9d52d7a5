"""How near each number of a table is to the best of its group: what shades its cells."""

import math
from collections.abc import Mapping, Sequence
from typing import Any, NamedTuple

#: Columns in which less is better, whatever the problem.
LESS = (
    *("train_loss", "gap", "test_loss", "steps_to_target", "gradients_to_target"),
    *("examples_to_target", "time_to_target", "step_seconds"),
    *("distance", "mean_rank", "state_bytes_per_parameter", "ert_steps", "ert_gradients", "ert_seconds"),
)
#: Shares of which more is better: what counts is how much is missing to 1.
SHARES = ("test_accuracy",)
#: Columns within which numbers can be compared, where a table has them.
GROUPS = ("problem", "target")


class Near(NamedTuple):
    """The ratio of a number to the best of its group; `strength` goes from 1 for the best towards 0."""

    ratio: float
    strength: float


def near(records: Sequence[Mapping[str, Any]], column: str, groups: Sequence[str] = GROUPS) -> list[Near | None]:
    """Compare each number of a column with the best of its group; None if they have no ratio.

    Numbers below zero have no ratio, and beside a best of 0 only another 0 is near.
    """
    if column not in (*LESS, *SHARES):
        return [None] * len(records)
    costs = [_cost(record.get(column), column) for record in records]
    keys = [tuple(str(record.get(name)) for name in groups) for record in records]
    best: dict[tuple[str, ...], float] = {}
    for key, cost in zip(keys, costs, strict=True):
        if cost is not None:
            best[key] = min(best.get(key, math.inf), cost)
    alone = {key for key in keys if keys.count(key) == 1}
    return [
        None if cost is None or key in alone else _near(cost, best[key]) for key, cost in zip(keys, costs, strict=True)
    ]


def _cost(value: Any, column: str) -> float | None:
    if isinstance(value, bool) or not isinstance(value, int | float) or math.isnan(value):
        return None
    return 1 - value if column in SHARES else float(value)


def _near(cost: float, best: float) -> Near | None:
    if best < 0 or not math.isfinite(cost) or (best == 0 and cost > 0):
        return None
    ratio = 1.0 if cost == best else cost / best
    # Half for twice the best, a third for four times, a tenth for 500 times.
    return Near(ratio, 1 / (1 + math.log2(ratio)))
