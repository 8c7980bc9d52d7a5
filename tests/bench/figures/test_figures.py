"""Every kind of figure, of every kind of run: it is drawn with a caption, or one line says why it can't be."""

import json
import runpy
from math import inf, nan
from pathlib import Path
from typing import Any

import pytest

from optbench import figures
from optbench.analyse.outcomes import Slice
from optbench.figures.figure import Options
from optbench.store.run import StoredRun, load_stored

#: The runs that tables are held to.
EDGES = runpy.run_path(str(Path(__file__).parents[1] / "tables" / "test_tables.py"))["EDGES"]
TRIED = {0.1: [[8.0, 4.0, 2.0]] * 2, 0.2: [[8.0, 2.0, 0.5]] * 2, 0.4: [[8.0, nan, nan]] * 2}
OPTIONS = (Options(), Options(log=False, interactive=True, width=900, view=Slice(at_step=10, target=2.0, seeds=1)))


def make(run: StoredRun, kind: str, options: Options = OPTIONS[0]) -> dict[str, Any]:
    return figures.kind(kind).draw(run, options)


def rows(spec: dict[str, Any], *fields: str) -> list[tuple[Any, ...]]:
    found = [row for some in spec["datasets"].values() for row in some if all(field in row for field in fields)]
    return [tuple(row[field] for field in fields) for row in found]


def drawn(run: StoredRun, kind: str, options: Options) -> dict[str, Any] | str:
    """Draw a figure, or return what is said in its place."""
    try:
        return make(run, kind, options)
    except ValueError as error:
        return str(error)


@pytest.mark.parametrize("kind", figures.names())
@pytest.mark.parametrize("cells", EDGES.values(), ids=EDGES)
def test_every_kind_of_run_is_drawn_or_says_why_not(handmade, tmp_path, cells, kind):
    for optimizer, losses, fields in cells:
        handmade(optimizer, losses, **fields)
    run = load_stored("handmade", tmp_path / "results")
    for options in OPTIONS:
        spec = drawn(run, kind, options)
        if isinstance(spec, str):
            assert spec.startswith("handmade: ") and "\n" not in spec
            continue
        # NaN and infinity are no JSON.
        assert json.dumps(spec, allow_nan=False) and any(spec["datasets"].values())
        caption = figures.kind(kind).caption(run, options)
        assert caption.endswith(". Run handmade, float32 on cpu.") and "  " not in caption and "\n" not in caption


@pytest.mark.parametrize("kind", [kind for kind in figures.names() if kind != "throughput"])
def test_nothing_finished_is_said(handmade, tmp_path, kind):
    handmade("sgd", [], select=[], outcome="failed", message="boom")
    with pytest.raises(ValueError, match=r"^handmade: no |^handmade: no problem has a target"):
        make(load_stored("handmade", tmp_path / "results"), kind)


