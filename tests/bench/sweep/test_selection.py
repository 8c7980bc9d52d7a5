"""Which point is chosen, on curves written by hand."""

from dataclasses import replace

import numpy as np
import pytest

from optbench.problems.problem import Problem
from optbench.sweep.criteria import choices, criteria_of, point_scores
from optbench.sweep.curves import Curves
from optbench.sweep.selection import at_edge, choose, diverged, median_loss, scores, worse_than_start

INF, NAN = np.inf, np.nan
MIDDLE = 5.0


def ends(final, *, first=10.0, at=None, stopped=None, **metrics):
    """Curves [seed, point, record] from 10 over 5 to given ends; `at` says where a loss was first not finite.

    `stopped` says after how many updates points were dropped; `metrics` are the ends of others.
    """
    final = np.asarray(final, float)
    none = np.zeros((*final.shape, 3))
    curve = lambda last: np.stack([np.full(final.shape, first), np.full(final.shape, MIDDLE), last], axis=-1)  # noqa: E731
    where = np.full(final.shape, -1) if at is None else np.asarray(at)
    dropped = np.full(final.shape[1], -1) if stopped is None else np.asarray(stopped)
    curves = {"train_loss": curve(final)} | {name: curve(np.asarray(last, float)) for name, last in metrics.items()}
    evaluations = np.broadcast_to(np.array([0, 5, 10]), none.shape)
    return Curves(np.array([0, 5, 10]), curves, none, none, evaluations, where, dropped)


def problem(**fields):
    loss = lambda params, *rest: params  # noqa: E731
    none = {"init": lambda key: 0.0, "loss": loss, "metrics": lambda params, data: {"loss": params}, "source": ""}
    return Problem(**none | fields)


def best(curves, *, criterion="train_loss", num_studies=1, rates=None, **fields):
    num = curves.diverged_at.shape[1]
    (choice,) = choices(curves, [criterion], problem(**fields), rates or np.arange(num), num_studies)
    return choice.of_studies.tolist(), choice.over_all


@pytest.mark.parametrize(
    ("final", "winner"),
    [
        ([[3.0, 1.0, 2.0]], 1),
        # The worst of up to four seeds counts: 9, 3 and 4. By the median, the first would win with 2.
        ([[1.0, 3.0, 4.0], [2.0, 3.0, 4.0], [9.0, 3.0, 0.0]], 1),
        # Two lucky seeds of three don't hide that the third diverged.
        ([[0.0, 1.0], [0.0, 1.0], [INF, 1.0]], 1),
        # The lower rate of equals.
        ([[2.0, 1.0, 1.0]], 1),
        # What float32 can't tell apart at a start of 10 is equal, too.
        ([[1.0000001, 1.0, 2.0]], 0),
        ([[1e-7, 0.0]], 0),
        ([[1e-5, 0.0]], 1),
        # Above the start is worse, but better than infinity.
        ([[INF, 10.5]], 1),
        ([[NAN, NAN]], 0),
        ([[INF, 9.9]], 1),
    ],
    ids=str,
)
def test_best_point(final, winner):
    assert best(ends(final)) == ([winner], winner)


def test_of_five_seeds_and_more_the_unluckiest_fifth_is_forgiven():
    # ceil(0.75 * 4) = 3 of ranks 0 to 4: the second worst.
    assert scores(np.array([[1.0], [2.0], [3.0], [4.0], [INF]]), 1).tolist() == [[4.0]]
    assert scores(np.array([[1.0], [2.0], [3.0], [INF]]), 1).tolist() == [[INF]]
    assert scores(np.array([[7.0]]), 1).tolist() == [[7.0]]


def test_each_study_chooses_by_its_own_seeds_and_all_together_by_all():
    final = [[1.0, 2.0, 3.0], [1.0, 2.0, 3.0], [8.0, 2.0, 1.0], [8.0, 2.0, 1.5]]
    assert best(ends(final), num_studies=2) == ([0, 2], 1)


def test_equals_are_ranked_by_the_lower_rate_wherever_it_stands():
    assert choose([np.array([[1.0, 1.0, 2.0]])], np.array([0.3, 0.1, 0.01])).tolist() == [1]


def test_settings_are_chosen_by_other_metrics_than_the_objective():
    curves = ends([[1.0, 2.0, 3.0]], validation_loss=[[9.0, 4.0, 5.0]], validation_accuracy=[[0.5, 0.7, 0.7]])
    rows = {"validation": np.zeros(2)}
    assert best(curves, criterion="validation_loss", **rows)[1] == 1
    # Of two with the highest accuracy the one with the lower validation loss, though its rate is higher.
    assert best(curves, criterion="validation_accuracy", rates=[1, 3, 2], **rows)[1] == 1


