"""An optimizer has one colour in all figures of a run, whatever part of the run they show."""

import json

import pytest

from optbench import figures
from optbench.figures._colours import look_of, own_optimizers
from optbench.figures.figure import Options
from optbench.present.charts.style import COLOURS, GREY, OWN
from optbench.store.run import load_stored


@pytest.fixture
def stored(handmade, tmp_path):
    """Write finished cells, in the order that they were asked for, and load their run: stored("sgd", "adam")."""

    def write(*names, ends=None, specs=("sgd",), problems=("bowl",)):
        for problem in problems:
            for place, name in enumerate(names):
                end = (ends or {}).get(name, 1.0 + place)
                handmade(name, [[8.0, 4.0, end]], problem=problem, tried={0.1: [[8.0, 4.0, end]]})
        path = tmp_path / "results" / "handmade" / "manifest.json"
        manifest = json.loads(path.read_text())
        manifest["suite"]["optimizers"] = [{"spec": spec} for spec in specs]
        manifest["cells"].sort(key=lambda cell: names.index(cell["optimizer"]))
        path.write_text(json.dumps(manifest))
        return load_stored("handmade", tmp_path / "results")

    return write


def colours(run, *names):
    look = look_of(run, Options(), names or None)
    return {name: look.colour(name) for name in look.names}


def test_colours_follow_the_order_that_was_asked_for_and_no_rank(stored):
    run = stored("sgd", "adam", "lion", ends={"lion": 0.1})
    assert colours(run) == dict(zip(("sgd", "adam", "lion"), COLOURS, strict=False))


def test_a_part_of_a_run_has_the_colours_of_the_whole(stored):
    run = stored("sgd", "adam", "lion", problems=("bowl", "hill"))
    everywhere = colours(run)
    part = run.only(problems=["hill"], optimizers=["adam", "lion"])
    assert colours(part) == {name: everywhere[name] for name in ("adam", "lion")}
    assert colours(part.only(optimizers=["lion"])) == {"lion": everywhere["lion"]}


def test_a_users_own_is_the_strongest_and_changes_no_other_colour(stored):
    without = colours(stored("sgd", "adam"))
    run = stored("sgd", "adam", "./mine.py:make")
    assert colours(run) == {"./mine.py:make": COLOURS[-1]} | without
    look = look_of(run, Options())
    assert look.styles[0] == OWN and [one.thick for one in look.styles] == [True, False, False]


@pytest.mark.parametrize("label", ["Mine", "Mine[b1=0.8]"])
def test_what_a_users_own_is_shown_as_is_his_own(stored, label):
    run = stored("sgd", label, specs=("sgd", "Mine=./mine.py:make[b1=0.8,0.9]"))
    assert own_optimizers(run) == {label} and next(iter(colours(run))) == label


def test_of_many_the_best_of_the_whole_run_are_coloured_in_every_part(stored):
    names = [f"o{place}" for place in range(10)]
    run = stored(*names, ends={"o9": 0.1, "o8": 0.2})
    chosen = [*names[:6], "o8", "o9"]
    assert colours(run) == dict(zip(chosen, COLOURS, strict=True))
    assert look_of(run, Options()).colour("o7") == GREY
    # Asked for alone, what was grey has one of the free colours.
    assert colours(run.only(optimizers=["o8", "o7"]))["o8"] == COLOURS[6]
    assert colours(run.only(optimizers=["o8", "o7"]))["o7"] not in (COLOURS[6], GREY)


def test_a_users_own_is_coloured_among_many_however_it_ends(stored):
    names = [f"o{place}" for place in range(10)]
    run = stored(*names, "mine:make", ends={"mine:make": 99.0})
    assert colours(run)["mine:make"] == COLOURS[-1] and len(colours(run)) == 8


def test_dots_have_the_colours_of_lines(stored):
    run = stored("sgd", "adam", ends={"adam": 0.1})
    spec = figures.kind("convergence").draw(run, Options())
    dots = {row["optimizer"]: row["colour"] for rows in spec["datasets"].values() for row in rows}
    assert dots == colours(run)
