"""An optimizer of your own: `optbench run -p mlp -o "Mine=./THIS_FILE.py:make" -o adamw`.

`Mine` is what tables and figures call it. Parameters with a float as their default are swept at no further compile:
-o "Mine=./THIS_FILE.py:make[momentum=0.8,0.9]".
"""

import jax
import jax.numpy as jnp
import optax

from optbench.optimizers.optimizer import Optimizer

#: The learning rates worth trying, from lowest to highest: what it is tuned over where no others are asked for.
learning_rates = (1e-4, 0.3)


def make(learning_rate: float, momentum: float = 0.9) -> optax.GradientTransformation:
    """Move against the sign of a running mean of gradients.

    `learning_rate` is that of the step: a schedule (--schedule 'cosine[warmup=0.1]') has multiplied it already. It
    stands for all points of a sweep at once, so it takes arithmetic, but no `if`, `float()` or numpy.

    Weight decay is added beside the update. An optimizer that decays by itself takes it as a parameter, and is handed
    what is asked for, 0 included: `def make(learning_rate, weight_decay=0.0): return optax.adamw(learning_rate,
    weight_decay=weight_decay)`.
    """

    def init(params):
        # The state: arrays that keep their shapes and dtypes.
        return jax.tree.map(jnp.zeros_like, params)

    def update(updates, state, params=None):
        # Gradients come as `updates`; what is returned is added to the parameters.
        mean = jax.tree.map(lambda m, g: momentum * m + (1 - momentum) * g, state, updates)
        return jax.tree.map(lambda m: -learning_rate * jnp.sign(m), mean), mean

    return optax.GradientTransformation(init, update)


#: The same with more said of it: `./THIS_FILE.py:entry`. An update that names `value`, `grad` or `value_fn` after
#: `params` is handed the loss, the gradient or the loss as a function, here as in `make`. What else may be said of it,
#: such as `needs`, `decay` and `evaluation_params`, stands in optbench/optimizers/optimizer.py.
entry = Optimizer(
    make,
    learning_rates=learning_rates,
    source="Who found it, its title, the year",
    default_learning_rate=1e-3,
)
