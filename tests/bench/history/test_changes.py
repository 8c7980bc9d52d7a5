"""Verdicts: a true change is called, noise is not, and what can't be compared says why."""

import numpy as np
import pytest

from optbench.history.changes import Margins, changes

SEEDS = 10


def verdicts(history, before=None, now=None, **margins):
    """Judge the newest entry against all others, measure -> (verdict, why)."""
    before, now = before or history.entries[:-1], now or history.entries[-1:]
    rows = changes(history, before, now, Margins(**margins))
    return {row["measure"]: (row["verdict"], row["why"]) for row in rows}


def costs(scale=1.0, spread=0.1, stream=0):
    """Draw costs of some seeds."""
    return 0.1 * scale * np.exp(spread * np.random.default_rng(stream).standard_normal(SEEDS))


def test_the_same_numbers_are_the_same(keep, quality):
    history = keep([quality(costs())], [quality(costs())])
    (row,) = changes(history, history.entries[:1], history.entries[1:], Margins())
    assert (row["verdict"], row["ratio"], row["ratio_low"], row["ratio_high"]) == ("same", 1.0, 1.0, 1.0)


@pytest.mark.parametrize(("scale", "verdict"), [(1.2, "worse"), (1.04, "same"), (1 / 1.2, "better")])
def test_a_shift_of_all_seeds_is_called_beyond_the_margin(keep, quality, scale, verdict):
    history = keep([quality(costs())], [quality(costs(scale))])
    assert verdicts(history)["train_loss"][0] == verdict


def test_the_interval_is_students_on_paired_logarithms(keep, quality):
    moved = np.exp([0.1, 0.2, 0.3])
    history = keep([quality([1.0, 1.5, 0.5], start=9.0)], [quality([1.0, 1.5, 0.5] * moved, start=9.0)])
    (row,) = changes(history, history.entries[:1], history.entries[1:], Margins())
    # Three differences of mean 0.2 and deviation 0.1; t of 2 degrees of freedom at 97.5 % is 4.3027.
    half = 4.3027 * 0.1 / np.sqrt(3)
    expected = np.exp([0.2, 0.2 - half, 0.2 + half])
    np.testing.assert_allclose([row["ratio"], row["ratio_low"], row["ratio_high"]], expected, rtol=1e-4)
    assert row["verdict"] == "undecided"


def test_seeds_that_scatter_decide_nothing(keep, quality):
    history = keep([quality(costs(spread=0.5))], [quality(costs(1.2, spread=0.5, stream=1))])
    assert verdicts(history)["train_loss"] == ("undecided", "the interval reaches into the margin")


def test_a_deterministic_problem_needs_no_seeds(keep, quality):
    history = keep([quality([0.1])], [quality([0.1])])
    assert verdicts(history)["train_loss"][0] == "same"
    history = keep([quality([0.1] * 3)], [quality([0.1] * 3)], [quality([0.11] * 3)])
    assert verdicts(history)["train_loss"][0] == "worse"


def test_what_diverges_now_is_worse_than_any_end(keep, quality):
    history = keep([quality([0.1] * 10)], [quality([np.inf] * 10)])
    rows = changes(history, history.entries[:1], history.entries[1:], Margins())
    assert rows[0]["verdict"] == "worse" and rows[0]["now"] == np.inf
    # As one that had not begun: from a start of 2.
    assert rows[0]["ratio"] == pytest.approx(20)


def test_what_lies_in_rounding_is_no_change(keep, quality):
    history = keep([quality([1e-9] * 10)], [quality([5e-8] * 10)])
    assert verdicts(history)["train_loss"][0] == "same"


def test_losses_below_zero_are_compared_by_their_size(keep, quality):
    before, now = [-1.0, -1.1, -0.9, -1.0], [-0.8, -0.9, -0.7, -0.8]
    history = keep([quality(before, least=None)], [quality(now, least=None)])
    (row,) = changes(history, history.entries[:1], history.entries[1:], Margins())
    assert row["verdict"] == "worse" and row["ratio"] == pytest.approx(1.2)


def test_another_start_is_another_problem(keep, quality):
    history = keep([quality(costs())], [quality(costs(2), start=2.5)])
    verdict, why = verdicts(history)["train_loss"]
    assert verdict == "not compared" and "start from different losses" in why


def test_entries_before_are_taken_together_by_seed(keep, quality):
    spiked = costs()
    spiked[0] *= 9
    history = keep([quality(costs())], [quality(spiked)], [quality(costs())], [quality(costs())])
    assert verdicts(history)["train_loss"][0] == "same"


def noisy(seconds, values, **fields):
    """Make entries of a step's seconds, all of one version."""
    return [[seconds(value, **fields)] for value in values]


def test_slower_beyond_margin_and_noise_is_worse(keep, seconds):
    history = keep(*noisy(seconds, [1.0, 1.01, 0.99, 1.0, 1.01]), [seconds(1.1, key="new")])
    assert verdicts(history)["step_seconds"] == ("worse", "")
    assert verdicts(history, speed=0.2)["step_seconds"] == ("same", "")


