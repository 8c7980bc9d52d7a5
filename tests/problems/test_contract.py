"""What a problem of somebody's own may hold: numbers of any kind, rows that belong together, and nothing else."""

import jax.numpy as jnp
import numpy as np
import pytest

from optbench.problems.contract import checked
from optbench.problems.problem import Problem

X, Y = np.ones((6, 2)), np.ones(6)


def problem(**fields):
    words = {"init": lambda key: jnp.zeros(2), "loss": lambda params, batch, key: jnp.sum(params), "source": "a test"}
    return Problem(**{**words, "metrics": lambda params, data: {"loss": jnp.sum(params)}, **fields})


@pytest.mark.parametrize("number", [np.int64(3), np.array(3), jnp.asarray(3), 3.0, np.float32(3)], ids=repr)
def test_numbers_of_numpy_and_jax_are_numbers(number):
    plain = checked(problem(train=(X, Y), batch_size=number, steps=number, targets={"train_loss": number}))
    assert (plain.batch_size, plain.steps, dict(plain.targets)) == (3, 3, {"train_loss": 3.0})
    assert [type(value) for value in (plain.batch_size, plain.steps, plain.targets["train_loss"])] == [int, int, float]
    for optimum in (number, lambda: number):
        value = checked(problem(optimum=optimum)).optimum()
        assert value == 3 and type(value) is float


def test_what_keeps_the_contract_is_left_as_it_is():
    given = problem(train={"x": X, "y": (Y, Y > 0)}, test={"x": X[:2], "y": (Y[:2], Y[:2] > 0)}, batch_size=6)
    same = checked(given)
    assert same.train is given.train and same.loss is given.loss and same.batch_size == 6
    assert same.optimum() is None and checked(problem()).batch_size == "full"
    assert checked(problem(sample=lambda key, size, step: jnp.zeros(size), batch_size=4)).batch_size == 4


def test_the_optimum_is_computed_when_it_is_needed_and_once():
    calls = []
    lazy = checked(problem(optimum=lambda: calls.append(1) or 0.5))
    assert calls == []
    assert (lazy.optimum(), lazy.optimum(), calls) == (0.5, 0.5, [1])


REFUSED = {
    "unequal rows": ({"train": (X, Y, np.arange(2.0))}, "as many rows each, found 6 of train[0], 6 of train[1], 2 of"),
    "unequal test rows": ({"train": X, "test": {"x": X, "y": Y[:5]}}, "found 6 of test['x'], 5 of test['y']"),
    "lists": ({"train": (X.tolist(), Y)}, "train[0][0][0]: expected an array with an axis of rows, found 1.0; lists"),
    "a number beside": ({"train": {"x": X, "alpha": 0.5}}, "train['alpha']: expected an array with an axis of rows"),
    "an array without rows": (
        {"train": (X, np.array(0.5))},
        "train[1]: expected an array with an axis of rows, found a",
    ),
    "text": ({"train": (X, np.array(["a"] * 6))}, "train[1]: expected an array of numbers, found one of <U1"),
    "objects": ({"train": (X, Y.astype(object))}, "train[1]: expected an array of numbers, found one of object"),
    "no arrays": ({"train": ()}, "train: expected arrays with an axis of rows, found none"),
    "no rows": ({"train": X[:0]}, "train: expected at least one row, found none"),
    "rows and a stream": ({"train": X, "sample": lambda key, size, step: X}, "train and sample are both set"),
    "a stream in full": ({"sample": lambda key, size, step: X}, "found 'full': a stream of batches has no end"),
    "a large batch": ({"train": X, "batch_size": 7}, "batch_size: expected at most the 6 training rows, found 7"),
    "a batch in words": ({"train": X, "batch_size": "all"}, "from 1 on, or 'full', found 'all'"),
    "half a batch": (
        {"train": X, "batch_size": 1.5},
        "batch_size: expected a whole number from 1 on, or 'full', found",
    ),
    "steps in words": ({"steps": "100"}, "steps: expected a whole number from 1 on, found '100'"),
    "no steps": ({"steps": np.int64(0)}, "steps: expected a whole number from 1 on, found 0 (int64)"),
    "true as steps": ({"steps": True}, "steps: expected a whole number from 1 on, found True"),
    "a target in words": ({"targets": {"train_loss": "0.1"}}, "targets['train_loss']: expected a finite number, found"),
    "a target of two": (
        {"targets": {"train_loss": Y[:2]}},
        "targets['train_loss']: expected a finite number, found nd",
    ),
    "no split": (
        {"targets": {"loss": 0.1}},
        "targets: expected a metric with its split, as in train_loss, found 'loss'",
    ),
    "one target": ({"targets": 0.1}, "targets: expected a dict of metric and value, found 0.1"),
    "an optimum in words": ({"optimum": "0"}, "optimum: expected a finite number, found '0'"),
    "no function": ({"loss": 0.5}, "loss: expected a function, found 0.5"),
    "one metric": ({"higher_is_better": "accuracy"}, "higher_is_better: expected a set of metrics' names, found 'acc"),
}


@pytest.mark.parametrize("kind", REFUSED)
def test_what_breaks_the_contract_is_refused_in_one_line(kind):
    fields, message = REFUSED[kind]
    with pytest.raises(ValueError) as caught:
        checked(problem(**fields))
    assert message in str(caught.value) and "\n" not in str(caught.value)


@pytest.mark.parametrize("optimum", [jnp.zeros(2), float("nan"), "low"], ids=["two", "nan", "words"])
def test_an_optimum_that_is_no_number_is_refused_where_it_is_computed(optimum):
    with pytest.raises(ValueError, match="optimum: expected a finite number, found"):
        checked(problem(optimum=lambda: optimum)).optimum()
