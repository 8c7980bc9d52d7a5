"""Series over time."""

import numpy as np
import pytest

from optbench.history.trends import trends


@pytest.fixture
def history(keep, quality, seconds, other_machine):
    """Keep three entries, the last of another machine."""

    def rows(value):
        return [quality([value]), seconds(value), quality([value], problem="mlp[width=8]", optimizer="sgd")]

    return keep(rows(1.0), rows(2.0), ({"device": other_machine}, rows(3.0)))


def named(found):
    return {(trend.series["problem"], trend.series["measure"]): trend.values.tolist() for trend in found}


def test_quality_goes_through_all_machines_and_speed_through_one(history):
    found = trends(history, history.entries, {})
    assert [trend.values.tolist() for trend in found if trend.series["measure"] == "step_seconds"] == [
        [1.0, 2.0],
        [3.0],
    ]
    assert named(found)["mlp", "train_loss"] == [1.0, 2.0, 3.0]
    assert [entry.id for entry in found[0].entries] == [entry.id for entry in history.entries]


@pytest.mark.parametrize(
    ("chosen", "num"),
    [
        ({"problem": ["mlp"]}, 4),
        ({"problem": ["mlp[width=8]"]}, 1),
        ({"problem": ["mlp[*"], "optimizer": ["s*"]}, 1),
        ({"measure": ["*_seconds"]}, 2),
        ({"measure": ["gap", "train_loss"]}, 2),
        ({"problem": ["nosuch"]}, 0),
    ],
)
def test_names_and_patterns_choose(history, chosen, num):
    assert len(trends(history, history.entries, chosen)) == num


def test_a_machine_is_chosen_by_its_fingerprint(history):
    machine = history.entries[-1].machine
    found = trends(history, history.entries, {"machine": [f"{machine[:5]}*"], "measure": ["step_seconds"]})
    assert [trend.values.tolist() for trend in found] == [[3.0]]


def test_changes_name_the_first_entry_after_and_the_ratio(keep, seconds):
    values = [1.0, 1.01, 0.99, 1.0, 1.02, 0.98, 1.0, 1.01, 2.0, 2.02, 1.98, 2.0, 2.01, 1.99]
    history = keep(*([seconds(value)] for value in values))
    (trend,) = trends(history, history.entries, {})
    ((entry, ratio),) = trend.changes()
    assert entry == history.entries[8] and ratio == pytest.approx(2.0)


def test_intervals_come_along(history):
    (trend,) = trends(history, history.entries[:1], {"measure": ["step_seconds"]})
    np.testing.assert_allclose([trend.low[0], trend.high[0]], [0.995, 1.005])
