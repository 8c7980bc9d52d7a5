"""How trials ended, as arrays: every number can be read off the curves."""

import math

import numpy as np
import pytest

from optbench.analyse.objective import initial_objective, objective, progress
from optbench.analyse.outcomes import Slice, outcomes, targets_of, tuned

INF = math.inf
NAN = math.nan
STOPPED = {"status": "stopped"}


def select(part, **view):
    return outcomes(part, "select", Slice(**view))


def ends(part, **view):
    return select(part, **view).ends["train_loss"].tolist()


class TestLayout:
    @pytest.fixture
    def part(self, handmade):
        tried = {0.5: [[8.0, 5.0, 1.0], [8.0, 5.0, 2.0]], 0.1: [[8.0, 7.0, 3.0], [8.0, 7.0, 4.0]]}
        points = {1: {"hyperparameters": {"weight_decay": 0.01}, "schedule": "cosine"}}
        return handmade("sgd", [[8.0, 5.0, 1.5]] * 3, tried=tried, points=points)

    def test_is_seed_by_point(self, part):
        assert ends(part) == [[1, 3], [2, 4]]
        assert select(part).start.tolist() == [[8, 8], [8, 8]]
        assert (select(part).seeds.tolist(), select(part).points.tolist()) == ([0, 1], [0, 1])

    def test_tells_what_each_point_is(self, part):
        settings = {name: values.tolist() for name, values in select(part).settings.items()}
        assert settings == {
            "learning_rate": [0.5, 0.1],
            "weight_decay": [0.0, 0.01],
            "schedule": ["constant", "cosine"],
        }

    def test_points_are_taken_by_position(self, part):
        found = select(part).take([1])
        assert found.ends["train_loss"].tolist() == [[3], [4]]
        assert found.steps_to["train_loss"].tolist() == [[INF], [INF]]
        assert (found.settings["learning_rate"].tolist(), found.points.tolist()) == ([0.1], [1])

    @pytest.mark.parametrize(("seeds", "count"), [(1, 1), (2, 2), (9, 2), (None, 2)])
    def test_the_first_seeds_are_looked_at(self, part, seeds, count):
        assert ends(part, seeds=seeds) == [[1, 3], [2, 4]][:count]

    def test_seeds_of_the_report_are_sliced_too(self, part):
        assert len(outcomes(part, "report", Slice(seeds=2)).seeds) == 2

    def test_report_seeds_speak_for_a_cell(self, part):
        assert tuned(part, Slice()).ends["train_loss"].tolist() == [[1.5]] * 3

    def test_without_them_the_best_point_of_the_selection_does(self, handmade):
        part = handmade("sgd", [], tried={0.5: [[8.0, 5.0, 3.0]], 0.1: [[8.0, 7.0, 2.0]]})
        assert tuned(part, Slice()).ends["train_loss"].tolist() == [[2]]


class TestEnds:
    @pytest.mark.parametrize("end", [9.0, INF, NAN], ids=["above-the-start", "infinite", "nan"])
    def test_diverged_is_the_worst(self, handmade, end):
        measured = {"test_accuracy": [0.1, 0.5, 0.9], "test_loss": [8.0, 5.0, 1.0]}
        found = select(handmade("sgd", [], tried={0.1: [[8.0, 5.0, end]]}, points={0: measured}))
        assert {name: values.tolist() for name, values in found.ends.items()} == {
            "train_loss": [[INF]],
            "test_loss": [[INF]],
            "test_accuracy": [[0]],
        }
        assert found.diverged.tolist() == [[True]]

    @pytest.mark.parametrize(
        ("curve", "step", "diverged"),
        [([8.0, NAN, NAN], 10, True), ([8.0, 5.0, NAN], 10, False), ([8.0, 7.0, 9.0], 10, False)],
        ids=["already-at-that-step", "only-later", "above-the-start-later"],
    )
    def test_diverged_by_a_step(self, handmade, curve, step, diverged):
        found = select(handmade("sgd", [], tried={0.1: [curve]}), at_step=step)
        assert found.diverged.tolist() == [[diverged]]
        assert found.ends["train_loss"].tolist() == [[INF if diverged else curve[1]]]

    def test_stopped_counts_with_what_it_had(self, handmade):
        part = handmade("sgd", [], tried={0.1: [[8.0, 5.0, NAN]], 0.2: [[8.0, 4.0, 2.0]]}, points={0: STOPPED})
        assert ends(part) == ends(part, at_step=99) == [[5, 2]]
        assert ends(part, at_step=10) == [[5, 4]]
        assert ends(part, at_step=9) == [[8, 8]]
        assert not select(part).diverged.any()

    def test_diverged_before_it_was_stopped_is_the_worst(self, handmade):
        part = handmade("sgd", [], tried={0.1: [[8.0, NAN, NAN]]}, points={0: {"status": "diverged"}})
        assert ends(part) == [[INF]]


