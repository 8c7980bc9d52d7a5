"""Functions are optimizers and problems from Python, and numbers of other libraries are numbers."""

import functools

import jax.numpy as jnp
import numpy as np
import optax
import pytest

from optbench.planning.jobs import resolve_suite
from optbench.planning.plugins import load_plugin
from optbench.problems.problem import Problem
from optbench.request import RequestError, plain

SCALE = 1.0
#: What the text begins with that stands for a function.
OWN = "python.optimizers:"


def make(learning_rate, momentum=0.0):
    return optax.sgd(SCALE * learning_rate, momentum)


def sgd(learning_rate):
    return optax.sgd(learning_rate)


def bowl():
    square = lambda x: jnp.sum(x**2)  # noqa: E731
    loss, metrics = (lambda x, batch, key: square(x)), (lambda x, data: {"loss": square(x)})
    return Problem(init=lambda key: jnp.ones(2), loss=loss, metrics=metrics, source="a bowl")


def specs(**given):
    suite = resolve_suite(None, **given)
    return [entry.spec for entry in suite.optimizers]


def test_functions_train_under_their_names(tiny):
    run = tiny(optimizers={"Mine": make, "Again": sgd, "Theirs": "sgd"}, problems=[bowl])
    ended = {row["optimizer"]: row["train_loss"] for row in run.trials().to_records() if row["phase"] == "report"}
    assert {row["problem"] for row in run.trials().to_records()} == {"bowl"}
    assert ended["Mine"] == ended["Again"] == ended["Theirs"]


def test_a_name_is_the_function_s_own_and_nobody_else_s():
    mine = lambda learning_rate: optax.adam(learning_rate)  # noqa: E731
    asked = specs(optimizers=[make, sgd, {"spec": make, "learning_rate": 0.1}, "adam", mine])
    known = [f"make={OWN}make", f"sgd (own)={OWN}sgd", f"make={OWN}make", "adam", f"lambda={OWN}lambda"]
    assert asked == known
    # Another function of the same name is another optimizer.
    asked = specs(optimizers=[make, functools.partial(make, momentum=0.9)])
    assert asked == [f"make={OWN}make", f"make 2={OWN}make 2"]
    assert specs(optimizers=functools.partial(make, momentum=0.9)) == [f"make={OWN}make"]


@pytest.mark.parametrize("given", [[optax.adam(0.1)], [3], 3, optax.adam(0.1)])
def test_what_is_neither_text_nor_a_function_is_refused(given):
    with pytest.raises(RequestError, match=r"is not accepted here; accepted: a name, \./file\.py:make, or a function"):
        specs(optimizers=given)


def test_a_key_follows_from_all_that_a_function_reads(keys, monkeypatch):
    before = keys(optimizers=[make])
    assert keys(optimizers=[make]) == before
    monkeypatch.setitem(globals(), "SCALE", 0.5)
    assert keys(optimizers=[make]) != before

    def within(scale):
        return {"Mine": lambda learning_rate: optax.sgd(scale * learning_rate)}

    assert keys(optimizers=within(1.0)) == keys(optimizers=within(1.0))
    assert keys(optimizers=within(1.0)) != keys(optimizers=within(2.0))
    table = np.arange(3.0)
    assert keys(optimizers=within(table)) == keys(optimizers=within(table.copy()))
    assert keys(optimizers=within(table)) != keys(optimizers=within(table + 1))


def test_a_cluster_takes_no_function(tiny):
    with pytest.raises(RequestError, match=r"python.optimizers:make is a function, which no worker of a cluster has"):
        tiny(optimizers=[make], cluster="local:1")


def test_numbers_and_arrays_of_numpy_and_jax_are_numbers():
    asked = {"learning_rate": np.logspace(-3, -1, 3), "weight_decay": [np.float32(0.1), jnp.float32(0.2)]}
    asked |= {"batch_size": np.array([8, 16]), "steps": np.int64(3), "seeds": np.int32(2), "epochs": None}
    asked |= {"optimizers": [{"spec": "adam", "learning_rate": (np.float64(0.1),)}], "record_every": np.uint8(1)}
    suite = resolve_suite(None, problems=["quadratic"], **asked)
    assert (suite.learning_rate, suite.weight_decay, suite.batch_size) == ("0.001,0.01,0.1", "0.1,0.2", "8,16")
    assert (suite.steps, suite.seeds, suite.record_every) == (3, 2, 1)
    assert suite.optimizers[0].learning_rate == "0.1"
    assert plain({"a": range(2), "b": np.array(0.5), "c": np.array([[1, 2]])}) == {"a": [0, 1], "b": 0.5, "c": [[1, 2]]}


@pytest.mark.parametrize("word", ["learning_rate", "steps", "weight_decay", "batch_size", "report_seeds"])
def test_what_is_no_number_names_its_word(word):
    with pytest.raises(RequestError, match=f"^{word}: "):
        resolve_suite(None, **{word: object()})


def test_a_function_of_another_process_is_told_so():
    with pytest.raises(RequestError, match="is a function that another process was handed"):
        load_plugin("python.optimizers:gone")
