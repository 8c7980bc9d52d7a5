"""The space that a strategy searches: axes with their values, and points within them."""

from collections.abc import Iterable, Mapping, Sequence
from hashlib import sha256
from itertools import product
from typing import TYPE_CHECKING, Any, NamedTuple

if TYPE_CHECKING:
    import numpy as np
    from jaxtyping import Float

#: Name of a hyperparameter, or `schedule`, -> its value.
Point = dict[str, Any]
#: Name of a hyperparameter, or `schedule`, -> its values, ascending.
Axes = dict[str, tuple[Any, ...]]


class Space(NamedTuple):
    """What points are chosen from, and how many of them."""

    #: Those that were asked for: their values span the axes.
    points: Sequence[Point]
    #: How many points may be chosen.
    budget: int
    seed: int
    #: The optimizer's: all would else look at the same positions within their ranges.
    label: str
    #: The learning rates were listed one by one, and stay as they are.
    fixed_rates: bool = False

    @property
    def axes(self) -> Axes:
        """The values of each axis."""
        return axes_of(self.points)

    def generator(self) -> "np.random.Generator":
        """Return a generator of random numbers, by seed and label."""
        # Late, as all that a strategy only needs for its points: the help of `optbench tune` names them all.
        import numpy as np

        return np.random.default_rng([self.seed, int.from_bytes(sha256(self.label.encode()).digest()[:8], "little")])


def axes_of(points: Sequence[Point]) -> Axes:
    """Gather the values of each axis."""
    return {name: tuple(sorted({point[name] for point in points})) for name in points[0]}


def combine(axes: Mapping[str, Iterable[Any]]) -> tuple[Point, ...]:
    """Combine every value with every other, the last axis fastest."""
    return tuple(dict(zip(axes, values, strict=True)) for values in product(*axes.values()))


def points_at(axes: Axes, shares: "Float[np.ndarray, 'point axis']") -> tuple[Point, ...]:
    """Turn shares in [0, 1) of each axis into points, each of them once, in ascending order."""
    columns = [[value_at(axes[name], share) for share in shares[:, index]] for index, name in enumerate(axes)]
    return tuple(dict(zip(axes, row, strict=True)) for row in sorted(set(zip(*columns, strict=True))))


def value_at(values: Sequence[Any], share: float) -> Any:
    """Take the value at a share of an axis: positive numbers evenly in their logarithm, text from its values.

    Where an axis holds 0 beside numbers above, 0 has the share of one value.
    """
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
