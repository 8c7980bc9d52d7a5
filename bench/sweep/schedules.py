"""Learning-rate schedules as tables of multipliers: data, so that a schedule is a grid axis and costs no compile."""

import numpy as np
from jaxtyping import Float

#: Fraction of the run that "wsd" (warmup, stable, decay) spends on its linear decay.
WSD_DECAY = 0.2

#: Name -> multiplier at fraction `t` in [0, 1) of what follows the warmup.
SHAPES = {
    "constant": lambda t: np.ones_like(t),
    "cosine": lambda t: (1 + np.cos(np.pi * t)) / 2,
    "linear": lambda t: 1 - t,
    "wsd": lambda t: np.minimum(1, (1 - t) / WSD_DECAY),
}


def multipliers(name: str, warmup: float, steps: int) -> Float[np.ndarray, " step"]:
    """Tabulate what the learning rate is multiplied by before each update.

    `warmup` is the fraction of the run over which the multiplier rises linearly to 1; the first update already moves.
    Source: Loshchilov, Hutter, SGDR: stochastic gradient descent with warm restarts, 2017 (cosine); Hu et al., MiniCPM,
    2024 (wsd).
    """
    rising = round(warmup * steps)
    rest = steps - rising
    up = (np.arange(rising) + 1) / max(rising, 1)
    return np.concatenate([up, SHAPES[name](np.arange(rest) / max(rest, 1))])
