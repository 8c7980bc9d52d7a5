"""What a larger batch buys, on curves that reach the target after S_min + E_min / B steps."""

import math

import numpy as np
import pytest

from optbench.analyse.outcomes import Slice
from optbench.problems.convex.noisy_quadratic import _parts
from optbench.tables.batch_scaling import FastestPoints, batch_scaling, fit_seeds, notes, region

INF = math.inf
STEP = (0, 12, 20, 60, 90)


def reach(at):
    """Reach the target, 1, at a step."""
    return [8.0 if step < at else 1.0 for step in STEP]


def cell(handmade, size, *steps, **fields):
    """Write a cell whose rate 0.2 takes so many steps, one number per seed; 0.1 never arrives."""
    tried = {0.1: [reach(INF)] * len(steps), 0.2: [reach(at) for at in steps]}
    said = {"batch_size": size, "examples_per_step": size, "step": STEP} | fields
    return handmade("sgd", [], tried=tried, **said)


def points(*steps):
    """Make settings that take so many steps, in as many resamples; the first number is what all seeds give."""
    return FastestPoints(0.1, float(steps[0]), 10, np.array(steps, float))


@pytest.fixture
def scaled(handmade):
    """10 + 80 / B: the critical batch size is 8."""
    return [cell(handmade, 40, 12, batch_size="full"), cell(handmade, 1, 90), cell(handmade, 8, 20)]


def test_recovers_what_the_curves_were_made_of(scaled):
    _, rows = batch_scaling(scaled, Slice())
    assert [row["batch_size"] for row in rows] == [1, 8, "full"]
    assert [row["steps_to_target"] for row in rows] == [90, 20, 12]
    assert [row["examples_to_target"] for row in rows] == [90, 160, 480]
    for row in rows:
        for end in ("", "_low", "_high"):
            assert row[f"fewest_steps{end}"] == pytest.approx(10)
            assert row[f"fewest_examples{end}"] == pytest.approx(80)
            assert row[f"critical_batch_size{end}"] == pytest.approx(8)


def test_regions(scaled):
    """A doubled batch saves 8/9, 1/2 and 1/6 of a half of the steps."""
    assert [row["region"] for row in batch_scaling(scaled, Slice())[1]] == ["perfect", "diminishing", "none"]


def test_the_learning_rate_is_tuned_at_each_size(handmade):
    parts = [
        handmade("sgd", [], tried={0.1: [reach(90)], 0.2: [reach(60)]}, batch_size=4, step=STEP),
        handmade("sgd", [], tried={0.1: [reach(20)], 0.2: [reach(60)]}, batch_size=8, examples_per_step=8, step=STEP),
    ]
    assert [(row["learning_rate"], row["steps_to_target"]) for row in batch_scaling(parts, Slice())[1]] == [
        (0.2, 60),
        (0.1, 20),
    ]


def test_a_size_that_missed_the_target_is_left_out_of_the_fit(handmade, scaled):
    _, rows = batch_scaling([cell(handmade, 2, INF), *scaled], Slice())
    missed = rows[1]
    assert (missed["batch_size"], missed["steps_to_target"], missed["examples_to_target"]) == (2, INF, INF)
    assert missed["learning_rate"] is missed["region"] is None
    assert rows[0]["critical_batch_size"] == pytest.approx(8)
    assert notes(None, rows, Slice())[-1].startswith("region")


@pytest.mark.parametrize("steps", [(INF, INF), (60, INF), (0, 20)], ids=["nobody", "one", "one-at-the-start"])
def test_fewer_than_two_sizes_fit_nothing(handmade, steps):
    _, rows = batch_scaling([cell(handmade, size, at) for size, at in zip((4, 8), steps, strict=True)], Slice())
    assert [row["steps_to_target"] for row in rows] == list(steps)
    assert all(row["region"] is None and "fewest_steps" not in row for row in rows)
    assert (notes(None, rows, Slice())[-1] == "no optimizer reached the target on bowl") == (steps == (INF, INF))


@pytest.mark.parametrize(
    ("steps", "zero", "where"),
    [
        ((90, 45), "fewest_steps", "perfect"),
        ((90, 20), "fewest_steps", "perfect"),
        ((20, 20), "fewest_examples", "none"),
        ((20, 90), "fewest_examples", "none"),
    ],
    ids=["half-the-steps", "fewer-than-half", "as-many", "more"],
)
def test_a_fit_stays_at_or_above_zero(steps, zero, where):
    fitted = fit_seeds(np.array([4.0, 8.0]), [points(at) for at in steps])
    assert fitted[zero] == pytest.approx(0, abs=1e-9)
    assert fitted["fewest_steps"] >= 0 and fitted["fewest_examples"] >= 0
    assert region(8.0, fitted) == where


def test_intervals_come_from_the_resamples():
    """At the sizes 1 and 2, (30, 20) gives 10 + 20 / B, (50, 20) takes -10 + 60 / B up to nothing."""
    fitted = fit_seeds(np.array([1.0, 2.0]), [points(30, 30, 30, 50), points(20, 20, 20, 20)])
    assert (fitted["fewest_steps"], fitted["fewest_steps_high"]) == (pytest.approx(10), pytest.approx(10))
    assert fitted["fewest_steps_low"] < 10
    assert fitted["critical_batch_size"] == pytest.approx(2)


@pytest.mark.parametrize("steps", [0.0, INF], ids=["at-the-start", "missed"])
def test_a_resample_may_fall_out(steps):
    fitted = fit_seeds(np.array([1.0, 2.0]), [points(30, 30, steps), points(20, 20, 20)])
    assert all(math.isfinite(value) for value in fitted.values())
    assert fitted["fewest_steps"] == pytest.approx(10)