class TestStepsTo:
    def test_each_target(self, handmade):
        part = handmade(
            "sgd",
            [[8.0, 1.0, 0.5]],
            trial={"test_accuracy": [0.1, 0.5, 0.9]},
            targets={"train_loss": 1.0, "test_accuracy": 0.9, "test_loss": 3.0},
        )
        found = tuned(part, Slice()).steps_to
        assert {name: steps.tolist() for name, steps in found.items()} == {
            "train_loss": [[10]],
            "test_accuracy": [[20]],
            "test_loss": [[INF]],
        }

    def test_of_targets_that_are_given(self, handmade):
        part = handmade("sgd", [[8.0, 4.0, 2.0]])
        found = tuned(part, Slice(), {"half": ("train_loss", 4.0), "eighth": ("train_loss", 1.0)}).steps_to
        assert {name: steps.tolist() for name, steps in found.items()} == {"half": [[10]], "eighth": [[INF]]}

    def test_is_missed_where_it_is_met_later_than_the_step_looked_at(self, handmade):
        part = handmade("sgd", [[8.0, 4.0, 1.0]])
        assert [tuned(part, Slice(at_step=at)).steps_to["train_loss"].item() for at in (19, 20)] == [INF, 20]

    def test_another_target_stands_in_for_all(self, record):
        targets = {"train_loss": 1.0, "test_accuracy": 0.9}
        results = record(targets=targets).results
        assert targets_of(results, Slice(target=2.0)) == {"train_loss": 2.0}
        assert targets_of(results, Slice()) == targets


class TestObjective:
    def of(self, handmade, end, optimum):
        part = handmade("sgd", [[8.0, 5.0, end]], optimum=optimum)
        found = tuned(part, Slice())
        return objective(found, part.results).item(), initial_objective(found, part.results)

    def test_is_the_loss_where_no_optimum_is_known(self, handmade):
        assert self.of(handmade, 3.0, None) == (3, 8)

    def test_is_the_gap_where_it_is(self, handmade):
        assert self.of(handmade, 3.0, 2.0) == (1, 6)
        assert self.of(handmade, 3.0, -2.0) == (5, 10)

    @pytest.mark.parametrize("end", [2.0 - 2e-7, 2.0, 2.0 + 4 * 2.0**-23], ids=["below", "at", "above"])
    def test_is_nothing_where_it_is_rounding(self, handmade, end):
        """Float32 numbers at 2 are 2^-22 apart."""
        assert self.of(handmade, end, 2.0)[0] == 0

    def test_is_infinite_where_it_diverged(self, handmade):
        part = handmade("sgd", [[8.0, 5.0, 9.0]], trial={"status": "diverged"}, optimum=1.0)
        assert objective(tuned(part, Slice()), part.results).item() == INF


@pytest.mark.parametrize(
    ("value", "best", "start", "expected"),
    [
        (1, 1, 16, 1),
        # Half of four halvings, and three quarters.
        (4, 1, 16, 0.5),
        (2, 1, 16, 0.75),
        (16, 1, 16, 0),
        (20, 1, 16, 0),
        (INF, 1, 16, 0),
        (INF, INF, 16, 0),
        # Nothing was gained, so nothing is kept.
        (16, 16, 16, 0),
        # In float64 ways end 52 halvings below the start.
        (2.0**-26, 0, 1, 0.5),
        (2.0**-60, 0, 1, 1),
        (0, 0, 1, 1),
        # In a straight line below zero.
        (0, -2, 2, 0.5),
        (-2, -2, -1, 1),
        (-1, -2, -1, 0),
        (-3, -2, 2, 1),
    ],
)
def test_kept(value, best, start, expected):
    assert progress(value, best, start, "float64") == pytest.approx(expected)


def test_ways_end_where_rounding_begins():
    """23 halvings in float32, and of losses in bfloat16 too, which are float32."""
    assert progress(2.0**-11.5, 0, 1, "float32") == pytest.approx(0.5)
    assert progress(2.0**-11.5, 0, 1, "bfloat16") == pytest.approx(0.5)


def test_trials_of_several_batches_of_rows_are_one_array(handmade):
    """300 seeds are read in two pieces."""
    losses = [[8.0, 5.0, float(seed)] for seed in range(300)]
    found = tuned(handmade("sgd", losses, trials={7: {"status": "diverged"}}), Slice())
    expected = np.arange(300.0)
    expected[7] = INF
    assert found.ends["train_loss"][:, 0].tolist() == expected.tolist()


class TestKept:
    @pytest.fixture
    def part(self, handmade):
        return handmade("sgd", [[8.0, 5.0, 1.5]], tried={0.5: [[8.0, 5.0, 1.0]]})

    def test_a_part_is_read_once(self, part):
        assert select(part) is select(part)
        assert select(part) is not select(part, at_step=1)

    def test_a_part_that_was_written_anew_is_read_anew(self, part, handmade):
        before = ends(part)
        handmade("sgd", [[8.0, 5.0, 1.5]], tried={0.5: [[8.0, 5.0, 2.0]]})
        assert (before, ends(part)) == ([[1]], [[2]])

    def test_a_large_one_is_not_kept(self, part, monkeypatch):
        monkeypatch.setattr("optbench.analyse.outcomes.MOST_BYTES", 0)
        assert select(part) is not select(part)

    def test_what_is_kept_can_not_be_changed(self, part):
        found = select(part)
        with pytest.raises(ValueError, match="read-only"):
            found.ends["train_loss"][0, 0] = 0
        with pytest.raises(TypeError):
            found.ends["train_loss"] = found.start  # pyright: ignore[reportIndexIssue]
        assert ends(part) == [[1]]
