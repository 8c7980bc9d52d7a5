"""Turn the axes of a grid into the points that a budget pays for. No jax: names and numbers only."""

import math
import sys
from collections.abc import Callable, Iterable, Mapping, Sequence
from hashlib import sha256
from itertools import product
from typing import Any

import numpy as np
from jaxtyping import Float

from optbench.request import RequestError
from optbench.request.grammar import geometric

Point = dict[str, Any]
#: Name of a hyperparameter, or `schedule`, -> its values, ascending.
Axes = dict[str, tuple[Any, ...]]

#: Axes whose values may be of any size; of others, which lie below 1 as momenta do, none is tried beyond.
RATES = ("learning_rate", "weight_decay")


def axes_of(points: Sequence[Point]) -> Axes:
    """Gather the values of each axis."""
    return {name: tuple(sorted({point[name] for point in points})) for name in points[0]}


def combine(axes: Mapping[str, Iterable[Any]]) -> tuple[Point, ...]:
    """Combine every value with every other, the last axis fastest."""
    return tuple(dict(zip(axes, values, strict=True)) for values in product(*axes.values()))


def grid(points: Sequence[Point], num_points: int, label: str) -> tuple[Point, ...]:
    """Give the learning rate as many geometric values between its ends as `num_points` points allow.

    Raises RequestError where the other axes alone have more points than that.
    """
    axes = axes_of(points)
    others = math.prod(len(values) for name, values in axes.items() if name != "learning_rate")
    check_budget(others, num_points, label)
    rates = axes["learning_rate"]
    low, high = min((rate for rate in rates if rate > 0), default=0.0), rates[-1]
    if low < high:
        count = num_points // others
        # One value of a range is best taken from its middle.
        rates = geometric(low, high, count) if count > 1 else geometric(low, high, 3)[1:2]
    return combine(axes | {"learning_rate": rates})


def check_budget(wanted: int, num_points: int, label: str) -> None:
    """Raise RequestError where a grid has more points than there are to be."""
    if wanted > num_points:
        raise RequestError(
            f"{label}: its grid has {wanted} points, and --trials pay for {num_points}; accepted: more trials, fewer "
            "values, or --search random, sobol or optuna"
        )


def random(points: Sequence[Point], num_points: int, seed: int, label: str) -> tuple[Point, ...]:
    """Draw points within the axes: numbers log-uniformly between the ends of their axis, text from its values."""
    shares = _generator(seed, label).random((num_points, len(points[0])))
    return _at(axes_of(points), shares)


def sobol(points: Sequence[Point], num_points: int, seed: int, label: str) -> tuple[Point, ...]:
    """Take a scrambled Sobol sequence of points within the axes, which leaves fewer gaps than drawing them.

    Source: Sobol, Distribution of points in a cube and approximate evaluation of integrals, 1967; Owen, Scrambling
    Sobol' and Niederreiter-Xing points, 1998.
    """
    from scipy.stats.qmc import Sobol

    axes = axes_of(points)
    sequence = Sobol(len(axes), scramble=True, rng=_generator(seed, label))
    # A whole power of two: scipy warns of anything else, and the first of one are a sequence too.
    shares = sequence.random_base2(math.ceil(math.log2(num_points)))[:num_points]
    return _at(axes, shares)


def _generator(seed: int, label: str) -> np.random.Generator:
    # By the optimizer's name too: all would else look at the same places of their ranges.
    return np.random.default_rng([seed, int.from_bytes(sha256(label.encode()).digest()[:8], "little")])


def _at(axes: Axes, shares: Float[np.ndarray, "point axis"]) -> tuple[Point, ...]:
    """Turn shares in [0, 1) of each axis into points, each of them once, in ascending order."""
    columns = [[_value(axes[name], share) for share in shares[:, place]] for place, name in enumerate(axes)]
    return tuple(dict(zip(axes, row, strict=True)) for row in sorted(set(zip(*columns, strict=True))))