def fastest(handmade, *curves, **fields):
    """Return the steps that one rate takes, of a curve per seed."""
    part = {"step": STEP, "batch_size": 4, "examples_per_step": 4} | fields
    other = part | {"batch_size": 8, "examples_per_step": 8}
    parts = [handmade("sgd", [], tried={0.1: list(curves)}, **size) for size in (part, other)]
    return batch_scaling(parts, Slice())[1][0]["steps_to_target"]


def test_steps_are_those_of_the_mean_between_records(handmade):
    """From 4 to 1/4 is through 1 halfway in the logarithm, between the steps 20 and 60."""
    assert fastest(handmade, [8.0, 4.0, 4.0, 0.25, 0.25]) == pytest.approx(40)
    assert fastest(handmade, [8.0, 4.0, 5.0, 0.25, 0.25], [8.0, 4.0, 3.0, 0.25, 0.25]) == pytest.approx(40)


def test_a_touch_is_no_arrival(handmade):
    assert fastest(handmade, [8.0, 1.0, 8.0, 8.0, 1.0]) == 90
    assert fastest(handmade, [8.0, 1.0, 8.0, 8.0, 8.0]) == INF


def test_settings_with_a_seed_that_diverged_do_not_count(handmade):
    lost = [8.0, 1.0, 1.0, 1.0, math.nan]
    parts = [
        handmade("sgd", [], tried={0.1: [reach(60)] * 2, 0.2: [reach(12), lost]}, step=STEP, **size, points=points)
        for size in ({"batch_size": 4}, {"batch_size": 8, "examples_per_step": 8})
        for points in [{1: {"status": "diverged"}}]
    ]
    assert {row["learning_rate"] for row in batch_scaling(parts, Slice())[1]} == {0.1}


def test_a_point_that_a_search_stopped_goes_on_as_it_was(handmade):
    nan = math.nan
    assert fastest(handmade, [8.0, 8.0, 1.0, nan, nan], points={0: {"status": "stopped"}}) == 20


def sgd_on_noisy_quadratic(rates, batch_size, random):
    """Return losses [rate, seed, step] of plain numpy, axis by axis; the noise is the same for all rates."""
    eigenvalues, variance, minimiser = _parts(100, 1.0, "hessian", 1.0, 0)
    distance = np.broadcast_to(-minimiser, (len(rates), 10, 100)).copy()
    losses = []
    for _ in range(501):
        losses.append(distance**2 @ eigenvalues / 2)
        noise = random.standard_normal((10, 100)) * np.sqrt(variance / batch_size)
        distance -= np.array(rates)[:, None, None] * (eigenvalues * distance + noise)
    return np.stack(losses, axis=-1)


@pytest.mark.parametrize("records", [50, 500])
def test_the_critical_batch_size_of_a_noisy_quadratic_is_within_its_interval(handmade, records):
    """Of the expected loss, tuned at each size, it is 30 steps, 8669 examples and 289 for the target 0.02."""
    random, step = np.random.default_rng(0), tuple(range(0, 501, 500 // records))
    parts = []
    for size, rates in ((32, (0.25, 0.35, 0.5)), (128, (0.7, 1.0, 1.4)), (512, (1.0, 1.4, 2.0))):
        curves = sgd_on_noisy_quadratic(rates, size, random)[..., :: 500 // records].tolist()
        fields = {"batch_size": size, "examples_per_step": size, "targets": {"train_loss": 0.02}}
        parts.append(handmade("sgd", [], tried=dict(zip(rates, curves, strict=True)), step=step, **fields))
    fitted = batch_scaling(parts, Slice())[1][0]
    for name, exact in (("fewest_steps", 30), ("fewest_examples", 8669), ("critical_batch_size", 289)):
        assert fitted[f"{name}_low"] < exact < fitted[f"{name}_high"]
        assert fitted[name] == pytest.approx(exact, rel=0.2)


def test_equal_sizes_fit_nothing(handmade):
    """The whole set may be given by its number of rows too."""
    parts = [cell(handmade, 8, 20), cell(handmade, 8, 20, batch_size="full")]
    assert batch_scaling(parts, Slice())[1] == []
    assert fit_seeds(np.array([8.0, 8.0]), [points(20), points(20)]) == {}


@pytest.mark.parametrize(
    "fields", [{"targets": {}}, {"outcome": "failed", "message": "boom"}], ids=["no-target", "failed"]
)
def test_without_a_target_or_two_sizes_there_are_no_rows(handmade, fields):
    parts = [cell(handmade, 4, 20), cell(handmade, 8, 20, **fields)]
    columns, rows = batch_scaling(parts, Slice())
    assert columns[:3] == ["problem", "optimizer", "batch_size"] and rows == []
    assert notes(None, rows, Slice()) == [
        "no problem with a target was run at several batch sizes: optbench run ... --batch-size 32,128"
    ]


def test_slices(handmade):
    parts = [cell(handmade, 4, 60, 90, 90), cell(handmade, 8, 20, 60, 60)]

    def steps(**view):
        return [row["steps_to_target"] for row in batch_scaling(parts, Slice(**view))[1]]

    assert steps() == [90, 60]
    assert steps(seeds=1) == [60, 20]
    assert steps(at_step=60) == [INF, 60]
    assert steps(target=9.0) == [0, 0]
    assert steps(target=0.5) == [INF, INF]
