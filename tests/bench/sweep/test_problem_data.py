"""What all cells of a problem share: checked before anything is trained, and drawn the same however it is cut."""

import jax.numpy as jnp
import numpy as np
import pytest

from optbench.problems.problem import Problem
from optbench.sweep import problem_data
from optbench.sweep.problem_data import BLOCK, _check, _step_keys
from optbench.sweep.streams import key_data

TRIALS = ("0/select/0", "0/report/1")


def problem(**fields):
    given = {"init": lambda key: 0.0, "loss": lambda x, batch, key: x, "metrics": lambda x, data: {}, "source": "test"}
    return Problem(**given | fields)


@pytest.mark.parametrize(
    ("metrics", "words"),
    [
        ((), "metrics must hold 'loss'; they hold: nothing"),
        (("train_mse", "train_r2"), "they hold: train_mse, train_r2"),
    ],
)
def test_metrics_without_a_loss_are_refused_with_what_they_hold(metrics, words):
    with pytest.raises(ValueError, match=f"{words}$"):
        _check(problem(), metrics)


def test_a_target_for_what_is_not_measured_is_refused():
    metrics = ("train_loss", "test_loss")
    _check(problem(targets={"test_loss": 1.0}), metrics)
    with pytest.raises(ValueError, match=r"^target 'test_mse' is no metric; accepted: train_loss, test_loss$"):
        _check(problem(targets={"test_loss": 1.0, "test_mse": 1.0}), metrics)


def test_an_optimum_that_is_a_number_is_refused():
    with pytest.raises(TypeError, match="optimum must be a function"):
        _check(problem(optimum=0.0), ("train_loss",))


@pytest.mark.parametrize(
    ("start", "stop"),
    [(0, 1), (BLOCK - 1, BLOCK), (BLOCK, BLOCK + 1), (BLOCK - 2, BLOCK + 2), (5, 2 * BLOCK + 5), (BLOCK, 2 * BLOCK)],
)
def test_a_step_has_the_same_keys_wherever_its_chunk_begins(start, stop):
    """They are drawn by the block, each by its own number."""
    blocks = [key_data(TRIALS, f"loss/{block}", BLOCK) for block in range(3)]
    np.testing.assert_array_equal(_step_keys(TRIALS, "loss", start, stop), np.concatenate(blocks)[start:stop])


def test_no_more_blocks_are_drawn_than_steps_lie_in(monkeypatch):
    drawn = []
    monkeypatch.setattr(problem_data, "_block", lambda trials, name: drawn.append(name) or np.zeros((BLOCK, 2, 2)))
    _step_keys(TRIALS, "loss", BLOCK, 2 * BLOCK)
    assert drawn == ["loss/1"]


def test_numbers_take_the_precision_of_the_run():
    tree = problem_data._as_run_dtype({"x": np.ones(2), "y": np.array([1, 2]), "z": np.ones(1, np.float16)})
    assert {name: str(leaf.dtype) for name, leaf in tree.items()} == {"x": "float32", "y": "int32", "z": "float16"}


@pytest.mark.parametrize(("size", "rows"), [("full", 6), (4, 4), (100, 6)])
def test_a_batch_of_the_default_size_is_of_the_data(size, rows):
    data = {"x": np.ones((6, 3)), "y": jnp.ones(6)}
    shapes = problem_data._some_batch(problem(train=data, batch_size=size), data)
    assert shapes["x"].shape == (rows, 3) and shapes["y"].shape == (rows,)
