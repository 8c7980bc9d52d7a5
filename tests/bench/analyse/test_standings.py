"""How optimizers stand on the problems of a run: who is among the best, how far away, and which ranks differ."""

from math import inf, isnan

import numpy as np
import pytest

from optbench.analyse import standings as module
from optbench.analyse.costs import Costs
from optbench.analyse.outcomes import Slice
from optbench.analyse.ranks import rank_letters
from optbench.analyse.standings import TaskStanding, best_on, order_of, standings, typical_distance
from optbench.store.run import load_stored

SEEDS = 9


@pytest.fixture
def run(handmade, tmp_path):
    """Make a run: run({problem: {optimizer: final losses by seed}})."""

    def make(losses, **footer):
        for problem, ends in losses.items():
            for optimizer, values in ends.items():
                handmade(optimizer, [[30.0, 20.0, value] for value in values], problem=problem, run="r", **footer)
        return load_stored(tmp_path / "results" / "r").parts

    return make


def spread(middle):
    return [middle * (1 + seed / 100) for seed in range(SEEDS)]


def test_the_best_its_ratios_and_those_that_cant_be_told_from_it(run):
    noisy = [1.0, 9.0, 1.0, 9.0, 1.1, 9.0, 1.0, 9.0, 1.2]
    (task,) = standings(run({"bowl": {"a": spread(1.0), "b": spread(3.0), "c": noisy}}, targets={}), Slice()).values()
    assert task.metric == "train_loss" and task.best_value == pytest.approx(1.04)
    assert np.median(task.ratios["b"]) == pytest.approx(3.0) and np.median(task.ratios["a"]) == pytest.approx(1.0)
    # Every seed of b is worse; half of c's are better.
    assert task.among_best == ["a", "c"]
    assert task.solved is None


def test_where_nothing_is_random_the_margin_decides(run):
    same = {"a": [1.0] * SEEDS, "b": [1.04] * SEEDS, "c": [1.06] * SEEDS}
    (task,) = standings(run({"bowl": same}), Slice()).values()
    assert task.among_best == ["a", "b"]


def test_targets_are_solved_by_most_seeds(run):
    losses = {"a": spread(1.0), "b": [1.0] * 4 + [3.0] * 5}
    (task,) = standings(run({"bowl": losses}, targets={"train_loss": 2.0}), Slice()).values()
    assert task.solved == ["a"]


def test_what_diverged_everywhere_has_no_best(run):
    parts = run({"bowl": {"a": [inf] * SEEDS, "b": [inf] * SEEDS}, "hill": {"a": spread(1.0), "b": spread(9.0)}})
    tasks = standings(parts, Slice())
    bowl = tasks[next(task for task in tasks if task[0] == "bowl")]
    assert bowl.among_best == [] and bowl.ratios == {}
    assert best_on(tasks, "a") == 1 and best_on(tasks, "b") == 0


def task(ratios, among=()):
    arrays = {name: np.array(values, float) for name, values in ratios.items()}
    return TaskStanding("train_loss", 1.0, arrays, list(among), None)


def test_typical_distance_is_the_median_over_problems():
    tasks = {("p", 1): task({"a": [1, 2, 3]}), ("q", 1): task({"a": [5, 5, 5]}), ("r", 1): task({"a": [7, 8, 9]})}
    assert typical_distance(tasks, "a") == (5.0, 5.0, 5.0)
    # A problem that it did not finish is infinitely far; without any ratio nothing is known.
    assert typical_distance({**tasks, ("s", 1): task({"b": [1]}), ("t", 1): task({"b": [1]})}, "a")[0] == 8.0
    assert typical_distance(tasks, "b") == (inf, inf, inf)
    assert all(map(isnan, typical_distance({("p", 1): task({})}, "a")))


def test_those_among_the_best_most_often_come_first_then_the_nearest():
    tasks = {
        ("p", 1): task({"a": [1], "b": [2], "c": [3]}, ["a", "c"]),
        ("q", 1): task({"a": [3], "b": [2], "c": [1]}, ["c"]),
    }
    assert order_of(tasks, ["a", "b", "c"]) == ["c", "a", "b"]
    nearer = {("p", 1): task({"a": [3], "b": [2]}, ["a", "b"])}
    assert order_of(nearer, ["a", "b"]) == ["b", "a"]


@pytest.mark.parametrize(
    ("ranks", "critical", "letters"),
    [
        ((1.0, 1.5, 4.0), 1.0, ("a", "a", "b")),
        ((1.0, 2.0, 3.0), 1.0, ("a", "ab", "b")),
        ((3.0, 1.0, 2.0), 0.5, ("c", "a", "b")),
        ((1.0, 2.0, 3.0), 5.0, ("a", "a", "a")),
        ((2.0, 2.0, 5.0), 1.0, ("a", "a", "b")),
    ],
    ids=str,
)
def test_letters_of_ranks_that_cant_be_told_apart(ranks, critical, letters):
    assert rank_letters(["x", "y", "z"], ranks, critical) == dict(zip("xyz", letters, strict=True))


def study(random, num_optimizers, num_better, shift, num_tasks=2):
    """Return noisy costs of two problems, of which the first optimizers are better by a factor."""

    def costs(index):
        cost = np.exp(random.standard_normal(10) / 2) * (1 if index < num_better else shift)
        nothing = np.ones(10)
        return Costs("gap", np.arange(10), cost, 0.0, 1.0, 99.0, None, None, None, True, nothing, nothing)

    tasks = {
        (str(number), 1): {str(index): costs(index) for index in range(num_optimizers)} for number in range(num_tasks)
    }
    best = {task: min(own, key=lambda name: np.median(own[name].cost)) for task, own in tasks.items()}
    return module._behind(tasks, best)


def test_equals_are_seldom_told_from_the_best_of_them():
    """Of 100 studies of five equal optimizers at most 10 tell any of them from the luckiest: 5 are promised."""
    random = np.random.default_rng(0)
    assert sum(bool(study(random, 5, 5, 1.0)) for _ in range(100)) <= 10


def test_those_that_are_worse_are_told_from_the_best_and_few_others():
    random = np.random.default_rng(0)
    behind = [name for _ in range(30) for _, name in study(random, 6, 3, 6.0)]
    worse = sum(int(name) >= 3 for name in behind)
    # Three of six are worse on two problems: 180 in all.
    assert worse >= 150 and len(behind) - worse <= 0.05 * len(behind) + 3