def test_slower_within_the_noise_is_undecided(keep, seconds):
    history = keep(*noisy(seconds, [1.0, 1.1, 0.9, 1.05, 0.95]), [seconds(1.12, key="new")])
    assert verdicts(history)["step_seconds"] == ("undecided", "within the noise of repeated entries")


def test_without_repeats_the_noise_is_unknown(keep, seconds):
    history = keep([seconds(1.0, key="a")], [seconds(1.3, key="b")])
    verdict, why = verdicts(history)["step_seconds"]
    assert (verdict, why) == ("undecided", "noise unknown: 0 of the 3 repeated entries it takes")


def test_a_series_without_repeats_has_the_noise_of_the_others(keep, seconds):
    other = [[seconds(value, problem="quadratic")] for value in (1.0, 1.01, 0.99, 1.0, 1.01)]
    history = keep(*other, [seconds(1.0, key="a")], [seconds(1.3, key="b")])
    assert verdicts(history, history.entries[5:6])["step_seconds"] == ("worse", "")


def test_a_wide_interval_of_a_run_decides_nothing(keep, seconds):
    history = keep(*noisy(seconds, [1.0, 1.01, 0.99, 1.0]), [seconds(1.1, key="new", width=0.2)])
    assert verdicts(history)["step_seconds"] == ("undecided", "the interval reaches into the margin")


@pytest.mark.parametrize("measure", ["step_seconds", "compile_seconds", "peak_bytes"])
def test_another_machine_raises_no_alarm_on_speed(keep, seconds, other_machine, measure):
    history = keep(*noisy(seconds, [1.0] * 3, measure=measure), ({"device": other_machine}, [seconds(9.0, measure)]))
    assert verdicts(history)[measure] == ("not compared", "measured on another machine")


def test_bytes_have_a_margin_of_their_own(keep, seconds):
    history = keep([seconds(100.0, "peak_bytes")], [seconds(110.0, "peak_bytes")])
    assert verdicts(history)["peak_bytes"][0] == "worse"
    assert verdicts(history, memory=0.2)["peak_bytes"][0] == "same"


def test_more_arithmetic_is_worse_on_any_machine_and_at_once(keep, seconds, other_machine):
    history = keep([seconds(100.0, "flops_per_step")], ({"device": other_machine}, [seconds(110.0, "flops_per_step")]))
    assert verdicts(history)["flops_per_step"] == ("worse", "")
    assert verdicts(history, speed=0.2)["flops_per_step"] == ("same", "")


@pytest.mark.parametrize(("now", "verdict"), [(4, "same"), (20, "worse")])
def test_diverged_trials_are_a_share_of_all(keep, quality, now, verdict):
    row = quality([1.0], "diverged_trials") | {"n": 72, "seeds": None, "samples": None}
    history = keep([row | {"value": 2.0}], [row | {"value": float(now)}])
    assert verdicts(history)["diverged_trials"][0] == verdict


def test_missing_new_and_failed_rows_are_named(keep, quality):
    failed = {"problem": "mlp", "optimizer": "lion", "batch_size": "32", "dtype": "float32", "settings": "points=3"}
    before = [quality(costs()), quality(costs(), optimizer="sgd"), quality(costs(), optimizer="lion")]
    now = [quality(costs()), quality(costs(), optimizer="muon"), failed | {"measure": "failed", "message": "raised"}]
    history = keep(before, now)
    rows = changes(history, history.entries[:1], history.entries[1:], Margins())
    found = {(row["optimizer"], row["verdict"], row["why"]) for row in rows}
    assert found == {("adamw", "same", ""), ("sgd", "missing", ""), ("muon", "new", ""), ("lion", "failed", "raised")}
    assert [row["verdict"] for row in rows][:2] == ["failed", "missing"]


def test_two_copies_are_rarely_called_different():
    """Draw both sides from one distribution: of 200 checks of 20 rows each, at most 5 % and a little may call one."""
    from optbench.history.paired import t_interval

    draws = np.random.default_rng(0).standard_normal((400, 20, SEEDS)) * 0.3
    called = [any(t_interval(row, 20)[1] > np.log(1.05) for row in one) for one in draws]
    assert np.mean(called) <= 0.05


@pytest.mark.parametrize(
    ("before", "now", "why"),
    [
        (0.0, 1e-9, "measured as zero before, which has no ratio"),
        (1e-9, 0.0, "measured as zero now, which has no ratio"),
        (0.0, 0.0, "measured as zero before and now, which has no ratio"),
        (np.nan, 1e-3, "no finite number before"),
        (1e-3, np.inf, "no finite number now"),
    ],
)
@pytest.mark.parametrize("measure", ["seconds", "compile_seconds"])
def test_seconds_without_a_ratio_are_not_compared(keep, seconds, measure, before, now, why):
    history = keep(*([seconds(value, measure)] for value in (before, now)))
    assert verdicts(history)[measure] == ("not compared", why)


@pytest.mark.parametrize(("before", "now", "verdict"), [(0.0, 0.0, "same"), (0.0, 8.0, "not compared")])
def test_bytes_of_zero_are_the_same_or_not_compared(keep, seconds, before, now, verdict):
    history = keep(*([seconds(value, "peak_bytes")] for value in (before, now)))
    assert verdicts(history)["peak_bytes"][0] == verdict