class TestOfARun:
    @pytest.fixture
    def run(self, handmade, tmp_path):
        lost = {seed: {"status": "diverged"} for seed in range(2)}
        decays = {place: {"hyperparameters": {"weight_decay": 0.1}} for place in range(1)}
        for size in (4, 16):
            fields = {"batch_size": size, "examples_per_step": size, "tried": TRIED, "points": decays}
            handmade("sgd", [[8.0, 2.0, 0.5], [8.0, 3.0, 0.5]], **fields)
            handmade("adam", [[8.0, 9.0, nan], [8.0, nan, nan]], trials=lost, **fields)
        return load_stored("handmade", tmp_path / "results")

    def test_a_panel_for_each_problem_and_batch_size(self, run):
        titles = [(panel["title"]["text"], panel["title"]["subtitle"]) for panel in make(run, "curves")["concat"]]
        assert titles == [(["bowl"], ["batch size 16"]), (["bowl"], ["batch size 4"])]

    def test_curves_show_where_each_seed_diverged(self, run):
        marks = rows(make(run, "curves"), "optimizer", "said", "x", "y")
        assert sorted(marks) == [
            ("adam", "a seed diverged here", 0, 8),
            ("adam", "a seed diverged here", 10, 9),
        ] * 2 or (
            sorted(set(marks)) == [("adam", "a seed diverged here", 0, 8), ("adam", "a seed diverged here", 10, 9)]
            and len(marks) == 4
        )

    def test_a_grid_shows_every_trial(self, run):
        spec = make(run.only(optimizers=["sgd"]), "grid")
        shown = [name for name, y in rows(spec, "shown", "y") if isinstance(y, list)]
        assert shown.count("chosen point") == 4 and shown.count("all other trials") == 8
        assert [said for (said,) in rows(spec, "said")].count("learning_rate=0.4, weight_decay=0") == 4

    def test_sensitivity_shows_diverged_learning_rates_on_the_upper_edge(self, run):
        marks = rows(make(run, "sensitivity"), "optimizer", "x", "said", "y")
        assert {(name, x) for name, x, *_ in marks} == {("sgd", 0.4), ("adam", 0.4)} and len(marks) == 4
        assert all(y > 8 for *_, y in marks)

    def test_sensitivity_of_one_optimizer_is_coloured_by_batch_size(self, run):
        spec = make(run.only(optimizers=["sgd"]), "sensitivity")
        assert len(spec["concat"]) == 1
        assert {name for name, _ in rows(spec, "shown", "x")} == {"batch size 4", "batch size 16"}

    def test_heat_maps_hold_the_whole_grid(self, run):
        cells = rows(make(run.only(optimizers=["sgd"]), "heatmap"), "x", "y", "value", "lost", "best")
        one = [("0.1", "0.1", 2, False, False), ("0.2", "0", 0.5, False, True), ("0.4", "0", None, True, False)]
        assert sorted(cells, key=str) == sorted(one * 2, key=str)

    def test_batch_scaling_shows_points_fit_and_sizes(self, run):
        spec = make(run, "batch-scaling")
        points = [(name, x, y) for name, x, y in rows(spec, "optimizer", "x", "y") if isinstance(x, list)]
        # Through two points goes a line of any two numbers.
        assert ("sgd", [4, 16], [15, 15]) in points and not any(len(x) == 30 for _, x, _ in points)

    def test_batch_scaling_draws_the_fit_of_three_sizes(self, run, handmade, tmp_path):
        handmade("sgd", [[8.0, 2.0, 0.5]] * 2, batch_size=64, examples_per_step=64, tried=TRIED)
        spec = make(load_stored("handmade", tmp_path / "results"), "batch-scaling")
        found = [name for name, x in rows(spec, "optimizer", "x") if isinstance(x, list) and len(x) == 30]
        assert found == ["sgd"]

    def test_convergence_shows_what_diverged_last(self, run):
        dots = rows(make(run, "convergence"), "optimizer", "value", "missed")
        assert [(name, missed) for name, _, missed in dots] == [("sgd", False), ("adam", True)] * 2

    def test_ert_counts_what_missed(self, run):
        spec = make(run, "ert", Options(x="examples"))
        assert [(name, missed) for name, missed in rows(spec, "optimizer", "missed")] == [
            ("sgd", False),
            ("adam", True),
        ] * 2
        assert [value for value, missed in rows(spec, "value", "missed") if not missed] == [320, 80]

    def test_profiles_rise_to_the_share_that_is_solved(self, run):
        found = dict(rows(make(run, "profile"), "optimizer", "y"))
        assert found["sgd"][-1] == 1 and found["adam"][-1] == 0
        met = dict(rows(make(run, "ecdf"), "optimizer", "y"))
        assert met["sgd"] == sorted(met["sgd"]) and met["sgd"][-1] == 1

    def test_budgets_fall(self, run):
        found = [y for name, y in rows(make(run, "budget"), "optimizer", "y") if name == "sgd"]
        assert all(y == sorted(y, reverse=True) for y in found)

    @pytest.mark.parametrize(
        ("options", "message"),
        [
            (Options(metric="train_los"), "no finished cell has train_los"),
            (Options(metric="gap"), "no finished cell has gap"),
            (Options(x="seconds"), "no finished cell is timed; optbench throughput times them"),
        ],
    )
    def test_what_there_is_not(self, run, options, message):
        with pytest.raises(ValueError, match=message):
            make(run, "curves", options)


def test_options_refuse_an_unknown_x():
    with pytest.raises(ValueError, match=r"unknown x 'step'; did you mean 'steps'\?"):
        Options(x="step")