def test_the_fastest_to_a_target_stays_there_and_has_not_diverged():
    curves = ends([[4.0, 6.0, 1.0, INF]])
    # All are at 5 after 5 updates: the second leaves again, the fourth diverges. Of the two fastest the lower loss.
    assert best(curves, criterion="steps_to_target", targets={"train_loss": 5.0})[1] == 2
    assert best(curves, criterion="gradients_to_target", targets={"train_loss": 4.5})[1] == 2


@pytest.mark.parametrize(
    ("criterion", "higher", "costs"),
    [
        # At least 5 is reached after 5, 5 and 10 updates, and after 5, 20 and 20 gradients.
        *(("steps", {"accuracy"}, [5, 5, 10]), ("gradients", {"accuracy"}, [5, 20, 20])),
        ("seconds", {"accuracy"}, [5, 20, 20]),
        # At most 5 from the start on by the first alone: the others leave it.
        *(("steps", set(), [0, INF, INF]), ("gradients", set(), [0, INF, INF])),
    ],
)
def test_a_target_is_reached_from_below_where_more_is_better(criterion, higher, costs):
    curves = ends([[1.0, 1.0, 1.0]], validation_accuracy=[[0.0, 0.0, 0.0]])
    curves = replace(curves, gradient_evaluations=np.array([[[0, 5, 10], [0, 20, 40], [0, 10, 20]]]))
    curves.metrics["validation_accuracy"][:] = [[[0, 5, 5], [0, 5, 6], [0, 0, 6]]]
    asked = problem(targets={"validation_accuracy": 5.0}, higher_is_better=frozenset(higher))
    assert point_scores(curves, f"{criterion}_to_target", asked).tolist() == costs


@pytest.mark.parametrize("criterion", ["steps_to_target", "gradients_to_target"])
def test_a_target_that_is_never_reached_costs_infinity_however_few_points_there_are(criterion):
    asked = problem(targets={"train_loss": 1.0})
    assert point_scores(ends([[8.0]]), criterion, asked).tolist() == [INF]
    assert point_scores(ends([[0.5], [0.25]]), criterion, asked).tolist() == [10]


def test_an_accuracy_costs_its_negative():
    curves = ends([[1.0, 1.0, INF]], validation_accuracy=[[0.75, 0.5, 1.0]])
    assert point_scores(curves, "validation_accuracy", problem()).tolist() == [-0.75, -0.5, INF]


def test_a_cell_is_chosen_by_what_its_problem_has():
    rows, target = {"validation": np.zeros(2)}, {"targets": {"train_loss": 1.0}}
    assert criteria_of((), problem()) == ("train_loss",)
    assert criteria_of((), problem(**target)) == ("train_loss", "steps_to_target")
    assert criteria_of((), problem(**rows, **target)) == ("validation_loss", "train_loss", "steps_to_target")
    assert criteria_of(("validation_accuracy",), problem(**rows)) == ("validation_loss",)
    assert criteria_of(("steps_to_target",), problem()) == ("train_loss",)
    accurate = problem(metrics=lambda params, data: {"loss": params, "accuracy": params}, **rows)
    assert criteria_of(("validation_accuracy", "train_loss"), accurate) == ("validation_accuracy", "train_loss")
    assert criteria_of((), accurate, has_choice=False) == ("validation_loss",)


def test_a_point_that_was_not_finite_midway_does_not_win():
    assert best(ends([[0.0, 1.0]], at=[[3, -1]]))[1] == 1


def test_diverged_is_far_above_the_start_and_rising():
    # From 10 down to 5 at the most: far is 10 + 10 * 5.
    curves = ends([[9.0, 10.0, 10.1, 60.0, 61.0, INF, NAN, 9.0]], at=[[-1, -1, -1, -1, -1, -1, -1, 3]])
    assert diverged(curves).tolist() == [[False, False, False, False, True, True, True, True]]
    assert worse_than_start(curves).tolist() == [[False, False, True, True, True, True, False, False]]


def test_noise_around_an_optimum_that_a_run_starts_from_is_no_divergence():
    # Fine-tuning: the starts of two seeds are 0.501 and 0.502, the optimum is 0.5.
    loss = np.array([[[0.501, 0.5005, 0.5028]], [[0.502, 0.5001, 0.506]]])
    curves = ends(loss[..., -1])
    curves.metrics["train_loss"][:] = loss
    assert not diverged(curves).any() and worse_than_start(curves).all()


@pytest.mark.parametrize(
    ("final", "winner"),
    [
        ([[NAN, 3.0, 2.0]], 2),
        # Even where all that ran to the end diverged.
        ([[NAN, INF, INF]], 1),
        ([[NAN, 10.5, INF]], 1),
    ],
    ids=str,
)
def test_a_dropped_point_does_not_win(final, winner):
    assert best(ends(final, stopped=[2, -1, -1]))[1] == winner


@pytest.mark.parametrize("after", [0, 1, 2])
def test_a_dropped_point_has_not_diverged_for_that(after):
    curves = ends([[NAN, NAN, NAN, NAN]], at=[[-1, 1, 0, -1]], stopped=[after, after, after, -1])
    assert diverged(curves).tolist() == [[False, True, True, True]]


