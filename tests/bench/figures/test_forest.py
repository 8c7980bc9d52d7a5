"""The forest plot of a comparison: what stands in its rows, and what its axis can hold."""

import json
from math import inf

import pytest

from optbench.analyse.comparison import Rules, Side, compare
from optbench.errors import RequestError
from optbench.figures.forest import caption, draw
from optbench.present.charts import forest as chart
from optbench.store.run import load_stored

NAMES = {"optimizer": "mine", "reference": "adamw", "metric": "train_loss", "batch_size": 4}


def row(problem, *ratios, verdict="undecided", **fields):
    return (
        {"problem": problem, "verdict": verdict}
        | dict(zip(("ratio", "ratio_low", "ratio_high"), ratios, strict=True))
        | (NAMES | fields)
    )


def marks(spec):
    return [one for rows in spec["datasets"].values() for one in rows if "verdict" in one]


@pytest.fixture
def ratios(handmade, tmp_path):
    """Compare ends of two optimizers on the same seeds, and return the ratio with its interval."""

    def compared(mine, other, **fields):
        for name, ends in (("mine", mine), ("adamw", other)):
            handmade(name, [[8.0, 8.0, float(end)] for end in ends], **fields)
        run = load_stored("handmade", tmp_path / "results")
        parts = {part.record.optimizer: part for part in run.parts}
        sides = [Side(name, {("bowl", 4): parts[name]}) for name in ("mine", "adamw")]
        (only,) = compare(*sides, Rules()).rows
        return only["ratio"], only["ratio_low"], only["ratio_high"]

    return compared


def test_a_ratio_is_of_the_same_seed(ratios):
    # Of each seed by itself: 0.5, 2 and 3.
    assert ratios([1, 4, 6], [2, 2, 2]) == (2, 0.5, 3)


def test_what_diverged_is_infinitely_worse_and_its_reference_infinitely_better(ratios):
    assert ratios([1, inf, inf], [inf, 2, inf]) == (1, 0, inf)


def test_a_negative_reference_turns_no_order_round(ratios):
    # Below the reference by half of its size, and above by as much.
    assert ratios([-3, -1, -2], [-2, -2, -2]) == (1, 0.5, 1.5)


def test_each_problem_is_a_row_and_the_typical_one_the_last():
    spec = draw([row("bowl", 2.0, 1.0, 4.0, verdict="worse"), row("hill", 8.0, 7.0, 9.0, verdict="worse")], 0.05)
    assert [(one["label"], one["verdict"], one["value"]) for one in marks(spec)] == [
        ("bowl", "worse", 2.0),
        ("hill", "worse", 8.0),
        (chart.SUMMARY, "", 5.0),
    ]


def test_a_single_problem_has_no_typical_one():
    assert [one["label"] for one in marks(draw([row("bowl", 2.0, 1.0, 4.0)], 0.05))] == ["bowl"]


def test_batch_sizes_are_named_where_a_problem_has_several():
    rows = [row("bowl", 1, 1, 1), row("bowl", 2, 2, 2, batch_size=8), row("hill", 1, 1, 1)]
    assert [one["label"] for one in marks(draw(rows, 0.05))][:3] == ["bowl, batch 4", "bowl, batch 8", "hill"]


def test_several_references_have_a_panel_each():
    spec = draw([row("bowl", 2.0, 1.0, 4.0), row("bowl", 1.0, 0.5, 2.0, reference="lion")], 0.05)
    assert [panel["title"]["text"] for panel in spec["concat"]] == [["mine against adamw"], ["mine against lion"]]


def test_the_margin_is_a_band():
    (band,) = [one for rows in draw([row("bowl", 1, 1, 1)], 0.2)["datasets"].values() for one in rows if "from" in one]
    assert band == {"from": pytest.approx(0.8), "to": pytest.approx(1.2)}


def test_what_no_axis_can_hold_lies_on_its_edge_with_an_arrow():
    spec = draw([row("bowl", inf, 0.5, inf), row("hill", 0.0, 0.0, 0.1)], 0.05)
    bowl, hill, _ = marks(spec)
    assert (bowl["beyond_left"], bowl["beyond_right"]) == (False, True) and bowl["value"] == bowl["high"] > 1
    assert (hill["beyond_left"], hill["beyond_right"]) == (True, False) and 0 < hill["value"] == hill["low"] < 0.1
    assert json.dumps(spec, allow_nan=False)


def test_more_pairs_than_one_can_look_at_are_refused():
    rows = [row("bowl", 1, 1, 1, reference=f"o{place}") for place in range(13)]
    with pytest.raises(RequestError, match="13 pairs are too many for a figure; accepted: 12 at most"):
        draw(rows, 0.05)


def test_accuracy_is_compared_by_what_it_lacks():
    rows = [row("bowl", 1, 1, 1, metric="test_accuracy")]
    assert "test error (1 less the accuracy)" in caption(rows, 0.05)
    assert "test error, ratio" in json.dumps(draw(rows, 0.05))


def test_compare_writes_it_beside_its_tables(handmade, tmp_path, monkeypatch, capsys):
    pytest.importorskip("vl_convert")
    from optbench.cli import main

    for problem in ("bowl", "hill"):
        for name, end in (("sgd", 2.0), ("adam", 1.0)):
            handmade(name, [[8.0, 4.0, end]], problem=problem)
    monkeypatch.chdir(tmp_path)
    assert main(["compare", "sgd", "adam", "--format", "csv", "--output", "forest.svg", "--width", "120mm"]) == 0
    printed = capsys.readouterr()
    assert printed.out.startswith("problem,") and "Each row is a problem" in printed.err
    svg = (tmp_path / "forest.svg").read_text()
    assert "sgd against adam" in svg and "hill" in svg and 'width="120.00mm"' in svg
    assert main(["compare", "sgd", "adam", "--output", "forest.svg"]) == 0
    assert "Each row is a problem" in capsys.readouterr().out
