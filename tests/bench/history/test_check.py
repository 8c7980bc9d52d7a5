"""Does the newest entry differ from those before it? Regressions are caught; repeats and other machines are not."""

import numpy as np
import pytest

from optbench.errors import StoreError
from optbench.history.changes import Margins
from optbench.history.check import check
from optbench.history.verdict import verdict

ROWS = [("quadratic", "adamw"), ("quadratic", "muon"), ("mlp", "adamw"), ("mlp", "muon")]


def simulated(quality, seconds, number, key="k", slower=1.0, worse=1.0, noise=0.02, load=1.0):
    """Make the rows of a run: the same costs by seed, seconds with noise; the last optimizer on mlp may differ."""
    rng = np.random.default_rng([1, number])
    rows = []
    for place, (problem, optimizer) in enumerate(ROWS):
        named = {"problem": problem, "optimizer": optimizer, "key": key if place == 3 else "k"}
        costs = 0.1 * np.exp(0.3 * np.random.default_rng([2, place]).standard_normal(10))
        rows.append(quality(costs * (worse if place == 3 else 1), **named))
        step = 1e-3 * np.exp(noise * rng.standard_normal()) * (slower if place == 3 else 1)
        rows.append(seconds(step * load, "sgd_ratio", **named))
        rows.append(seconds(step * load * np.exp(noise * rng.standard_normal()), **named))
    return rows


@pytest.fixture
def rows_of(quality, seconds):
    """Return a function that makes the rows of run number so many."""
    return lambda number, **change: simulated(quality, seconds, number, **change)


def test_an_update_ten_percent_slower_is_called(keep, rows_of):
    history = keep(*(rows_of(number, noise=0.01) for number in range(8)), rows_of(8, key="new", slower=1.1, noise=0.01))
    worse = check(history, None, 10, Margins()).worse
    assert {(row["problem"], row["optimizer"], row["measure"]) for row in worse} == {
        ("mlp", "muon", "sgd_ratio"),
        ("mlp", "muon", "step_seconds"),
    }


def test_several_newest_entries_tell_more_than_one(keep, rows_of):
    """At 3 % noise a step of 10 % is lost in one entry, and not in four."""
    past = [rows_of(number, noise=0.03) for number in range(10)]
    history = keep(*past, *(rows_of(number, key="new", slower=1.1, noise=0.03) for number in range(10, 14)))
    checked = check(history, None, 10, Margins(), newest=4)
    assert ("muon", "sgd_ratio") in {(row["optimizer"], row["measure"]) for row in checked.worse}
    assert [entry.id for entry in checked.now] == [entry.id for entry in history.entries[10:]]
    alone = history._replace(entries=history.entries[:11], rows=history.rows.slice(0, 11 * 12))
    assert check(alone, None, 10, Margins()).worse == []


def test_all_entries_taken_together_leave_nothing_before(keep, rows_of):
    with pytest.raises(StoreError, match="no more than 2 entries of suite smoke"):
        check(keep(rows_of(0), rows_of(1)), None, 10, Margins(), newest=2)


def test_a_worse_optimizer_is_called(keep, rows_of):
    history = keep(*(rows_of(number) for number in range(8)), rows_of(8, key="new", worse=1.1))
    worse = check(history, None, 10, Margins()).worse
    assert [(row["problem"], row["optimizer"], row["measure"]) for row in worse] == [("mlp", "muon", "train_loss")]


@pytest.mark.parametrize("noise", [0.005, 0.02, 0.1])
def test_repeats_raise_no_alarm(keep, rows_of, noise):
    history = keep(*(rows_of(number, noise=noise) for number in range(40)))
    alarms = []
    for last in range(3, 41):
        past = history._replace(entries=history.entries[:last], rows=history.rows.slice(0, last * 12))
        alarms.append(bool(check(past, None, 10, Margins()).worse))
    # At most one of twenty.
    assert sum(alarms) <= len(alarms) / 20


def test_another_machine_raises_no_alarm_on_speed(keep, rows_of, other_machine):
    history = keep(*(rows_of(number) for number in range(8)), ({"device": other_machine}, rows_of(8, load=3.0)))
    checked = check(history, None, 10, Margins())
    assert checked.worse == []
    said = [row["why"] for row in checked.rows if row["measure"] != "train_loss"]
    assert said == ["measured on another machine"] * 8


def test_speed_is_held_against_this_machine_past_entries_of_others(keep, rows_of, other_machine):
    others = [({"device": other_machine}, rows_of(number, load=3.0)) for number in range(6, 12)]
    mine = [rows_of(number, noise=0.01) for number in range(6)]
    history = keep(*mine, *others, rows_of(12, key="new", slower=1.2, noise=0.01))
    checked = check(history, None, 3, Margins())
    assert {row["measure"] for row in checked.worse} == {"sgd_ratio", "step_seconds"}
    assert len(checked.baseline) == 6


def test_a_baseline_is_what_is_named(keep, rows_of):
    release = [({"label": "v1"}, rows_of(number)) for number in range(3)]
    # Each step is within the margin, all together are not.
    later = [rows_of(number, key=str(number), worse=1.03 ** (number - 2)) for number in range(3, 8)]
    history = keep(*release, *later)
    assert check(history, "latest~1", 10, Margins()).worse == []
    assert [row["measure"] for row in check(history, "v1", 10, Margins()).worse] == ["train_loss"]


def test_entries_of_other_suites_are_no_baseline(keep, rows_of):
    history = keep(*(rows_of(number) for number in range(3)), ({"suite": "quick"}, rows_of(3)))
    with pytest.raises(StoreError, match="first entry of suite quick"):
        check(history, None, 10, Margins())
    with pytest.raises(StoreError, match="no entry of suite quick"):
        check(history, "latest~1", 10, Margins())
    with pytest.raises(StoreError, match="newest entry itself"):
        check(history, "latest", 10, Margins())


def test_what_is_missing_is_named_and_does_not_fail(keep, rows_of):
    history = keep(rows_of(0), rows_of(1), rows_of(2)[3:])
    checked = check(history, None, 10, Margins())
    assert checked.worse == []
    assert {row["measure"] for row in checked.rows if row["verdict"] == "missing"} == {
        *("train_loss", "sgd_ratio", "step_seconds")
    }


def test_a_cell_that_no_longer_runs_fails(keep, rows_of):
    gone = rows_of(2)[0] | {"measure": "failed", "value": None, "message": "raised ValueError"}
    history = keep(rows_of(0), rows_of(1), [gone, *rows_of(2)[3:]])
    assert [(row["verdict"], row["why"]) for row in check(history, None, 10, Margins()).worse] == [
        ("failed", "raised ValueError")
    ]


def test_a_change_of_level_of_late_is_told(keep, rows_of):
    history = keep(*(rows_of(number, slower=1.0 if number < 12 else 1.3) for number in range(18)))
    shifts = check(history, None, 10, Margins()).shifts
    assert {(trend.series["measure"], entry.id) for trend, entry, _ in shifts} == {
        ("sgd_ratio", history.entries[12].id),
        ("step_seconds", history.entries[12].id),
    }
    assert all(ratio == pytest.approx(1.3, rel=0.05) for _, _, ratio in shifts)


def test_a_verdict_for_a_terminal_fits_it_and_a_comment_is_not_broken(keep, quality):
    history = keep(*[[quality([0.1] * 3)]] * 5, [quality([0.2] * 3)])
    checked = check(history, None, 10, Margins())
    assert max(map(len, verdict(history, checked, "plain", 80).splitlines())) <= 80
    assert "beyond the noise, which is how far repeated entries" in verdict(history, checked, "github", 80)
