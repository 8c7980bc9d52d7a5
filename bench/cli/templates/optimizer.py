"""An optimizer of your own: `optbench run -o ./THIS_FILE.py:make -o adamw`.

Parameters with a float default can be swept, at no further compile: -o "./THIS_FILE.py:make[momentum=0.8,0.9]".
The learning rate arrives as a number that the schedule has multiplied already; weight decay is added for you.
"""

import optax


def make(learning_rate: float, momentum: float = 0.9) -> optax.GradientTransformation:
    """Move against the sign of a running mean of gradients."""
    return optax.chain(
        optax.ema(momentum, debias=False),
        optax.scale_by_sign(),
        optax.scale_by_learning_rate(learning_rate),
    )
