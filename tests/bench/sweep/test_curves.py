"""What a sweep's records become, by hand: steps at records, means between them, and what a frozen trial leaves."""

from dataclasses import replace
from types import SimpleNamespace
from typing import Any

import numpy as np
import pytest

from optbench.sweep.curves import Curves, Pieces, beside, curves_of, join, steps_at_records

NAN = np.nan


def recipe(steps=5, record_every=2, names=("train_loss", "train_accuracy")) -> Any:
    return SimpleNamespace(steps=steps, record_every=record_every, prepared=SimpleNamespace(metric_names=names))


@pytest.mark.parametrize(
    ("steps", "record_every", "records"),
    [(5, 2, [0, 2, 4, 5]), (4, 2, [0, 2, 4]), (1, 1, [0, 1]), (3, 100, [0, 3]), (3, 1, [0, 1, 2, 3])],
)
def test_the_last_record_is_after_the_last_step(steps, record_every, records):
    assert steps_at_records(recipe(steps, record_every)).tolist() == records


#: One seed and four points, at records after 0, 2, 4 and 5 of 5 steps; the last chunk is fed a sixth.
PIECES = Pieces(
    measured=np.arange(32, dtype=np.float32).reshape(4, 2, 1, 4),
    losses=np.array([[[10.0 * step + point for point in range(4)]] for step in range(6)], np.float32),
    gradient_evaluations=np.array([[[2, 4, 2, 2]], [[4, 8, 4, 4]], [[5, 10, 4, 5]]]),
    # The second at the first step, the third after four, the fourth after the last.
    diverged_at=np.array([[-1, 0, 4, 5]]),
)


def test_curves_of_a_trial_are_its_records_in_order():
    curves = curves_of(recipe(), PIECES)
    assert {name: values[0, 0].tolist() for name, values in curves.metrics.items()} == {
        "train_loss": [0, 8, 16, 24],
        "train_accuracy": [4, 12, 20, 28],
    }
    assert curves.step_loss[0, 0].tolist() == [0, 10, 20, 30, 40]
    # Means of the steps since the record before: of 0 and 1, of 2 and 3, of 4.
    np.testing.assert_array_equal(curves.batch_loss[0, 0], [NAN, 5, 25, 40])
    assert curves.gradient_evaluations[0].tolist() == [[0, 2, 4, 5], [0, 4, 8, 10], [0, 2, 4, 4], [0, 2, 4, 5]]
    assert curves.step.tolist() == [0, 2, 4, 5] and curves.stopped_at.tolist() == [-1] * 4
    assert curves.step_loss.dtype == np.float64 and curves.metrics["train_loss"].dtype == np.float64


def test_what_a_trial_scores_from_its_divergence_on_means_nothing():
    curves = curves_of(recipe(), PIECES, stopped_at=np.array([-1, -1, 4, -1]))
    loss = curves.metrics["train_loss"][0]
    np.testing.assert_array_equal(loss[1:], [[NAN] * 4, [2, 10, NAN, NAN], [3, 11, 19, NAN]])
    steps = [[NAN] * 5, [2, 12, 22, 32, NAN], [3, 13, 23, 33, 43]]
    np.testing.assert_array_equal(curves.step_loss[0, 1:], steps)
    np.testing.assert_array_equal(curves.batch_loss[0, 1:], [[NAN] * 4, [NAN, 7, 27, NAN], [NAN, 8, 28, 43]])
    assert curves.stopped_at.tolist() == [-1, -1, 4, -1]
    # The third was dropped after four of the five steps.
    assert curves.trial_steps == 5 + 5 + 4 + 5


def test_pieces_lie_beside_one_another_without_what_fills_the_last():
    whole = beside([PIECES, PIECES._replace(losses=PIECES.losses + 100)], 6)
    assert whole.losses[1, 0].tolist() == [10, 11, 12, 13, 110, 111]
    assert whole.measured.shape == (4, 2, 1, 6) and whole.diverged_at.tolist() == [[-1, 0, 4, 5, -1, 0]]
    assert whole.gradient_evaluations[0, 0].tolist() == [2, 4, 2, 2, 2, 4]


@pytest.fixture
def grid():
    """Make curves of 2 seeds, 3 points and 2 records, each number of which says where it stands."""
    where = np.array([[[100 * seed + 10 * point + at for at in (0, 1)] for point in range(3)] for seed in (1, 2)])
    fields = {"batch_loss": where + 0.25, "step_loss": where[..., :1] + 0.5, "gradient_evaluations": where}
    metrics = {"train_loss": where + 0.0, "test_loss": where + 0.75}
    return Curves(np.array([0, 7]), metrics, **fields, diverged_at=where[..., 0], stopped_at=np.array([-1, 3, -1]))


def test_all_sweeps_of_a_cell_are_joined_by_their_points(grid):
    joined = join([grid, grid])
    assert joined.step.tolist() == [0, 7]
    assert joined.metrics["test_loss"].shape == (2, 6, 2)
    for name in ("batch_loss", "step_loss", "gradient_evaluations", "diverged_at"):
        np.testing.assert_array_equal(getattr(joined, name)[:, 3:], getattr(grid, name), err_msg=name)
    assert joined.stopped_at.tolist() == [-1, 3, -1] * 2
    # Of two seeds two points with 3 steps and four with 7.
    assert joined.trial_steps == 2 * (2 * 3 + 4 * 7)


@pytest.mark.parametrize(("stopped_at", "steps"), [([-1, -1, -1], 21), ([0, -1, -1], 14), ([0, 1, 7], 8)])
def test_updates_are_counted_up_to_where_a_point_was_dropped(grid, stopped_at, steps):
    assert replace(grid, stopped_at=np.array(stopped_at)).trial_steps == 2 * steps


def test_one_sweep_is_joined_as_it_is(grid):
    assert repr(join([grid])) == repr(grid)


def test_trials_are_gathered_by_seed_and_point(grid):
    one = grid.take(np.array([[1, 0]]), np.array([[2, 1]]))
    assert one.diverged_at.tolist() == [[220, 110]] and one.metrics["train_loss"].tolist() == [[[220, 221], [110, 111]]]
    assert one.gradient_evaluations.tolist() == [[[220, 221], [110, 111]]]
    assert one.batch_loss.tolist() == [[[220.25, 221.25], [110.25, 111.25]]]
    assert (one.step_loss.tolist(), one.stopped_at.tolist()) == ([[[220.5], [110.5]]], [-1, 3])


@pytest.mark.parametrize(("copies", "seeds"), [(1, [1, 2]), (2, [1, 1, 2, 2]), (3, [1, 1, 1, 2, 2, 2])])
def test_copies_of_a_seed_stand_one_after_another(grid, copies, seeds):
    repeated = grid.repeat(copies)
    assert (repeated.diverged_at[:, 0] // 100).tolist() == seeds
    assert repeated.stopped_at.tolist() == [-1, 3, -1]
    assert repeated.metrics["test_loss"].shape == (len(seeds), 3, 2)
