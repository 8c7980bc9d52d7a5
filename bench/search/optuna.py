"""Points that optuna's tree-structured Parzen estimator (TPE) proposes from the scores of those before.

Source: Bergstra, Bardenet, Bengio, Kegl, Algorithms for hyper-parameter optimization, 2011.
"""

import sys
from collections.abc import Sequence
from typing import Any

from optbench.search.space import Space, rounded
from optbench.search.strategy import Measure, Strategy

#: Points that are proposed before any of them is scored: one program takes them all.
TOGETHER = 8


def tpe(space: Space, measure: Measure, together: int = TOGETHER) -> None:
    """Let TPE propose points within the axes, `together` at a time, and tell it what each of them scored."""
    import optuna

    optuna.logging.set_verbosity(optuna.logging.WARNING)
    seed = int(space.generator().integers(2**31))
    study = optuna.create_study(sampler=optuna.samplers.TPESampler(seed=seed))
    axes = space.axes
    for first in range(0, space.budget, together):
        trials = [study.ask() for _ in range(min(together, space.budget - first))]
        points = tuple({name: _suggestion(trial, name, axes[name]) for name in axes} for trial in trials)
        for trial, score in zip(trials, measure(points), strict=True):
            # TPE looks at the order of scores alone, so any number above all others says that a point diverged.
            study.tell(trial, min(float(score), sys.float_info.max))


def _suggestion(trial: Any, name: str, values: Sequence[Any]) -> Any:
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


STRATEGY = Strategy(
    "proposed round by round from what the points before scored", propose=tpe, together=TOGETHER, package="optuna"
)