def _value(values: Sequence[Any], share: float) -> Any:
    """Take the value at a share of an axis; where it holds 0 beside numbers above, 0 has the share of one value."""
    if isinstance(values[0], str):
        return values[int(share * len(values))]
    if values[0] < 0:
        return rounded(values[0] + share * (values[-1] - values[0]))
    positive = [value for value in values if value > 0]
    zero = (len(values) - len(positive)) / len(values)
    if share < zero or not positive:
        return 0.0
    low, high = positive[0], positive[-1]
    return rounded(low * (high / low) ** ((share - zero) / (1 - zero)))


def rounded(value: float) -> float:
    """Keep 6 significant digits, so that a value can be typed again."""
    return float(f"{value:.6g}")


def widen(points: Sequence[Point], winner: Point) -> tuple[Point, ...] | None:
    """Lengthen each axis on whose end the winner lies by half as many values (2 at least), as far apart as its last.

    None where there is nothing to lengthen.
    """
    axes = axes_of(points)
    longer = {name: (*values, *_beyond(name, values, winner[name])) for name, values in axes.items()}
    if all(len(longer[name]) == len(axes[name]) for name in axes):
        return None
    return combine({name: sorted(values) for name, values in longer.items()})


def _beyond(name: str, values: Sequence[Any], chosen: Any) -> list[float]:
    """Say which values an axis gets beyond the end on which the chosen one lies."""
    if len(values) < 2 or isinstance(chosen, str) or values[0] < 0 or chosen not in (values[0], values[-1]):
        return []
    # 0 is no end: nothing lies beyond it. Beside a single positive value it says nothing of spacing: take 10.
    end, beside = (values[-1], values[-2]) if chosen == values[-1] else (values[0], values[1])
    if end == 0:
        return []
    ratio = end / beside if beside else 10.0
    found = [_tidy(end * ratio**index) for index in range(1, max(2, len(values) // 2) + 1)]
    bounded = name not in RATES and values[-1] < 1
    return [value for value in found if 0 < value < math.inf and not (bounded and value >= 1)]


def _tidy(value: float) -> float:
    """Drop the digits that rounding left, and no others: a grid is to stay evenly spaced when it is widened again."""
    return rounded(value) if math.isclose(rounded(value), value, rel_tol=1e-9) else float(f"{value:.12g}")


def ask(
    points: Sequence[Point],
    num_points: int,
    width: int,
    seed: int,
    label: str,
    measure: Callable[[tuple[Point, ...]], Float[np.ndarray, " point"]],
) -> None:
    """Let optuna's TPE choose points within the axes, `width` at a time, and tell it what each of them scored.

    `measure` takes the points of one round and returns their scores, lower is better, infinity where they diverged.
    Source: Bergstra, Bardenet, Bengio, Kegl, Algorithms for hyper-parameter optimization, 2011.
    """
    import optuna

    optuna.logging.set_verbosity(optuna.logging.WARNING)
    axes = axes_of(points)
    study = optuna.create_study(sampler=optuna.samplers.TPESampler(seed=int(_generator(seed, label).integers(2**31))))
    for first in range(0, num_points, width):
        trials = [study.ask() for _ in range(min(width, num_points - first))]
        chosen = tuple({name: _suggested(trial, name, axes[name]) for name in axes} for trial in trials)
        for trial, score in zip(trials, measure(chosen), strict=True):
            # TPE looks at the order of scores alone, so any number above all others says that a point diverged.
            study.tell(trial, min(float(score), sys.float_info.max))


def _suggested(trial: Any, name: str, values: Sequence[Any]) -> Any:
    if len(values) == 1:
        return values[0]
    if isinstance(values[0], str):
        return trial.suggest_categorical(name, values)
    if values[0] < 0:
        return rounded(trial.suggest_float(name, values[0], values[-1]))
    positive = [value for value in values if value > 0]
    if len(positive) < len(values) and trial.suggest_categorical(f"{name} is 0", (False, True)):
        return 0.0
    return rounded(trial.suggest_float(name, positive[0], positive[-1], log=True))
