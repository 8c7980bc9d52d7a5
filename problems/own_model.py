"""A problem of a model and data of one's own."""

import os
from collections.abc import Callable, Iterable, Mapping
from typing import Any, Literal

import jax
import jax.numpy as jnp
from jaxtyping import Array, Float, PyTree

from optbench.problems import accept
from optbench.problems.model_baseline import Baseline, linear_baseline
from optbench.problems.model_kinds import functions_of
from optbench.problems.model_losses import Measure, check_shapes, loss_of, mean_of, metrics_of
from optbench.problems.model_rows import Rows, Split, split
from optbench.problems.problem import Params, Problem, State

#: Rows that are evaluated at once: between two layers of a network all of them would fill the memory.
BLOCK = 1024
#: Training rows that metrics are measured of, at most: all of a large set would take longer than to train on it.
MEASURED = 8 * BLOCK
#: Share of the way from the base rate to the linear model that the validation targets stand at.
WAY = 0.9
#: Epochs, and the fewest and most steps, of a run by default.
EPOCHS, FEWEST, MOST = 10, 200, 2000


def supervised(
    model: Any,
    train: tuple[Any, Any] | str | os.PathLike,
    test: tuple[Any, Any] | str | os.PathLike | None = None,
    loss: Literal["cross_entropy", "squared_error"] | Measure = "cross_entropy",
    *,
    metrics: Mapping[str, Measure] | None = None,
    higher_is_better: Iterable[str] = ("accuracy",),
    validation_fraction: float = 0.2,
    test_fraction: float = 0.2,
    steps: int | None = None,
    batch_size: int | None = None,
    targets: Mapping[str, float] | None = None,
    source: str = "a model of one's own",
) -> Problem:
    """Return the problem of training a model on rows of inputs and targets.

    `model` is a flax.nnx class or function of `rngs`; a flax.linen module; an equinox module, which maps one row, or a
    function of `key` that makes one; or functions `(init, apply)`, with `init(key)` and `apply(parameters, x)`, or
    `(init, apply, state)`, with `state(key)` and `apply(parameters, x, state) -> (predictions, state)`. Modules that
    were made already start every seed from their own weights. Running statistics, as of batch normalization, are the
    model's state, and dropout has this step's key. A call's `train`, `training` or `deterministic` is filled in.

    `train` and `test` are (x, y), of arrays or of paths of .npy files, or a data file, whose columns are brought to
    mean 0 and standard deviation 1. Without `test` that is a share of the rows. A share of what is left for training is
    held out: settings are chosen by it. Classes may be words; whole numbers count from 0.

    `loss` and `metrics`, by name, are functions of (predictions, y) that return a number or one of each row;
    cross-entropy brings the accuracy with it. Less is better of all metrics but `higher_is_better`.

    The targets are what a linear model, fitted by least squares and tuned, reaches on the validation rows: for the
    train loss that is the target, for the validation loss and accuracy nine tenths of the way there from the base rate
    (the mean, or the shares of the classes). Where inputs or targets are no plain numbers there are none.

    By default batches have 128 rows, or the power of two next below an eighth of the rows, and a run has 10 epochs, but
    200 to 2000 steps. Of more than 8192 training rows the metrics are measured of the first so many.

    Raises ValueError for a model, data and values that are not accepted, and for predictions that don't fit targets.
    """
    measure, others = loss_of(loss), metrics_of(loss, metrics)
    for name, value in (("steps", steps), ("batch_size", batch_size)):
        if value is not None:
            accept.whole(name, value)
    rows, _ = split(
        train,
        test,
        has_classes=loss == "cross_entropy",
        validation_fraction=validation_fraction,
        test_fraction=test_fraction,
    )
    functions = functions_of(model, jax.tree.map(lambda a: a[:1], rows.train[0]))
    _check(functions, loss, rows)
    num_rows = len(rows.train[1])
    batch_size = min(batch_size or _batch_size(num_rows), num_rows)

    def losses(params: Params, batch: Rows, key: Array, state: State) -> tuple[Float[Array, ""], State]:
        predictions, state = functions.apply(params, state, jax.tree.map(jnp.asarray, batch[0]), key, True)
        return mean_of(measure, predictions, jnp.asarray(batch[1])), state

    def evaluated(params: Params, data: Rows, state: State) -> dict[str, Float[Array, ""]]:
        x, y = jax.tree.map(jnp.asarray, data)
        predict = lambda block: functions.apply(params, state, block, jax.random.key(0), False)[0]  # noqa: E731
        predictions = _in_blocks(predict, x, len(y))
        return {name: mean_of(one, predictions, y) for name, one in ({"loss": measure} | others).items()}

    has_state = functions.state is not None
    return Problem(
        init=functions.init,
        state=functions.state,
        loss=losses if has_state else lambda params, batch, key: losses(params, batch, key, ())[0],
        metrics=evaluated if has_state else lambda params, data: evaluated(params, data, ()),
        source=source,
        train=rows.train,
        measured=jax.tree.map(lambda a: a[:MEASURED], rows.train) if num_rows > MEASURED else None,
        validation=rows.validation,
        test=rows.test,
        steps=steps or min(max(EPOCHS * num_rows // batch_size, FEWEST), MOST),
        batch_size=batch_size,
        targets=_targets(linear_baseline(loss, rows.train, rows.validation), rows) if targets is None else targets,
        higher_is_better=frozenset(higher_is_better),
        mixed_precision=True,
        noisy_loss=functions.is_noisy or num_rows > MEASURED,
    )


def _check(functions: Any, loss: str | Measure, rows: Split) -> None:
    """Raise ValueError where predictions of two rows don't fit the targets."""
    key = jax.random.key(0)
    params = jax.eval_shape(functions.init, key)
    state = jax.eval_shape(functions.state, key) if functions.state else ()
    x = jax.tree.map(lambda a: jnp.asarray(a[:2]), rows.train[0])
    predictions, _ = jax.eval_shape(lambda p, s: functions.apply(p, s, x, key, False), params, state)
    for part in filter(None, rows):
        check_shapes(loss, predictions, part[1])


def _in_blocks(predict: Callable[[PyTree], PyTree], x: PyTree, num_rows: int) -> PyTree:
    """Return predictions of all rows, some at a time."""
    num_blocks = num_rows // BLOCK
    if num_blocks < 2:
        return predict(x)
    whole = num_blocks * BLOCK
    blocks = jax.tree.map(lambda a: a[:whole].reshape(num_blocks, BLOCK, *a.shape[1:]), x)
    parts = jax.tree.map(lambda a: a.reshape(whole, *a.shape[2:]), jax.lax.map(predict, blocks))
    if whole == num_rows:
        return parts
    last = predict(jax.tree.map(lambda a: a[whole:], x))
    return jax.tree.map(lambda *several: jnp.concatenate(several), parts, last)


def _batch_size(num_rows: int) -> int:
    """Return the power of two next below an eighth of the rows, but 128 at most."""
    return min(128, 1 << max(num_rows // 8, 1).bit_length() - 1)


def _targets(reached: Baseline | None, rows: Split) -> dict[str, float]:
    """Return the targets that a linear model sets; none where it is no better than the base rate."""
    if reached is None or not reached.loss < reached.base_loss:
        return {}
    way = lambda base, end: base + WAY * (end - base)  # noqa: E731
    targets = {"train_loss": reached.loss}
    if rows.validation is not None:
        targets["validation_loss"] = way(reached.base_loss, reached.loss)
        if reached.accuracy is not None and reached.base_accuracy is not None:
            targets["validation_accuracy"] = way(reached.base_accuracy, reached.accuracy)
    return targets