def test_scores_for_a_search_are_of_all_seeds_and_leave_nothing_out():
    curves = ends([[1.0, 2.0, NAN], [4.0, 3.0, NAN]], stopped=[-1, -1, 2])
    assert point_scores(curves, "train_loss", problem()).tolist() == [4, 3, INF]
    target = problem(targets={"train_loss": 3.5})
    assert point_scores(curves, "steps_to_target", target).tolist() == [INF, 10, INF]


@pytest.mark.parametrize(
    ("losses", "median"),
    [
        ([[1.0], [4.0], [2.0]], 2.0),
        ([[1.0], [4.0], [2.0], [8.0]], 3.0),
        ([[1.0], [INF], [INF]], INF),
        ([[1.0], [2.0], [INF], [INF]], INF),
        ([[1.0], [2.0], [2.5], [INF]], 2.25),
        ([[INF], [INF]], INF),
        ([[7.0]], 7.0),
    ],
    ids=str,
)
def test_the_median_counts_infinity(losses, median):
    assert median_loss(np.array(losses)).tolist() == [median]


def test_far_is_by_the_spread_of_the_starts_too():
    """Starts of 10 and 13 differ by 3, and nothing was gained: far is 30 above the start."""
    curves = ends([[39.0], [44.0]])
    loss = np.array([[[10.0, 10.0, 39.0]], [[13.0, 13.0, 44.0]]])
    curves.metrics["train_loss"][:] = loss
    assert diverged(curves).tolist() == [[False], [True]]


@pytest.mark.parametrize(
    ("losses", "has_diverged"),
    [
        # Rising is above the record in the middle: the third of five.
        *(([10, 5, 90, 91, 90], False), ([10, 5, 89, 91, 90], True), ([10, 5, 90, 89, 90], False)),
        # A loss in the middle that is not finite says nothing of it.
        *(([10, 5, INF, 91, 90], True), ([10, 5, NAN, 91, 90], True)),
        # Of two records the first is the middle.
        *(([10, 111], True), ([10, 9], False)),
    ],
)
def test_what_ends_far_above_its_start_has_diverged_unless_it_falls(losses, has_diverged):
    curves = replace(ends([[0.0]]), metrics={"train_loss": np.array([[losses]], float)})
    assert diverged(curves).tolist() == [[has_diverged]]


@pytest.mark.parametrize("losses", [[[1.0, 1.0 + 1e-7]], [[1.0 + 1e-7, 1.0]]], ids=["first", "second"])
def test_what_a_start_of_a_thousandth_tells_apart_is_not_equal(losses):
    """Float32 tells 1 and 1 + 1e-7 apart where the losses began at a thousandth, and not where they began at 10."""
    assert best(ends(losses, first=0.001), rates=[2, 1])[1] == int(np.argmin(losses))
    assert best(ends(losses), rates=[2, 1])[1] == 1


def grid(**axes):
    """Points of one or two axes, the last one fastest."""
    points = [{}]
    for name, values in axes.items():
        points = [point | {name: value} for point in points for value in values]
    return points


@pytest.mark.parametrize(
    ("axes", "best", "edge"),
    [
        ({"learning_rate": [0.1, 0.2, 0.3]}, 0, ("learning_rate",)),
        ({"learning_rate": [0.1, 0.2, 0.3]}, 1, ()),
        ({"learning_rate": [0.1, 0.2, 0.3]}, 2, ("learning_rate",)),
        ({"learning_rate": [0.3, 0.1, 0.2]}, 2, ()),
        ({"learning_rate": [0.1]}, 0, ()),
        ({"learning_rate": [0.1, 0.2, 0.3], "weight_decay": [0.0]}, 1, ()),
        # Zero weight decay is an end with nothing beyond it, the largest is not.
        ({"learning_rate": [0.1, 0.2, 0.3], "weight_decay": [0.0, 0.1]}, 2, ()),
        ({"learning_rate": [0.1, 0.2, 0.3], "weight_decay": [0.0, 0.1]}, 3, ("weight_decay",)),
        # A schedule has no ends.
        ({"learning_rate": [0.1, 0.2, 0.3], "schedule": ["constant", "cosine"]}, 2, ()),
        ({"learning_rate": [0.1, 0.2, 0.3], "momentum": [0.5, 0.7, 0.9]}, 4, ()),
        ({"learning_rate": [0.1, 0.2, 0.3], "momentum": [0.5, 0.7, 0.9]}, 5, ("momentum",)),
        ({"learning_rate": [0.1, 0.2, 0.3], "momentum": [0.5, 0.7, 0.9]}, 8, ("learning_rate", "momentum")),
    ],
    ids=str,
)
def test_at_edge(axes, best, edge):
    assert at_edge(grid(**axes), best) == edge
