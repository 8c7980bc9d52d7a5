"""A page's section of what came before."""

import pytest

from optbench.history.entries import read_history, write_entry
from optbench.report.html.page import FigureBlock, Paragraphs, TableBlock
from optbench.store.run import load_stored

pytest.importorskip("altair")


@pytest.fixture
def history(tmp_path, about, quality, seconds):
    """Keep twelve entries of the suite of hand-made runs, and one of another; sgd gets slower at the ninth."""
    place = str(tmp_path / "history")
    bowl = {"problem": "bowl", "optimizer": "sgd", "batch_size": "4"}
    for number in range(12):
        slower = 1.5 if number >= 8 else 1.0
        rows = [quality([1.0, 2.0], **bowl), seconds(slower * (1 + 0.01 * (number % 3)), **bowl), quality([3.0])]
        write_entry(place, about(number, suite="handmade"), rows)
    write_entry(place, about(20, suite="other"), [quality([1.0], **bowl)])
    return read_history(place)


def blocks(run, history):
    from optbench.figures.figure import Options
    from optbench.report.history import history_blocks

    return history_blocks(run, history, Options(interactive=True, width=1240))


def test_a_run_stands_beside_those_before_it(handmade, history, tmp_path):
    handmade("sgd", [[3.0, 2.0, 1.0]])
    notes, changed, figure, table = blocks(load_stored("handmade", tmp_path / "results"), history)
    assert isinstance(notes, Paragraphs) and isinstance(changed, TableBlock) and isinstance(figure, FigureBlock)
    assert "12 entries of suite handmade" in notes.texts[0] and "1 of 2 series changed" in notes.texts[0]
    (row,) = changed.table.to_records()
    assert row["measure"] == "step_seconds" and "x1.5" in row["changed"]
    # The problem mlp is none of this run's.
    assert [variant.choice for variant in figure.variants] == [{"of": "bowl"}]
    assert isinstance(table, TableBlock) and len(table.table.to_records()) == 2


def test_more_panels_than_a_figure_holds_come_in_parts(handmade, tmp_path, about, quality):
    handmade("sgd", [[3.0, 2.0, 1.0]])
    bowl = {"problem": "bowl", "optimizer": "sgd"}
    rows = [quality([1.0], **bowl, batch_size=str(size)) for size in range(20)]
    for number in range(2):
        write_entry(str(tmp_path / "wide"), about(number, suite="handmade"), rows)
    _, figure, _ = blocks(load_stored("handmade", tmp_path / "results"), read_history(str(tmp_path / "wide")))
    assert [variant.choice["of"] for variant in figure.variants] == ["bowl, part 1 of 2", "bowl, part 2 of 2"]


def test_one_entry_is_no_history(handmade, tmp_path, about, quality):
    handmade("sgd", [[3.0, 2.0, 1.0]])
    write_entry(str(tmp_path / "one"), about(0, suite="handmade"), [quality([1.0], problem="bowl", optimizer="sgd")])
    assert blocks(load_stored("handmade", tmp_path / "results"), read_history(str(tmp_path / "one"))) == []


def test_the_page_has_a_section_of_it(handmade, history, tmp_path):
    from optbench.report.report import report

    handmade("sgd", [[3.0, 2.0, 1.0]])
    run = load_stored("handmade", tmp_path / "results")
    page = report([run], tmp_path / "report.html", history=history)
    assert ">History<" in page and "Series whose level changed" in page
    assert ">History<" not in report([run], tmp_path / "report.html")


def test_a_page_of_a_history_alone_has_a_section_for_each_suite(history):
    from optbench.figures.figure import Options
    from optbench.report.history import history_page

    page = history_page(history, Options(interactive=True, width=1240))
    assert [section.title for section in page.sections] == ["Suite handmade", "Suite other"]
    assert page.summary[0].startswith(f"13 entries in {history.place}, the newest of 2026-01-01T20:00:00Z: ")
    (first, *_), (other, *rest) = (section.blocks for section in page.sections)
    # Every series of the suite, those of a problem that no run has here too.
    assert "12 entries of suite handmade" in first.texts[0] and "1 of 3 series changed" in first.texts[0]
    assert "1 entry of suite other" in other.texts[0] and rest
