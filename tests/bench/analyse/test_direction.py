"""Metrics of which neither more nor less is better: shown, and ranked, shaded and followed by nobody."""

import numpy as np
import pytest

from optbench.analyse import points
from optbench.analyse.outcomes import Slice, tuned
from optbench.analyse.series import grid_trials, tuned_curve
from optbench.analyse.trials import direction, is_higher_better
from optbench.history.record import summarise
from optbench.report.html.shading import near
from optbench.results import load

WHOLE = Slice()
PROBES = {"weight_accuracy": None, "sharpness": False, "flatness": True}


@pytest.fixture
def cell(handmade):
    """Store a cell of five report seeds of which the last two ended above their start, with a probe of each kind."""
    losses = [[4.0, 3.0, 1.0], [4.0, 3.0, 2.0], [4.0, 3.0, 3.0], [4.0, 5.0, 9.0], [4.0, 5.0, 9.0]]
    trials = {
        seed: {name: [1.0, 2.0, 10.0 + seed] for name in PROBES} | ({"status": "diverged"} if seed > 2 else {})
        for seed in range(5)
    }
    return handmade("sgd", losses, probes=PROBES, trials=trials)


def test_a_probe_has_its_own_direction_whatever_its_name(cell):
    assert {name: direction(name, cell.results) for name in PROBES} == PROBES
    assert direction("train_loss", cell.results) is False and direction("test_accuracy", cell.results) is True
    assert not is_higher_better("weight_accuracy", cell.results) and is_higher_better("flatness", cell.results)


def test_what_diverged_is_not_known_of_it(cell):
    ends = tuned(cell, WHOLE).ends
    np.testing.assert_array_equal(ends["weight_accuracy"][:, 0], [10.0, 11.0, 12.0, np.nan, np.nan])
    np.testing.assert_array_equal(ends["sharpness"][:, 0], [10.0, 11.0, 12.0, np.inf, np.inf])
    np.testing.assert_array_equal(ends["flatness"][:, 0], [10.0, 11.0, 12.0, 0.0, 0.0])


def test_medians_are_over_what_is_known(cell, tmp_path):
    (row,) = load("handmade", tmp_path / "results").convergence().to_records()
    assert (row["weight_accuracy"], row["sharpness"], row["flatness"]) == (11.0, 12.0, 10.0)
    assert points.tuned_end(cell, "weight_accuracy", WHOLE)[0] == 11.0
    curve = tuned_curve(cell, "weight_accuracy", "steps", WHOLE)
    assert curve.median.tolist() == [1.0, 2.0, 11.0] and len(curve.diverged) == 2


def test_most_seeds_diverged_is_infinite_as_of_other_metrics(handmade):
    trials = {seed: {"norm": [1.0, 2.0, 3.0], "status": "diverged" if seed else "ok"} for seed in range(3)}
    part = handmade("sgd", [[4.0, 3.0, 9.0]] * 3, probes={"norm": None}, trials=trials)
    assert points.tuned_end(part, "norm", WHOLE) == (np.inf, np.inf, np.inf)


def test_no_history_follows_it_and_nothing_shades_it(cell, tmp_path):
    rows = summarise(load("handmade", tmp_path / "results"))[1]
    measures = {row["measure"] for row in rows}
    assert "sharpness" in measures and not {"weight_accuracy", "flatness"} & measures
    records = [{"problem": "bowl", name: value} for name in ("weight_accuracy",) for value in (1.0, 2.0)]
    assert near(records, "weight_accuracy") == [None, None]


def test_the_loss_chooses_the_best_of_the_other_settings(handmade):
    """Of two points with one learning rate, the norm of that with the lower loss is shown: it is the higher one."""
    tried = {0.1: [[4.0, 3.0, 1.0]], 0.2: [[4.0, 3.0, 2.0]]}
    chosen = {"learning_rate": 0.1}
    fields = {
        0: {"norm": [1.0, 2.0, 30.0], "hyperparameters": chosen},
        1: {"norm": [1.0, 2.0, 3.0], "hyperparameters": chosen},
    }
    part = handmade("sgd", [[4.0, 3.0, 1.0]], tried=tried, points=fields, probes={"norm": None})
    (point,) = points.points(part, "norm", ["learning_rate"], WHOLE)
    assert (point.value, point.chosen) == (30.0, True)


class TestMeasuredOnce:
    @pytest.fixture
    def part(self, handmade):
        """Store a cell whose probe was measured at the end of its report seeds alone."""
        at_end = [float("nan"), float("nan"), 5.0]
        return handmade("sgd", [[4.0, 3.0, 1.0]] * 2, probes={"apart": None}, trial={"apart": at_end})

    def test_its_value_is_that_of_the_last_record(self, part, tmp_path):
        assert points.tuned_end(part, "apart", WHOLE) == (5.0, 5.0, 5.0)
        rows = load("handmade", tmp_path / "results").trials().to_records()
        assert [row["apart"] for row in rows] == [None, 5.0, 5.0]

    def test_it_has_no_curve_nor_selection_trials(self, part):
        with pytest.raises(ValueError, match="apart is measured once, at the end, so it has no curve"):
            tuned_curve(part, "apart", "steps", WHOLE)
        for read in (
            lambda: grid_trials(part, "apart", "steps", WHOLE),
            lambda: points.points(part, "apart", [], WHOLE),
        ):
            with pytest.raises(ValueError, match="bowl / sgd: its select trials have no apart there"):
                read()

    def test_it_has_no_value_at_an_earlier_step(self, part):
        with pytest.raises(ValueError, match="its report trials have no apart there"):
            points.tuned_end(part, "apart", Slice(at_step=10))