def test_of_many_optimizers_eight_are_coloured_and_all_are_named(handmade, tmp_path):
    for place in range(10):
        handmade(f"o{place}", [[8.0, 4.0, 1.0 + place]], tried={0.1: [[8.0, 4.0, 1.0 + place]]})
    run = load_stored("handmade", tmp_path / "results")
    found = dict(rows(make(run, "curves"), "optimizer", "shown"))
    assert found == {f"o{place}": f"o{place}" if place < 8 else "2 others" for place in range(10)}
    assert "the 8 of 10 optimizers" in figures.kind("curves").caption(run, Options())


def test_of_many_cells_a_grid_shows_the_best(handmade, tmp_path):
    for place in range(13):
        handmade(f"o{place}", [[8.0, 4.0, 1.0 + place]], tried=TRIED)
    run = load_stored("handmade", tmp_path / "results")
    assert [panel["title"]["text"] for panel in make(run, "grid")["concat"]] == [["o0 on bowl"]]


def test_a_gap_at_the_optimum_lies_on_the_edge_of_a_logarithmic_axis(handmade, tmp_path):
    handmade("sgd", [[3.0, 2.0, 1.0]], optimum=1.0)
    spec = make(load_stored("handmade", tmp_path / "results"), "curves")
    ((y,),) = [found for found in rows(spec, "y") if isinstance(found[0], list)]
    assert y[:2] == [2, 1] and 0 < y[2] < 1


def test_accuracies_are_linear_and_the_highest_first(handmade, tmp_path):
    for name, end in (("sgd", 0.5), ("adam", 0.9)):
        handmade(name, [[3.0, 2.0, 1.0]], trial={"test_accuracy": [0.1, 0.2, end]})
    run = load_stored("handmade", tmp_path / "results")
    options = Options(metric="test_accuracy")
    assert [name for name, _ in rows(make(run, "convergence", options), "optimizer", "missed")] == ["adam", "sgd"]
    spec = make(run, "curves", options)
    assert '"log"' not in json.dumps(spec)
    assert dict(rows(spec, "optimizer", "y")) == {"adam": [0.1, 0.2, 0.9], "sgd": [0.1, 0.2, 0.5]}


@pytest.mark.parametrize(("more_is_better", "first"), [(["modes"], "adam"), ([], "sgd")], ids=["more", "less"])
def test_metrics_of_a_problems_own_have_their_own_direction(handmade, tmp_path, more_is_better, first):
    for name, end in (("sgd", 2.0), ("adam", 5.0)):
        handmade(name, [[3.0, 2.0, 1.0]], trial={"train_modes": [0.0, 1.0, end]}, higher_is_better=more_is_better)
    spec = make(load_stored("handmade", tmp_path / "results"), "convergence", Options(metric="train_modes"))
    assert rows(spec, "optimizer", "missed")[0][0] == first


def test_diverged_accuracies_lie_on_the_lower_edge(handmade, tmp_path):
    found = {place: {"test_accuracy": [0.1, 0.5, end]} for place, end in enumerate((0.6, 0.9, nan))}
    handmade("sgd", [[8.0, 4.0, 0.5]], tried=TRIED, points=found, trial=found[0])
    run = load_stored("handmade", tmp_path / "results")
    for kind in ("sensitivity", "grid"):
        marks = rows(make(run, kind, Options(metric="test_accuracy")), "said", "y")
        assert marks and all(y < 0.6 for _, y in marks)


def test_a_random_search_has_no_heat_map(handmade, tmp_path):
    tried = {place / 100: [[8.0, 4.0, 1.0]] for place in range(1, 51)}
    points = {place: {"hyperparameters": {"weight_decay": place / 1000}} for place in range(50)}
    handmade("sgd", [[8.0, 4.0, 1.0]], tried=tried, points=points)
    with pytest.raises(ValueError, match="no cell was tried on a grid of several learning rates and weight decays"):
        make(load_stored("handmade", tmp_path / "results"), "heatmap")


def test_times_need_timings(handmade, tmp_path):
    handmade("sgd", [[3.0, 2.0, 1.0]])
    run = load_stored("handmade", tmp_path / "results")
    for kind in ("throughput", "time-to-target"):
        with pytest.raises(ValueError, match="no cell is timed; optbench throughput times them"):
            make(run, kind)
    assert inf not in [value for value, _ in rows(make(run, "ert"), "value", "missed")]
